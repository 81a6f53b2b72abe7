//! Messages that arrive, and mean the same.

use std::sync::{Arc, Mutex, atomic::Ordering};

use futures_util::future::join_all;
use serde_json::json;
use umbel_bus::{
    AskError, Consistency, DispatchError, Done, Halt, Middleware, Outcome, Passage, Refusal, Returning,
    RouteSet,
};
use umbel_core::{CommandId, ExpectedVersion, Json, Position, Version};
use uuid::Uuid;

use super::world::*;

/// LK-01: a command and a query whose owner runs in another process are answered by it, under every name that the command has; one that
/// nobody is known to answer has no handler, as in one process.
#[test]
fn messages_reach_their_owner_in_another_process() {
    run(async {
        let ((there, seen), here) = (Side::owning("there").await, Side::new().await);
        let unknown = here.bus.dispatch(Do::Reply(1)).await.unwrap_err();
        assert_eq!(unknown, DispatchError::NoHandler { command: "test.do".into() });
        assert_eq!(here.ask(Question::Who).await, Err(AskError::NoHandler { query: "test.question" }));

        here.knows(&[there.bus.process()]);
        let done = here.bus.dispatch_with(Do::Reply(7), options()).await.unwrap();
        assert_eq!(
            (done.reply.as_str(), done.position, done.version),
            ("7", Some(Position::new(9)), Some(Version::new(2)))
        );
        assert_eq!(done.events.unwrap(), ["test.done"]);
        assert_eq!(here.ask(Question::Who).await.unwrap(), "there");

        let body = || Json::encode(&Do::Reply(8)).unwrap();
        for name in ["test.do", "test.did"] {
            let done = here.bus.dispatch_encoded(name, 1, body(), options()).await.unwrap();
            assert_eq!(done.reply.as_str(), "\"8\"", "{name}");
        }
        let who = here.bus.ask_encoded("test.question", Json::encode(&Question::Who).unwrap(), AMPLE).await;
        assert_eq!(who.unwrap().as_str(), "\"there\"");
        assert_eq!(seen.count(), 3);
    });
}

/// LK-03: the options of a dispatch mean to an owner in another process what they mean to one here.
#[test]
fn the_options_of_a_dispatch_travel() {
    run(async {
        let ((there, seen), here) = (Side::owning("there").await, Side::new().await);
        here.knows(&[there.bus.process()]);
        let id = |number| Uuid::from_u128(number);
        let all = options()
            .command_id(CommandId(id(1)))
            .correlation_id(id(2))
            .caused_by(id(3))
            .within(&["test.handler"])
            .metadata("who", json!({"name": "ada"}))
            .returning(Returning::All)
            .expecting(ExpectedVersion::Exact(Version::new(1)));
        for options in [options(), all] {
            here.bus.dispatch_with(Do::Reply(1), options.clone()).await.unwrap();
            let carried = seen.last();
            there.bus.dispatch_with(Do::Reply(1), options).await.unwrap();
            let local = seen.last();
            assert_eq!(carried.idempotent, local.idempotent);
            if local.idempotent {
                assert_eq!((carried.command_id, &carried.metadata), (local.command_id, &local.metadata));
                assert_eq!(carried.within, ["test.handler"]);
            } else {
                // An id of its own, and a conversation that it begins.
                assert_eq!(carried.metadata.correlation_id, Some(carried.command_id.0));
                assert_eq!(carried.within, [""; 0]);
            }
            assert_eq!((carried.returning, carried.expected), (local.returning, local.expected));
            // Its own clock may be behind the other one's, and never is ahead.
            assert!(carried.deadline <= local.deadline);
        }
    });
}

/// LK-04: what the owner says comes back as it is: rejections, and every kind of error.
#[test]
fn the_owners_own_errors_come_back() {
    run(async {
        let ((there, _), here) = (Side::owning("there").await, Side::new().await);
        here.knows(&[there.bus.process()]);
        let rejected = here.bus.dispatch_with(Do::Reject, options()).await;
        assert_eq!(rejected.unwrap_err(), DispatchError::Rejected("never".into()));
        for (down, expected) in
            [(true, AskError::unavailable("down")), (false, AskError::Failed { reason: "broken".into() })]
        {
            assert_eq!(here.ask(Question::Fail { down }).await, Err(expected));
        }
        let (expected, actual) = (ExpectedVersion::NoStream, Version::new(4));
        for error in [
            DispatchError::Conflict { attempts: 3 },
            DispatchError::Refused(Refusal::WrongVersion { expected, actual }),
            DispatchError::unavailable("the store is down"),
            DispatchError::Timeout { command: "test.do", outcome: Outcome::Unknown },
            DispatchError::Failed { reason: "damage".into() },
        ] {
            there.own("there", Some(error.clone())).await;
            here.knows(&[there.bus.process()]);
            assert_eq!(here.bus.dispatch_with(Do::Reply(1), options()).await.unwrap_err(), error);
        }
    });
}

/// LK-03: what shall be visible is waited for where the command is dispatched; what nobody there says, the app of the owner's process does.
#[test]
fn visibility_is_waited_for_where_it_is_dispatched() {
    run(async {
        let ((there, seen), here) = (Side::owning("there").await, Side::new().await);
        here.knows(&[there.bus.process()]);
        let named = Consistency::Named(vec!["test.never".into()]);
        let lags = |error| {
            let Err(DispatchError::NotYetVisible { position, waiting_for, reply }) = error else {
                panic!("it was not waited for: {error:?}")
            };
            assert_eq!((position, waiting_for), (Position::new(9), vec!["test.never".to_owned()]));
            assert_eq!(reply.decode::<String>().unwrap(), "1");
        };
        lags(here.bus.dispatch_with(Do::Reply(1), options().deadline(LATE).consistency(named.clone())).await);
        assert!(here.bus.dispatch_with(Do::Reply(1), options()).await.is_ok());
        there.bus.default_consistency(["test.do"], &named);
        lags(here.bus.dispatch_with(Do::Reply(1), options().deadline(LATE)).await);
        let eventual = options().consistency(Consistency::Eventual);
        assert!(here.bus.dispatch_with(Do::Reply(1), eventual).await.is_ok());
        assert_eq!(seen.count(), 4);
    });
}

/// LK-01: an owner here comes first, and while it is down it is waited for: nobody else is asked.
#[test]
fn an_owner_here_comes_first() {
    run(async {
        let ((there, seen), (here, ours)) = (Side::owning("there").await, Side::owning("here").await);
        here.knows(&[there.bus.process()]);
        assert_eq!(here.ask(Question::Who).await.unwrap(), "here");
        here.bus.dispatch_with(Do::Reply(1), options()).await.unwrap();
        // An owner that is gone and has not said so: its successor is waited for.
        let gone = actix::Actor::start(Gone);
        let routes = RouteSet::new("test/owner").answers_query::<Question>(gone.clone().recipient());
        here.bus.register(routes).await.unwrap();
        gone.send(Leave).await.unwrap();
        let waited = here.bus.ask_within(Question::Who, LATE).await;
        assert!(matches!(waited, Err(AskError::Unavailable { .. })), "{waited:?}");
        assert_eq!((ours.count(), seen.count(), seen.questions.load(Ordering::SeqCst)), (1, 0, 0));
    });
}

/// An owner that stops when it is told to.
struct Gone;
struct Leave;

impl actix::Message for Leave {
    type Result = ();
}

impl actix::Actor for Gone {
    type Context = actix::Context<Self>;
}

impl actix::Handler<Leave> for Gone {
    type Result = ();

    fn handle(&mut self, _: Leave, context: &mut Self::Context) {
        actix::ActorContext::stop(context);
    }
}

impl actix::Handler<umbel_bus::Envelope<umbel_bus::Ask<Question>>> for Gone {
    type Result = actix::MessageResult<umbel_bus::Envelope<umbel_bus::Ask<Question>>>;

    fn handle(
        &mut self,
        _: umbel_bus::Envelope<umbel_bus::Ask<Question>>,
        _: &mut Self::Context,
    ) -> Self::Result {
        actix::MessageResult(None)
    }
}

/// LK-06: many messages are in flight on one connection, and each gets its own answer.
#[test]
fn many_messages_share_a_connection() {
    run(async {
        let ((there, seen), here) = (Side::owning("there").await, Side::new().await);
        let wire = Wire::to(&there.bus.process()).await;
        here.knows(&[at(&there.bus.process(), &wire.address)]);
        let waiting = here.bus.dispatch_with(Do::Wait, options());
        let others = async {
            seen.begun.notified().await;
            let numbers = (0..500).map(|number| here.bus.dispatch_with(Do::Reply(number), options()));
            for (number, done) in join_all(numbers).await.into_iter().enumerate() {
                assert_eq!(done.unwrap().reply, number.to_string());
            }
            seen.let_go.send_replace(true);
        };
        let (first, ()) = tokio::join!(waiting, others);
        assert_eq!(first.unwrap().reply, "at last", "who is slow holds up nobody");
        assert_eq!(wire.made(), 1);
    });
}

/// Notes what it sees, and where.
struct Witness(&'static str, Arc<Mutex<Vec<String>>>);

impl Middleware for Witness {
    const NAME: &'static str = "witness";

    async fn before(&self, passage: &mut Passage) -> Result<(), Halt> {
        let command = passage.command::<Do>().map(|command| format!("{command:?}"));
        self.1.lock().unwrap().push(format!("{} before {}", self.0, command.unwrap()));
        Ok(())
    }

    fn after(&self, _: &Passage, done: &Done<'_>) {
        self.1.lock().unwrap().push(format!("{} after {}", self.0, done.reply::<Do>().unwrap()));
    }
}

/// LK-03: middleware stands around a command once: where it was dispatched, and for one that was dispatched by name alone, whose type only its
/// owner knows, there.
#[test]
fn middleware_stands_around_it_once() {
    run(async {
        let ((there, _), here) = (Side::owning("there").await, Side::new().await);
        here.knows(&[there.bus.process()]);
        let seen = Arc::<Mutex<Vec<String>>>::default();
        for (side, name) in [(&there, "there"), (&here, "here")] {
            side.bus.add_middleware(Witness(name, Arc::clone(&seen)));
        }
        here.bus.dispatch_with(Do::Reply(1), options()).await.unwrap();
        assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), ["here before Reply(1)", "here after 1"]);
        let body = Json::encode(&Do::Reply(2)).unwrap();
        here.bus.dispatch_encoded("test.do", 1, body, options()).await.unwrap();
        assert_eq!(*seen.lock().unwrap(), ["there before Reply(2)", "there after 2"]);
    });
}

/// LK-02: whoever knows no owner lets the store say once who else is there, before he says that there is none.
#[test]
fn an_owner_that_is_not_known_yet_is_looked_for() {
    run(async {
        let ((there, _), here) = (Side::owning("there").await, Side::new().await);
        let (bus, process) = (here.bus.clone(), there.bus.process());
        let mut wanted = bus.looks_wanted();
        let looked = Arc::<Mutex<u64>>::default();
        let count = Arc::clone(&looked);
        actix::spawn(async move {
            while wanted.changed().await.is_ok() {
                let look = *wanted.borrow_and_update();
                *count.lock().unwrap() += 1;
                bus.announce_processes(vec![process.clone()]);
                bus.announce_look(look);
            }
        });
        assert_eq!(here.ask(Question::Who).await.unwrap(), "there");
        assert_eq!(here.ask(Question::Who).await.unwrap(), "there");
        assert_eq!(*looked.lock().unwrap(), 1, "who is known is not looked for");
        // Nobody is found: that is said after one look, long before the deadline.
        let unknown = here.bus.ask_encoded("test.other", Json::encode(&()).unwrap(), AMPLE).await;
        assert_eq!(unknown, Err(AskError::NoHandler { query: "test.other" }));
        assert_eq!(*looked.lock().unwrap(), 2);
    });
}
