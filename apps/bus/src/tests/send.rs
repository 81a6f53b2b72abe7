//! What becomes of a request, whatever its owner does.

use super::*;

#[test]
fn an_owner_answers_or_refuses() {
    run(async {
        let (bus, _supervisor) = bus().await;
        Owner::on(&bus, "a", &Counts::default()).await;
        assert_eq!(ping(&bus, Ping::Answer(7), AMPLE).await.unwrap(), (7, "a"));
        assert!(matches!(ping(&bus, Ping::Refuse, AMPLE).await, Err(SendError::Refused("no"))));
    });
}

#[test]
fn without_an_owner_it_fails_at_once() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let outcome = ping(&bus, Ping::Answer(1), AMPLE).await;
        assert!(matches!(outcome, Err(SendError::NoOwner { request: "test.ping" })), "{outcome:?}");
    });
}

#[test]
fn while_the_owner_is_down_it_waits_for_the_successor() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let counts = Counts::default();
        let first = Owner::on(&bus, "first", &counts).await;
        first.send(Leave).await.unwrap();
        let asked = actix::spawn({
            let bus = bus.clone();
            async move { ping(&bus, Ping::Answer(1), AMPLE).await }
        });
        others_run().await;
        assert!(!asked.is_finished());
        Owner::on(&bus, "second", &counts).await;
        assert_eq!(asked.await.unwrap().unwrap(), (1, "second"));
    });
}

#[test]
fn while_the_owner_is_down_it_waits_no_longer_than_its_deadline() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let owner = Owner::on(&bus, "a", &Counts::default()).await;
        owner.send(Leave).await.unwrap();
        let outcome = ping(&bus, Ping::Answer(1), SHORT).await;
        assert!(
            matches!(&outcome, Err(SendError::Unavailable { owner, .. }) if owner == "test/owner"),
            "{outcome:?}"
        );
    });
}

/// OP-25, the bus's part: once the umbrella ends nobody waits for who is down, whether he began to before that or after; who is there answers.
#[test]
fn when_the_umbrella_ends_nobody_is_waited_for() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let owner = Owner::on(&bus, "a", &Counts::default()).await;
        let release = hold(&owner).await;
        let asked = actix::spawn({
            let bus = bus.clone();
            async move { ping(&bus, Ping::Answer(1), AMPLE).await }
        });
        others_run().await;
        bus.end();
        drop(release);
        assert_eq!(asked.await.unwrap().unwrap(), (1, "a"));
        owner.send(Leave).await.unwrap();
        let outcome = ping(&bus, Ping::Answer(2), AMPLE * 2).await;
        assert!(matches!(outcome, Err(SendError::Unavailable { .. })), "{outcome:?}");

        let (bus, _supervisor) = self::bus().await;
        Owner::on(&bus, "b", &Counts::default()).await.send(Leave).await.unwrap();
        let waits = actix::spawn({
            let bus = bus.clone();
            async move { ping(&bus, Ping::Answer(3), AMPLE * 2).await }
        });
        others_run().await;
        assert!(!waits.is_finished());
        bus.end();
        assert!(matches!(waits.await.unwrap(), Err(SendError::Unavailable { .. })));
    });
}

#[test]
fn an_owner_that_dies_before_opening_leaves_it_to_the_next_exactly_once() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let counts = Counts::default();
        let first = Owner::on(&bus, "first", &counts).await;
        first.send(DieNext).await.unwrap();
        // Several wait in the mailbox of the one that dies.
        let release = hold(&first).await;
        let asked: Vec<_> = (0..2)
            .map(|number| {
                let bus = bus.clone();
                actix::spawn(async move { ping(&bus, Ping::Answer(number), AMPLE).await })
            })
            .collect();
        others_run().await;
        drop(release);
        others_run().await;
        assert!(!first.connected());
        Owner::on(&bus, "second", &counts).await;
        for (number, answer) in asked.into_iter().enumerate() {
            assert_eq!(answer.await.unwrap().unwrap(), (u32::try_from(number).unwrap(), "second"));
        }
        assert_eq!(counts.get(), (3, 2), "one died with the first owner, which opened none");
    });
}

#[test]
fn an_owner_that_dies_after_opening_is_said_to_have_crashed() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let counts = Counts::default();
        Owner::on(&bus, "a", &counts).await;
        let outcome = ping(&bus, Ping::OpenAndDie, AMPLE).await;
        assert!(matches!(outcome, Err(SendError::Crashed { .. })), "{outcome:?}");
        assert_eq!(counts.get(), (1, 1));
    });
}

#[test]
fn a_deadline_before_opening_means_that_the_owner_never_acts_on_it() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let counts = Counts::default();
        let owner = Owner::on(&bus, "a", &counts).await;
        let release = hold(&owner).await;
        let outcome = ping(&bus, Ping::Answer(1), SHORT).await;
        assert!(matches!(outcome, Err(SendError::Unavailable { .. })), "{outcome:?}");
        drop(release);
        ping(&bus, Ping::Answer(2), AMPLE).await.unwrap();
        assert_eq!(counts.get().1, 1, "only the second was opened");
    });
}

#[test]
fn a_deadline_after_opening_means_that_the_outcome_is_unknown() {
    run(async {
        let (bus, _supervisor) = bus().await;
        Owner::on(&bus, "a", &Counts::default()).await;
        let outcome = ping(&bus, Ping::OpenAndHang, SHORT).await;
        assert!(matches!(outcome, Err(SendError::Timeout { .. })), "{outcome:?}");
    });
}

/// The owner checks for itself, whoever else may have looked at the clock.
#[test]
fn an_envelope_that_is_late_or_withdrawn_stays_closed() {
    let late = Envelope::new(Ping::Answer(1), Instant::now());
    assert_eq!(late.open(), None);
    let envelope = Envelope::new(Ping::Answer(1), within(AMPLE));
    assert_eq!(envelope.counterpart().withdraw(), Some(Ping::Answer(1)));
    assert_eq!(envelope.open(), None);
}

#[test]
fn a_full_mailbox_makes_senders_wait_until_there_is_room() {
    run(async {
        let (bus, _supervisor) =
            bus_with(BusSettings { mailbox_capacity: 2, ..BusSettings::default() }).await;
        let counts = Counts::default();
        let owner = Owner::on(&bus, "a", &counts).await;
        let release = hold(&owner).await;
        let asked: Vec<_> = (0..20)
            .map(|number| {
                let bus = bus.clone();
                actix::spawn(async move { ping(&bus, Ping::Answer(number), AMPLE).await })
            })
            .collect();
        others_run().await;
        drop(release);
        for answer in asked {
            answer.await.unwrap().unwrap();
        }
        assert_eq!(counts.get(), (20, 20));
    });
}

/// A withdrawn envelope takes up memory until the owner comes to it, so it keeps its place.
#[test]
fn a_mailbox_never_holds_more_than_its_capacity() {
    run(async {
        let (bus, _supervisor) =
            bus_with(BusSettings { mailbox_capacity: 2, ..BusSettings::default() }).await;
        let places = |bus: &Bus| bus.routes().find::<Ping>().unwrap().places.available_permits();
        let owner = Owner::on(&bus, "a", &Counts::default()).await;
        assert_eq!(places(&bus), 2);
        let release = hold(&owner).await;
        let outcomes =
            futures_util::future::join_all((0..20).map(|number| ping(&bus, Ping::Answer(number), SHORT)))
                .await;
        for outcome in outcomes {
            assert!(matches!(outcome, Err(SendError::Unavailable { .. })), "{outcome:?}");
        }
        assert_eq!(places(&bus), 0, "two withdrawn ones are still in it");
        drop(release);
        ping(&bus, Ping::Answer(1), AMPLE).await.unwrap();
        assert_eq!(places(&bus), 2);
    });
}

/// UX-12, the bus's part: an owner whose thread is blocked is replaced, and what waits in its mailbox moves on.
#[test]
fn a_blocked_owner_that_is_replaced_gives_up_what_it_has_not_opened() {
    run(async {
        let (bus, _supervisor) =
            bus_with(BusSettings { mailbox_capacity: 2, ..BusSettings::default() }).await;
        let counts = Counts::default();
        let blocked = Owner::on(&bus, "blocked", &counts).await;
        let release = hold(&blocked).await;
        // Two in its mailbox, two more waiting for places in it.
        let asked: Vec<_> = (0..4)
            .map(|number| {
                let bus = bus.clone();
                actix::spawn(async move { ping(&bus, Ping::Answer(number), AMPLE).await })
            })
            .collect();
        others_run().await;
        Owner::on(&bus, "successor", &counts).await;
        for answer in asked {
            assert_eq!(answer.await.unwrap().unwrap().1, "successor");
        }
        drop(release);
        others_run().await;
        assert_eq!(counts.get().1, 4, "each was opened once");
    });
}

/// CM-06: given no limit at all, it just waits.
#[test]
fn a_deadline_beyond_all_clocks_is_no_overflow() {
    assert!(crate::handle::within(Duration::MAX) > within(AMPLE));
}
