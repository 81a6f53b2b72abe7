//! What is read, and when.

use uuid::Uuid;

use super::rig::{A, NODE, Rig, key, leases, options, place};
use crate::subscription::{Effect, Input, Item, Machine, NodeId, Options, Verdict};

/// SU-09: what does not fit is read later from where it stopped, and what nobody announced comes with the next announcement.
#[test]
fn nothing_is_lost_when_the_buffer_is_full_or_an_announcement_is() {
    let mut rig = Rig::with(Options { buffer_max: 4, ..options() }, &[1], &[]);
    rig.tell(Input::Head(place(9)));
    assert_eq!(rig.effects, [Effect::Fetch { after: place(0), limit: 4 }]);
    let items = (1..=6).map(|at| Item { place: place(at), key: key("a"), event: at }).collect();
    rig.tell(Input::Fetched { items, scanned_to: place(6), head: place(9) });
    assert_eq!((rig.sent(), rig.fetch()), (vec![(A, vec![1])], None));
    rig.ack(A, 1);
    assert_eq!(rig.fetch(), None);
    rig.ack(A, 2);
    assert!(rig.effects.contains(&Effect::Fetch { after: place(4), limit: 2 }), "{:?}", rig.effects);
    let items = (5..=6).map(|at| Item { place: place(at), key: key("a"), event: at }).collect();
    rig.tell(Input::Fetched { items, scanned_to: place(6), head: place(9) });
    for at in 3..=6 {
        rig.ack(A, at);
    }
    assert_eq!(rig.machine.counters().acknowledged, 6);
}

/// SU-09: a key that waits to be tried again does not fill the buffer, however much comes of it: others flow, what was left of it is read
/// again in order once what is here of it is done, and no checkpoint passes it meanwhile.
#[test]
fn a_key_that_waits_leaves_room_for_others() {
    let items = |from: u64, keys: &[&str]| -> Vec<_> {
        let item = |(at, text): (u64, &&str)| Item { place: place(at), key: key(text), event: at };
        (from..).zip(keys).map(item).collect()
    };
    let read = |rig: &mut Rig, from, keys: &[&str]| {
        let items = items(from, keys);
        let scanned_to = items.last().unwrap().place;
        rig.tell(Input::Fetched { items, scanned_to, head: place(40) });
    };
    let mut rig = Rig::with(Options { buffer_max: 16, ..options() }, &[16], &[]);
    rig.tell(Input::Head(place(40)));
    read(&mut rig, 1, &["a"; 16]);
    rig.fail(A, 1, Verdict::Retry { after_ms: 1000 });
    assert_eq!(rig.machine.buffered(), 2);
    assert_eq!(rig.fetch(), Some(place(16)));
    let mixed = ["a", "b", "a", "b", "a", "b", "a", "b", "a", "b", "a", "b"];
    read(&mut rig, 17, &mixed);
    assert_eq!((rig.sent(), rig.fetch()), (vec![(A, vec![18, 20, 22, 24, 26, 28])], Some(place(28))));
    rig.ack(A, 28);
    assert_eq!(rig.machine.buffered(), 2);
    read(&mut rig, 29, &["b"; 12]);
    rig.ack(A, 40);
    assert_eq!((rig.saves(), rig.fetch()), (None, None), "nothing is passed, and it is not read in vain");
    assert_eq!(rig.machine.settled_to().collect::<Vec<_>>(), [(0, place(0))]);

    rig.after(1000);
    assert_eq!(rig.sent(), [(A, vec![1, 2])]);
    rig.ack(A, 2);
    assert_eq!(rig.fetch(), Some(place(2)));
    let (again, others) = (["a"; 14], ["a", "b", "a", "b"]);
    read(&mut rig, 3, &again);
    assert_eq!((rig.sent(), rig.fetch()), (vec![(A, (3..=16).collect())], None));
    rig.ack(A, 16);
    assert_eq!(rig.fetch(), Some(place(16)), "to where it was left");
    read(&mut rig, 17, &others);
    assert_eq!(rig.sent(), [(A, vec![17, 19])]);
    rig.fail(A, 17, Verdict::Retry { after_ms: 1000 });
    rig.after(1000);
    rig.ack(A, 19);
    assert_eq!(rig.fetch(), Some(place(20)));
    assert_eq!(rig.machine.settled_to().collect::<Vec<_>>(), [(0, place(20))]);
    read(&mut rig, 21, &[&mixed[..8], &["b"; 12]].concat());
    assert_eq!(rig.sent(), [(A, vec![21, 23, 25, 27])]);
    rig.ack(A, 27);
    assert_eq!(rig.machine.settled_to().collect::<Vec<_>>(), [(0, place(40))]);
    assert!(rig.machine.is_live());
}

/// At the live edge one announcement costs one read, and without any nothing is read.
#[test]
fn the_live_edge_costs_one_read_for_each_announcement() {
    let mut rig = Rig::with(options(), &[9], &["a"]);
    assert!(rig.machine.is_live());
    rig.tell(Input::Head(place(2)));
    assert_eq!(rig.effects, [Effect::Fetch { after: place(1), limit: 999 }]);
    assert!(!rig.machine.is_live());
    for late in [1, 2, 2] {
        assert_eq!(rig.tell(Input::Head(place(late))), []);
    }
    rig.fetched(2, &["b"]);
    assert_eq!((rig.sent(), rig.fetch()), (vec![(A, vec![2])], None));
    for late in [2, 1] {
        assert_eq!(rig.tell(Input::Head(place(late))), []);
    }
    for _ in 0..100 {
        rig.after(200);
        assert_eq!(rig.fetch(), None);
    }
}

/// SU-10: a read that fails is tried again by itself, after longer and longer pauses.
#[test]
fn a_failed_read_is_tried_again_by_itself() {
    let mut rig = Rig::with(Options { lease_ms: 1_000_000, ..options() }, &[9], &["a"]);
    rig.tell(Input::Head(place(3)));
    for pause in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
        rig.tell(Input::FetchFailed);
        assert_eq!(rig.fetch(), None);
        rig.after(pause - 1);
        assert_eq!(rig.fetch(), None);
        rig.tell(Input::Head(place(3)));
        assert_eq!(rig.fetch(), None);
        rig.after(1);
        assert_eq!(rig.fetch(), Some(place(1)), "after {pause}");
    }
    rig.fetched(2, &["b", "c"]);
    assert_eq!(rig.sent(), [(A, vec![2, 3])]);
}

/// The pauses are the options': the first doubles up to the longest, and one that is shorter than the first counts as that. A read that
/// works makes the next pause the first again.
#[test]
fn pauses_after_a_failed_read_are_those_of_the_options() {
    for (first, most, pauses) in [
        (7, 20, vec![7, 14, 20, 20]),
        (40, 3, vec![40, 40]),
        (0, 0, vec![1, 1]),
        (1, u64::MAX, vec![1, 2, 4]),
    ] {
        let bounds = Options { store_retry_min_ms: first, store_retry_max_ms: most, ..options() };
        let mut rig = Rig::with(Options { lease_ms: 1_000_000, ..bounds }, &[9], &["a"]);
        for next in 2..4 {
            rig.tell(Input::Head(place(next)));
            for pause in &pauses {
                rig.tell(Input::FetchFailed);
                rig.after(pause - 1);
                assert_eq!(rig.fetch(), None, "{first} {most}: before {pause}");
                rig.after(1);
                assert_eq!(rig.fetch(), Some(place(next - 1)), "{first} {most}: after {pause}");
            }
            rig.fetched(next, &["a"]);
            assert_eq!(rig.sent(), [(A, vec![next])]);
        }
    }
}

/// A store that says there is more and brings nothing is not asked in a loop.
#[test]
fn a_read_without_progress_counts_as_failed() {
    let mut rig = Rig::with(options(), &[9], &["a"]);
    rig.tell(Input::Head(place(3)));
    rig.tell(Input::Fetched { items: Vec::new(), scanned_to: place(1), head: place(3) });
    assert_eq!(rig.fetch(), None);
    rig.after(100);
    assert_eq!(rig.fetch(), Some(place(1)));
    // But what was announced and is not there any more is nothing to wait for.
    rig.tell(Input::Fetched { items: Vec::new(), scanned_to: place(1), head: place(1) });
    rig.after(100);
    assert_eq!(rig.fetch(), None);
    assert!(rig.machine.is_live());
}

/// A partition that stands before the place from which others are read takes nothing of that: it would miss what lies between.
#[test]
fn a_partition_that_is_won_late_reads_from_its_own_place() {
    let mut rig = Rig::idle(Options { partitions: 2, ..options() });
    rig.join(A, 9);
    let mut states = leases(2, Some(NODE), 1);
    for state in &mut states.partitions {
        state.checkpoint = place(5);
    }
    states.partitions[1].owner = Some(super::rig::OTHER);
    rig.tell(Input::Leased(states.clone()));
    // It was not asked for: it is claimed anew first.
    states.partitions[0].epoch = 2;
    rig.tell(Input::Leased(states.clone()));
    assert_eq!(rig.fetch(), Some(place(5)));
    rig.fetched(6, &[]);
    let (own, other) = (own_key(0), own_key(1));
    rig.tell(Input::Head(place(9)));
    assert_eq!(rig.fetch(), Some(place(5)));
    // The other partition is won while a read is under way, and stands far behind.
    rig.after(1000);
    states.partitions[1].owner = Some(NODE);
    states.partitions[1].checkpoint = place(2);
    rig.tell(Input::Leased(states.clone()));
    states.partitions[1].epoch = 2;
    rig.tell(Input::Leased(states));
    let items =
        vec![Item { place: place(8), key: other, event: 8 }, Item { place: place(9), key: own, event: 9 }];
    rig.tell(Input::Fetched { items: items.clone(), scanned_to: place(9), head: place(9) });
    assert_eq!((rig.sent(), rig.fetch()), (vec![(A, vec![9])], Some(place(2))));
    rig.tell(Input::Fetched { items, scanned_to: place(9), head: place(9) });
    assert_eq!(rig.sent(), [(A, vec![8])]);
}

/// A key of a partition, of two.
fn own_key(partition: u32) -> crate::subscription::Key {
    let mut keys = (0..).map(|number| key(&format!("key-{number}")));
    keys.find(|key| key.partition(2) == partition).unwrap()
}

/// SU-22: a transient subscription begins where it is told, each time anew, and asks for nothing that is stored under its name.
#[test]
fn a_transient_subscription_touches_nothing_that_is_stored() {
    for _ in 0..2 {
        let mut machine = Machine::transient(options(), NodeId(Uuid::nil()), place(7));
        let mut effects = machine.step(0, Input::Tick);
        effects.extend(machine.step(0, Input::Join { consumer: A, capacity: 5 }));
        assert_eq!(effects, [Effect::Fetch { after: place(7), limit: 1000 }]);
        let items = (8..=9).map(|at| Item { place: place(at), key: key("a"), event: at }).collect();
        let mut effects = machine.step(0, Input::Fetched { items, scanned_to: place(9), head: place(9) });
        assert!(matches!(effects.as_slice(), [Effect::Deliver { .. }]), "{effects:?}");
        let failed = Input::Fail {
            consumer: A,
            place: place(8),
            verdict: Verdict::Park,
            error: "no".into(),
            at: crate::Timestamp::from_micros(0),
        };
        effects.extend(machine.step(1, failed));
        effects.extend(machine.step(100_000, Input::Ack { consumer: A, place: place(9) }));
        effects.extend(machine.step(200_000, Input::Stop));
        assert_eq!(machine.settled_to().collect::<Vec<_>>(), [(0, place(9))]);
        assert!(
            effects.iter().all(|one| matches!(one, Effect::Deliver { .. } | Effect::Stopped)),
            "{effects:?}"
        );
        assert!(machine.has_stopped());
    }
}
