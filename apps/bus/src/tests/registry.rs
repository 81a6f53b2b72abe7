//! Who may own what, and what survives the bus actor.

use tokio::sync::watch;
use umbel_core::Position;

use super::*;
use crate::{RouteError, topics::TopicError};

struct Other;

impl Request for Other {
    const NAME: &'static str = "test.other";
    type Answer = ();
    type Error = ();
}

/// CM-04: a second owner is refused with an error that names all three.
#[test]
fn a_kind_of_request_has_one_owner() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let counts = Counts::default();
        Owner::on(&bus, "first", &counts).await;
        let rival = Owner::start("rival", &counts);
        let routes = RouteSet::new("test/rival").answers::<Ping>(rival.recipient());
        let refused = bus.register(routes).await.unwrap_err();
        assert_eq!(
            refused,
            RouteError::Owned {
                request: "test.ping",
                owner: "test/owner".into(),
                rival: "test/rival".into()
            }
        );
        assert_eq!(ping(&bus, Ping::Answer(1), AMPLE).await.unwrap().1, "first");
    });
}

#[test]
fn one_component_cannot_own_a_kind_of_request_twice() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let owner = Owner::start("a", &Counts::default());
        let routes = RouteSet::new("test/owner")
            .answers::<Ping>(owner.clone().recipient())
            .answers::<Ping>(owner.recipient());
        assert!(matches!(bus.register(routes).await, Err(RouteError::Owned { .. })));
        assert!(matches!(ping(&bus, Ping::Answer(1), AMPLE).await, Err(SendError::NoOwner { .. })));
    });
}

#[test]
fn registering_again_replaces_what_the_component_had() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let counts = Counts::default();
        let (_reached, position) = watch::channel(Position::START);
        let first = Owner::start("first", &counts);
        let routes = RouteSet::new("test/owner").answers::<Ping>(first.recipient());
        bus.register(routes.projects("test.list", &["test.happened"], position, watch::channel(None).1))
            .await
            .unwrap();
        Owner::on(&bus, "second", &counts).await;
        assert_eq!(ping(&bus, Ping::Answer(1), AMPLE).await.unwrap().1, "second");
        assert!(bus.progress().is_empty(), "{:?}", bus.progress());
    });
}

#[test]
fn an_unregistered_component_owns_nothing() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let owner = Owner::start("a", &Counts::default());
        let routes = RouteSet::new("test/owner").answers::<Ping>(owner.recipient());
        bus.register(routes).await.unwrap();
        bus.unregister("test/owner").await.unwrap();
        assert!(matches!(ping(&bus, Ping::Answer(1), AMPLE).await, Err(SendError::NoOwner { .. })));
        Owner::on(&bus, "b", &Counts::default()).await;
        assert_eq!(bus.fault_targets(), ["bus"]);
    });
}

#[test]
fn sends_need_no_bus_actor() {
    run(async {
        let (bus, supervisor) =
            bus_with(BusSettings { default_deadline_ms: 40, ..BusSettings::default() }).await;
        Owner::on(&bus, "a", &Counts::default()).await;
        supervisor.shut_down().await;
        assert_eq!(ping(&bus, Ping::Answer(1), AMPLE).await.unwrap(), (1, "a"));
        assert_eq!(bus.unregister("test/owner").await, Err(RouteError::Unavailable));
        assert!(matches!(bus.listen::<topics::News>().await, Err(TopicError::Unavailable)));
    });
}

/// EB-13: given the bus actor restarts, routes and subscribers are unchanged.
#[test]
fn routes_and_subscribers_survive_the_bus_actor() {
    run(async {
        let (bus, supervisor) = bus().await;
        Owner::on(&bus, "a", &Counts::default()).await;
        let mut news = bus.listen::<topics::News>().await.unwrap();
        for restart in 1..=3 {
            assert!(bus.inject_panic("bus").await);
            // Sent while it is down, or dies: it waits for the next one.
            bus.register(RouteSet::new(format!("test/other-{restart}"))).await.unwrap();
            supervisor.tree().wait_until(|tree| tree.children[0].restarts == restart && tree.is_up()).await;
            assert_eq!(ping(&bus, Ping::Answer(1), AMPLE).await.unwrap(), (1, "a"));
            assert_eq!(bus.publish(topics::News(restart)), 1);
            assert_eq!(news.next().await.unwrap().0, restart);
        }
        assert!(!bus.inject_panic("nobody").await);
    });
}

#[test]
fn requests_of_different_kinds_do_not_mix() {
    run(async {
        let (bus, _supervisor) = bus().await;
        Owner::on(&bus, "a", &Counts::default()).await;
        let outcome = bus.send(Other, within(AMPLE)).await;
        assert!(matches!(outcome, Err(SendError::NoOwner { request: "test.other" })));
    });
}

/// Whoever holds the head follows the log; one who waits for a follower learns of it.
#[tokio::test]
async fn it_is_known_whether_somebody_follows_the_log() {
    let bus = Bus::new(BusSettings::default());
    drop(bus.head());
    assert!(!bus.is_followed(), "nobody does any more");
    let (waiting, following) = (bus.clone(), bus.clone());
    let waiting = tokio::spawn(async move { waiting.followed().await });
    others_run().await;
    assert!(!waiting.is_finished());
    let head = following.head();
    waiting.await.unwrap();
    assert!(bus.is_followed());
    bus.followed().await;
    drop(head);
}

#[test]
fn the_head_only_moves_forward() {
    let bus = Bus::new(BusSettings::default());
    let mut head = bus.head();
    bus.announce_head(Position::new(5));
    assert!(head.has_changed().unwrap());
    assert_eq!(head.borrow_and_update().get(), 5);
    bus.announce_head(Position::new(4));
    assert!(!head.has_changed().unwrap());
    assert_eq!(bus.head().borrow().get(), 5);
}
