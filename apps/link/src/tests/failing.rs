//! What is known when no answer comes.

use std::{convert::Infallible, sync::atomic::Ordering, time::Duration};

use serde_json::json;
use tokio::net::TcpListener;
use umbel_bus::{AskError, DispatchError, Outcome};
use umbel_core::{CommandId, Json};
use uuid::Uuid;

use super::world::*;

const UNKNOWN: DispatchError<String> =
    DispatchError::Timeout { command: "test.do", outcome: Outcome::Unknown };

/// Why it was not available.
#[track_caller]
pub(super) fn reason<T: std::fmt::Debug>(answer: Result<T, DispatchError<String>>) -> String {
    match answer {
        Err(DispatchError::Unavailable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

/// LK-05: given a process that is gone or not to be reached, nothing was done: another one that answers the same is asked, and if there is
/// none, the caller may try again.
#[test]
fn who_cannot_be_reached_is_passed_over() {
    run(async {
        let ((there, _), (other, seen), here) =
            (Side::owning("there").await, Side::owning("other").await, Side::new().await);
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let free = nobody.local_addr().unwrap().to_string();
        drop(nobody);
        let gone = at(&there.bus.process(), &free);
        here.knows(std::slice::from_ref(&gone));
        let said = reason(here.bus.dispatch_with(Do::Reply(1), options()).await);
        assert!(said.contains("test.do") && said.contains(&free), "{said}");
        assert!(matches!(here.ask(Question::Who).await, Err(AskError::Unavailable { .. })));
        here.knows(&[gone, other.bus.process()]);
        for number in 0..4 {
            let done = here.bus.dispatch_with(Do::Reply(number), options()).await;
            assert_eq!(done.unwrap().reply, number.to_string());
        }
        assert_eq!(seen.count(), 4);
    });
}

/// LK-05: given a connection that dies when the message was sent, nobody knows whether a command was carried out; one with an id of its caller, and
/// a query, are tried at another process that answers them.
#[test]
fn what_was_sent_may_have_been_carried_out() {
    run(async {
        let ((there, seen), (other, spare), here) =
            (Side::owning("there").await, Side::owning("other").await, Side::new().await);
        let wire = Wire::to(&there.bus.process()).await;
        let wired = at(&there.bus.process(), &wire.address);
        here.knows(std::slice::from_ref(&wired));
        let cut = async || {
            seen.begun.notified().await;
            wire.cut();
        };
        let (lost, ()) = tokio::join!(here.bus.dispatch_with(Do::Wait, options()), cut());
        assert_eq!(lost.unwrap_err(), UNKNOWN);
        let id = || options().command_id(CommandId(Uuid::from_u128(1)));
        let (lost, ()) = tokio::join!(here.bus.dispatch_with(Do::Wait, id()), cut());
        assert_eq!(lost.unwrap_err(), UNKNOWN, "there is nobody else to ask");
        let (lost, ()) = tokio::join!(here.ask(Question::Wait), cut());
        assert!(matches!(lost, Err(AskError::Unavailable { .. })), "{lost:?}");

        // Both are asked in turns: until it was the first one's turn first.
        here.knows(&[wired, other.bus.process()]);
        spare.let_go.send_replace(true);
        let cutting = async || -> Infallible {
            loop {
                cut().await;
            }
        };
        for _ in 0..2 {
            let answer = tokio::select! {
                answer = here.ask(Question::Wait) => answer,
                never = cutting() => match never {},
            };
            assert_eq!(answer.unwrap(), "other");
            let done = tokio::select! {
                done = here.bus.dispatch_with(Do::Wait, id()) => done,
                never = cutting() => match never {},
            };
            assert_eq!(done.unwrap().reply, "at last");
        }
        assert!(spare.commands.lock().unwrap().iter().all(|(_, context)| context.idempotent));
        assert_eq!(spare.count(), 2);
        // Two commands and a question before; since then it had its turns.
        assert!(seen.count() + seen.questions.load(Ordering::SeqCst) > 3);
    });
}

/// LK-05: given an owner that takes longer than the caller waits, then its outcome is unknown; what an owner has not begun by its deadline it
/// does not begin.
#[test]
fn a_deadline_holds_on_both_sides() {
    run(async {
        let ((there, seen), here) = (Side::owning("there").await, Side::new().await);
        let wire = Wire::to(&there.bus.process()).await;
        here.knows(&[at(&there.bus.process(), &wire.address)]);
        let short = || options().deadline(LATE);
        assert_eq!(here.bus.dispatch_with(Do::Wait, short()).await.unwrap_err(), UNKNOWN);
        let late = here.bus.ask_within(Question::Wait, LATE).await;
        assert_eq!(late, Err(AskError::Timeout { query: "test.question" }));
        seen.let_go.send_replace(true);
        // On its way for longer than it may take: it comes too late, and is left alone.
        wire.hold(true);
        assert_eq!(here.bus.dispatch_with(Do::Reply(1), short()).await.unwrap_err(), UNKNOWN);
        wire.hold(false);
        let done = here.bus.dispatch_with(Do::Reply(2), options()).await.unwrap();
        assert_eq!(done.reply, "2");
        let begun: Vec<_> =
            seen.commands.lock().unwrap().iter().map(|(command, _)| command.clone()).collect();
        assert_eq!(begun, [Do::Wait, Do::Reply(2)]);
    });
}

/// LK-05: given a process that says nothing any more, not even that it is there, then its connection is given up and made anew.
#[test]
fn a_silent_process_is_given_up() {
    run(async {
        let (there, _) = Side::owning("there").await;
        let here = Side::with(settings(&[("connect_timeout_ms", json!(700))])).await;
        let wire = Wire::to(&there.bus.process()).await;
        here.knows(&[at(&there.bus.process(), &wire.address)]);
        assert_eq!(here.ask(Question::Who).await.unwrap(), "there");
        wire.hold(true);
        let late = here.bus.ask_within(Question::Who, LATE).await;
        assert_eq!(late, Err(AskError::Timeout { query: "test.question" }));
        // What is asked meanwhile is told when it is given up, long before its own deadline.
        let lost = here.ask(Question::Who).await;
        assert!(matches!(lost, Err(AskError::Unavailable { .. })), "{lost:?}");
        wire.hold(false);
        wire.cut();
        assert_eq!(here.ask(Question::Who).await.unwrap(), "there");
        assert!(wire.made() >= 2);
    });
}

/// LK-05: given a process that takes longer to greet than any caller waits, then it is connected once all the same, and not once for each of
/// them.
#[test]
fn a_connection_is_made_once_though_nobody_waits_for_it() {
    run(async {
        let ((there, _), here) = (Side::owning("there").await, Side::new().await);
        let wire = Wire::to(&there.bus.process()).await;
        here.knows(&[at(&there.bus.process(), &wire.address)]);
        wire.hold(true);
        for _ in 0..5 {
            let late = here.bus.ask_within(Question::Who, Duration::from_millis(50)).await;
            assert!(matches!(late, Err(AskError::Unavailable { .. })), "{late:?}");
        }
        wire.hold(false);
        assert_eq!(here.ask(Question::Who).await.unwrap(), "there");
        assert_eq!(wire.made(), 1);
    });
}

/// LK-07: given a process with another secret, one that says nothing, or another one than is meant, then nothing is sent to it.
#[test]
fn strangers_get_no_message() {
    run(async {
        let here = Side::with(settings(&[("connect_timeout_ms", json!(700))])).await;
        let other = Side::with(settings(&[("secret", json!("t".repeat(32)))])).await;
        let seen = other.own("other", None).await;
        here.knows(&[other.bus.process()]);
        let nobody = here.bus.dispatch_with(Do::Reply(1), options()).await.unwrap_err();
        assert_eq!(nobody, DispatchError::NoHandler { command: "test.do".into() });
        assert_eq!(seen.count(), 0);

        let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = mute.local_addr().unwrap().to_string();
        here.knows(&[at(&other.bus.process(), &address)]);
        let said = reason(here.bus.dispatch_with(Do::Reply(1), options()).await);
        assert!(said.contains("link.connect_timeout_ms"), "{said}");

        // An address at which another process of the same store listens by now.
        let (there, seen) = Side::owning("there").await;
        let reach = there.bus.process().reach.unwrap().address;
        here.knows(&[at(&other.bus.process(), &reach)]);
        let said = reason(here.bus.dispatch_with(Do::Reply(1), options()).await);
        assert!(said.contains("another process was looked for"), "{said}");
        assert_eq!(seen.count(), 0);
    });
}

/// LK-05: a process whose word is old and that does not answer this any more is passed over, too.
#[test]
fn who_does_not_answer_it_any_more_is_passed_over() {
    run(async {
        let ((there, seen), (other, spare), here) =
            (Side::owning("there").await, Side::owning("other").await, Side::new().await);
        let word = there.bus.process();
        there.bus.unregister("test/owner").await.unwrap();
        here.knows(std::slice::from_ref(&word));
        let nobody = here.bus.dispatch_with(Do::Reply(1), options()).await.unwrap_err();
        assert_eq!(nobody, DispatchError::NoHandler { command: "test.do".into() });
        assert_eq!(here.ask(Question::Who).await, Err(AskError::NoHandler { query: "test.question" }));
        here.knows(&[word, other.bus.process()]);
        for _ in 0..2 {
            assert_eq!(here.ask(Question::Who).await.unwrap(), "other");
            assert!(here.bus.dispatch_with(Do::Reply(1), options()).await.is_ok());
        }
        assert_eq!((seen.count(), spare.count(), spare.questions.load(Ordering::SeqCst)), (0, 2, 2));
        // What is no such message is told by the owner, and tried nowhere else.
        let wrong = Json::encode(&json!({"Reply": "x"})).unwrap();
        let undecodable = here.bus.dispatch_encoded("test.do", 1, wrong, options()).await.unwrap_err();
        assert_eq!(undecodable.code(), "undecodable");
    });
}

/// LK-01: given processes that know no such version of a command's shape, then nobody answers it, under whichever of its names it is asked for.
#[test]
fn a_shape_that_nobody_knows_is_answered_by_nobody() {
    run(async {
        let ((there, _), (other, _)) = (Side::owning("there").await, Side::owning("other").await);
        let here = Side::new().await;
        here.knows(&[there.bus.process(), other.bus.process()]);
        for name in ["test.do", "test.did"] {
            let answer =
                here.bus.dispatch_encoded(name, 9, Json::encode(&Do::Reply(1)).unwrap(), options()).await;
            assert_eq!(answer.unwrap_err(), DispatchError::NoHandler { command: name.into() });
        }
    });
}
