//! How much may be in flight, and how large it may be.

use std::sync::atomic::Ordering;

use serde_json::json;
use umbel_bus::DispatchError;

use super::{failing::reason, world::*};

/// Why it failed.
#[track_caller]
fn failure<T: std::fmt::Debug>(answer: Result<T, DispatchError<String>>) -> String {
    match answer {
        Err(DispatchError::Failed { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

/// LK-06: given as many messages in flight as may be, then further ones are refused at once, by whichever side has the lesser bound.
#[test]
fn more_than_may_be_in_flight_is_refused_at_once() {
    run(async {
        let few = || settings(&[("requests_max", json!(2))]);
        for (ours, theirs) in [(few(), settings(&[])), (settings(&[]), few())] {
            let (here, there) = (Side::with(ours).await, Side::with(theirs).await);
            let seen = there.own("there", None).await;
            here.knows(&[there.bus.process()]);
            let waiting = || here.bus.dispatch_with(Do::Wait, options());
            let refused = async {
                seen.begun.notified().await;
                while seen.count() < 2 {
                    tokio::task::yield_now().await;
                }
                let said = reason(here.bus.dispatch_with(Do::Reply(1), options()).await);
                assert!(said.contains("link.requests_max"), "{said}");
                seen.let_go.send_replace(true);
            };
            let (one, two, ()) = tokio::join!(waiting(), waiting(), refused);
            assert!(one.is_ok() && two.is_ok());
            assert!(here.bus.dispatch_with(Do::Reply(1), options()).await.is_ok(), "there is room again");
        }
    });
}

/// LK-19: given as many bytes in flight as may be, then further ones are refused at once, by whichever side has the lesser bound.
#[test]
fn more_bytes_than_may_be_in_flight_are_refused_at_once() {
    run(async {
        let few = || settings(&[("frame_max_bytes", json!(4096)), ("in_flight_max_bytes", json!(4096))]);
        let many = || settings(&[("frame_max_bytes", json!(4096))]);
        for (ours, theirs) in [(few(), many()), (many(), few())] {
            let (here, there) = (Side::with(ours).await, Side::with(theirs).await);
            let seen = there.own("there", None).await;
            here.knows(&[there.bus.process()]);
            let waiting = |length| here.bus.dispatch_with(Do::WaitWith("x".repeat(length)), options());
            let refused = async {
                seen.begun.notified().await;
                let large = Do::Carry("x".repeat(2000));
                let said = reason(here.bus.dispatch_with(large, options()).await);
                assert!(said.contains("link.in_flight_max_bytes"), "{said}");
                seen.let_go.send_replace(true);
            };
            let (one, ()) = tokio::join!(waiting(2000), refused);
            assert!(one.is_ok());
            let again = here.bus.dispatch_with(Do::Carry("x".repeat(2000)), options()).await;
            assert_eq!(again.unwrap().reply, "2000", "there is room again");
        }
    });
}

/// LK-06, LK-19: given a message or an answer that is larger than both processes take, then it fails for that reason, and nothing else does:
/// the connection stays. What became of the command is said as it is.
#[test]
fn what_is_too_large_fails_alone() {
    run(async {
        let small = || settings(&[("frame_max_bytes", json!(4096))]);
        for (ours, theirs) in [(settings(&[]), small()), (small(), settings(&[]))] {
            let (here, there) = (Side::with(ours).await, Side::with(theirs).await);
            let seen = there.own("there", None).await;
            let wire = Wire::to(&there.bus.process()).await;
            here.knows(&[at(&there.bus.process(), &wire.address)]);
            let beside = async {
                seen.begun.notified().await;
                for (command, became) in [
                    (Do::ReplyLong(5000), "it was carried out"),
                    (Do::RejectLong(5000), "it was rejected and nothing was stored"),
                    (Do::Carry("x".repeat(5000)), "test.do cannot leave the process"),
                    (Do::Carry("x".repeat(2 << 20)), "test.do cannot leave the process"),
                ] {
                    let said = failure(here.bus.dispatch_with(command, options()).await);
                    assert!(said.starts_with(became) && said.contains("link.frame_max_bytes"), "{said}");
                }
                let fits = here.bus.dispatch_with(Do::Carry("x".repeat(2000)), options()).await;
                assert_eq!(fits.unwrap().reply, "2000");
                seen.let_go.send_replace(true);
            };
            let (waited, ()) = tokio::join!(here.bus.dispatch_with(Do::Wait, options()), beside);
            assert_eq!(waited.unwrap().reply, "at last");
            assert_eq!((seen.count(), wire.made.load(Ordering::SeqCst)), (4, 1));
        }
    });
}

/// LK-19: given several processes that answer the same, then a message that is too large for one goes to another that takes it.
#[test]
fn what_is_too_large_for_one_goes_to_another() {
    run(async {
        let small = Side::with(settings(&[("frame_max_bytes", json!(4096))])).await;
        let (seen, (there, _), here) =
            (small.own("small", None).await, Side::owning("there").await, Side::new().await);
        here.knows(&[small.bus.process(), there.bus.process()]);
        for _ in 0..2 {
            let done = here.bus.dispatch_with(Do::Carry("x".repeat(5000)), options()).await;
            assert_eq!(done.unwrap().reply, "5000");
        }
        assert_eq!(seen.count(), 0);
    });
}
