//! What is known of other processes before anybody asks them anything.

use serde_json::json;
use tokio::net::TcpListener;
use umbel_bus::{AskError, Contact, DispatchError, Reached};
use umbel_core::subscription::NodeId;

use super::world::*;

/// How it stands with this process, once it is reached so far.
async fn once(here: &Side, node: NodeId, reached: Reached) -> Contact {
    loop {
        let views = here.bus.peers();
        let contact = views.into_iter().find(|view| view.peer.node == node).map(|view| view.contact);
        if let Some(contact) = contact.filter(|contact| contact.reached == reached) {
            return contact;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// LK-14: a process that is counted on is met as soon as it is known; it shows since when it is there, that it has gone idle, or for how long
/// it is away, why, and what did not get there. One that this process does not need is left alone.
#[test]
fn who_is_counted_on_is_met() {
    run(async {
        let ((there, _), idle, here) = (
            Side::owning("there").await,
            Side::new().await,
            Side::with(settings(&[("idle_ms", json!(50))])).await,
        );
        here.knows(&[there.bus.process(), idle.bus.process()]);
        let met = once(&here, there.bus.node(), Reached::Connected).await;
        assert!(met.since.is_some() && met.last_error.is_none() && met.missed == 0, "{met:?}");
        let views = here.bus.peers();
        let view = |side: &Side| views.iter().find(|view| view.peer.node == side.bus.node()).unwrap();
        assert_eq!(view(&there).counted_on, ["test.did", "test.do", "test.question"]);
        assert_eq!((&*view(&idle).counted_on, view(&idle).contact.reached), (&[][..], Reached::Untried));
        assert!(once(&here, there.bus.node(), Reached::Idle).await.last_error.is_none());
        there.supervisor.shut_down().await;
        assert!(matches!(here.ask(Question::Who).await, Err(AskError::Unavailable { .. })));
        let away = once(&here, there.bus.node(), Reached::Away).await;
        assert!(away.last_error.is_some() && away.missed >= 1, "{away:?}");
    });
}

/// LK-14: a process that was away is found again though nobody asks it anything.
#[test]
fn who_was_away_is_found_again() {
    run(async {
        let ((there, _), here) = (Side::owning("there").await, Side::new().await);
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let free = nobody.local_addr().unwrap().to_string();
        drop(nobody);
        here.knows(&[at(&there.bus.process(), &free)]);
        once(&here, there.bus.node(), Reached::Away).await;
        here.knows(&[there.bus.process()]);
        let back = once(&here, there.bus.node(), Reached::Connected).await;
        assert!(back.last_error.is_some(), "the last one stays to be seen: {back:?}");
        here.knows(&[]);
        assert_eq!(here.bus.peers(), []);
    });
}

/// LK-16: given a process with another secret, then that shows as soon as it is known, with what to set; whoever asks is not told to try again.
#[test]
fn another_secret_shows_before_anybody_asks() {
    run(async {
        let here = Side::new().await;
        let other = Side::with(settings(&[("secret", json!("t".repeat(32)))])).await;
        let seen = other.own("other", None).await;
        here.knows(&[other.bus.process()]);
        let refused = once(&here, other.bus.node(), Reached::Refused).await;
        let error = refused.last_error.unwrap();
        assert!(error.contains("UMBEL__LINK__SECRET"), "{error}");
        let nobody = here.bus.dispatch_with(Do::Reply(1), options()).await.unwrap_err();
        assert_eq!(nobody, DispatchError::NoHandler { command: "test.do".into() });
        assert_eq!(here.ask(Question::Who).await, Err(AskError::NoHandler { query: "test.question" }));
        assert_eq!(seen.count(), 0);
        assert!(once(&here, other.bus.node(), Reached::Refused).await.missed >= 2);
    });
}
