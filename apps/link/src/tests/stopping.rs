//! Ends that are in order, and those that are not.

use serde_json::json;
use umbel_bus::{AskError, DispatchError};
use umbel_supervision::Outcome;

use super::world::*;

/// LK-11: a process that stops takes its word back, answers what it has begun, and begins nothing more for others: these are told to ask
/// somebody else.
#[test]
fn a_process_that_stops_ends_what_it_has_begun() {
    run(async {
        let ((there, seen), here) = (Side::owning("there").await, Side::new().await);
        here.knows(&[there.bus.process()]);
        let stopped = async {
            seen.begun.notified().await;
            let stopping = there.supervisor.shut_down();
            let mut routes = there.bus.changes_of_routes();
            while there.bus.process().reach.is_some() {
                tokio::select! {
                    _ = routes.changed() => {}
                    () = tokio::task::yield_now() => {}
                }
            }
            // It is refused, whether it was sent on the connection that there was or on a new one.
            let refused = here.bus.dispatch_with(Do::Reply(1), options()).await;
            assert!(matches!(refused, Err(DispatchError::Unavailable { .. })), "{refused:?}");
            seen.let_go.send_replace(true);
            assert_eq!(stopping.await, Outcome::Stopped);
        };
        let (done, ()) = tokio::join!(here.bus.dispatch_with(Do::Wait, options()), stopped);
        assert_eq!(done.unwrap().reply, "at last");
        assert_eq!(seen.count(), 1);
    });
}

/// LK-11: whoever has a message when his own link has ended for good is told at once.
#[test]
fn a_link_that_has_stopped_carries_nothing() {
    run(async {
        let ((there, _), here) = (Side::owning("there").await, Side::new().await);
        here.knows(&[there.bus.process()]);
        assert!(here.ask(Question::Who).await.is_ok());
        here.supervisor.shut_down().await;
        let late = here.ask(Question::Who).await;
        assert!(
            matches!(&late, Err(AskError::Unavailable { reason, .. }) if reason.contains("stops")),
            "{late:?}"
        );
    });
}

/// LK-06: a connection on which nothing is asked for long is closed, and made anew when it is needed.
#[test]
fn an_idle_connection_is_closed() {
    run(async {
        let (there, _) = Side::owning("there").await;
        let here = Side::with(settings(&[("idle_ms", json!(50))])).await;
        let wire = Wire::to(&there.bus.process()).await;
        here.knows(&[at(&there.bus.process(), &wire.address)]);
        while wire.made() < 2 {
            assert_eq!(here.ask(Question::Who).await.unwrap(), "there");
            tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        }
    });
}
