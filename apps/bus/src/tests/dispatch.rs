//! What travels with a command, and what a dispatch waits for.

mod encoded;
mod middleware;

use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;
use umbel_core::{Command, CommandId, EventName, Position, Query, store::StoreError};
use uuid::Uuid;

use super::*;
use crate::{
    AskError, Consistency, Dispatch, DispatchContext, DispatchError, DispatchOptions, Dispatched, Outcome,
};

/// Pretends to write an event named "test.happened" at this position.
#[derive(Debug, Serialize, Deserialize, Command)]
#[command(name = "test.write", reply = String, rejection = String)]
struct Write(Option<u64>);

#[derive(Debug, Serialize, Deserialize, Query)]
#[query(name = "test.question", answer = ())]
struct Question;

#[derive(Clone, Default)]
struct Scribe {
    contexts: Arc<Mutex<Vec<DispatchContext>>>,
    /// Whether to say which events were written; for a repeated command nobody knows.
    forgetful: bool,
}

impl Actor for Scribe {
    type Context = Context<Self>;
}

impl Handler<Envelope<Dispatch<Write>>> for Scribe {
    type Result = Answered<Dispatch<Write>>;

    fn handle(&mut self, envelope: Envelope<Dispatch<Write>>, _: &mut Self::Context) -> Self::Result {
        let Dispatch { command: Write(position), context } = envelope.open()?;
        self.contexts.lock().unwrap().push(context);
        let events = (!self.forgetful).then(|| vec![EventName::known("test.happened")]);
        let position = position.map(Position::new);
        Some(Ok(Dispatched { position, events, ..Dispatched::reply_only("done".to_owned()) }))
    }
}

impl Scribe {
    async fn on(bus: &Bus) -> Self {
        Self::default().registered(bus).await
    }

    async fn registered(self, bus: &Bus) -> Self {
        let routes = RouteSet::new("test/scribe").carries_out::<Write>(self.clone().start().recipient());
        bus.register(routes).await.unwrap();
        self
    }

    fn last(&self) -> DispatchContext {
        self.contexts.lock().unwrap().last().unwrap().clone()
    }
}

/// A projection that is wherever the test says.
async fn projection(
    bus: &Bus,
    name: &'static str,
    events: &'static [&'static str],
) -> watch::Sender<Position> {
    let (reached, position) = watch::channel(Position::START);
    let routes = RouteSet::new(format!("test/{name}"));
    bus.register(routes.projects(name, events, position, watch::channel(None).1)).await.unwrap();
    reached
}

fn strong() -> DispatchOptions {
    DispatchOptions::default().strong()
}

/// Starts a dispatch and gives it time to return too early.
async fn dispatching(
    bus: &Bus,
    options: DispatchOptions,
) -> tokio::task::JoinHandle<Result<Dispatched<String>, DispatchError<String>>> {
    let bus = bus.clone();
    let task = actix::spawn(async move { bus.dispatch_with(Write(Some(9)), options).await });
    others_run().await;
    task
}

/// An owner that answers when it is told to.
struct Sloth(watch::Receiver<bool>);

impl Actor for Sloth {
    type Context = Context<Self>;
}

impl Handler<Envelope<Dispatch<Write>>> for Sloth {
    type Result = actix::ResponseFuture<Answered<Dispatch<Write>>>;

    fn handle(&mut self, envelope: Envelope<Dispatch<Write>>, _: &mut Self::Context) -> Self::Result {
        let (opened, mut awake) = (envelope.open(), self.0.clone());
        Box::pin(async move {
            opened?;
            drop(awake.wait_for(|awake| *awake).await);
            Some(Ok(Dispatched::reply_only("done".to_owned())))
        })
    }
}

/// CM-06: given an owner that takes longer than the default deadline, then a dispatch that says nothing gets a timeout which says that
/// something may be stored; one with a longer deadline, or with none, waits for its answer, and one with a shorter does not wait so long.
#[test]
fn a_dispatch_waits_as_long_as_it_says_or_else_the_settings() {
    run(async {
        let default = Duration::from_millis(200);
        let (bus, _supervisor) =
            bus_with(BusSettings { default_deadline_ms: 200, ..BusSettings::default() }).await;
        let (wake, awake) = watch::channel(false);
        let owner = RouteSet::new("test/sloth").carries_out::<Write>(Sloth(awake).start().recipient());
        bus.register(owner).await.unwrap();
        let late = DispatchError::Timeout { command: "test.write", outcome: Outcome::Unknown };

        let longer = dispatching(&bus, DispatchOptions::default().deadline(AMPLE)).await;
        let unlimited = dispatching(&bus, DispatchOptions::default().deadline(Duration::MAX)).await;
        let begun = Instant::now();
        assert_eq!(bus.dispatch(Write(None)).await, Err(late.clone()));
        assert!(begun.elapsed() >= default);
        let shorter = DispatchOptions::default().deadline(Duration::from_millis(1));
        assert_eq!(bus.dispatch_with(Write(None), shorter).await, Err(late));
        others_run().await;
        assert!(!longer.is_finished() && !unlimited.is_finished());
        wake.send_replace(true);
        for waited in [longer, unlimited] {
            assert_eq!(waited.await.unwrap().unwrap().reply, "done");
        }
    });
}

/// CM-07: given no ids, the command begins a conversation and is its events' cause.
#[test]
fn a_command_without_a_context_begins_one() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let scribe = Scribe::on(&bus).await;
        bus.dispatch(Write(None)).await.unwrap();
        let context = scribe.last();
        assert!(!context.idempotent);
        assert_eq!(context.metadata.correlation_id, Some(context.command_id.0));
        assert_eq!(context.metadata.causation_id, Some(context.command_id.0));
        assert!(context.metadata.custom.is_empty());
        bus.dispatch(Write(None)).await.unwrap();
        assert_ne!(scribe.last().command_id, context.command_id);
        // There is no way to say that there is no cause; an id that is nil is what the caller wants it to be.
        bus.dispatch_with(Write(None), DispatchOptions::default().caused_by(Uuid::nil())).await.unwrap();
        assert_eq!(scribe.last().metadata.causation_id, Some(Uuid::nil()));
    });
}

/// CM-07, CM-08: what the caller gives is what travels.
#[test]
fn ids_and_metadata_of_the_caller_travel_with_the_command() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let scribe = Scribe::on(&bus).await;
        let [command, correlation, cause] = [1, 2, 3].map(Uuid::from_u128);
        let options = DispatchOptions::default()
            .command_id(CommandId(command))
            .correlation_id(correlation)
            .caused_by(cause)
            .metadata("who", "ada")
            .metadata("n", 1);
        bus.dispatch_with(Write(None), options).await.unwrap();
        let context = scribe.last();
        assert_eq!((context.command_id, context.idempotent), (CommandId(command), true));
        assert_eq!(context.metadata.correlation_id, Some(correlation));
        assert_eq!(context.metadata.causation_id, Some(cause));
        assert_eq!(json!(context.metadata.custom), json!({"who": "ada", "n": 1}));
    });
}

/// CM-02: an unregistered command is an error value; so is a query.
#[test]
fn nobody_owns_it() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let dispatched = bus.dispatch(Write(None)).await;
        assert_eq!(dispatched, Err(DispatchError::NoHandler { command: "test.write".into() }));
        let error = bus.ask(Question).await.unwrap_err();
        assert_eq!(error, AskError::NoHandler { query: "test.question" });
        assert!(error.to_string().contains("is its app running?"));
        let store = bus.store().status().await;
        assert!(matches!(store, Err(StoreError::Unavailable { .. })), "{store:?}");
    });
}

/// SC-01: given strong consistency, the call returns when the projection has passed.
#[test]
fn strong_waits_for_every_projection_that_listens() {
    run(async {
        let (bus, _supervisor) = bus().await;
        Scribe::on(&bus).await;
        let list = projection(&bus, "test.list", &["test.other", "test.happened"]).await;
        let count = projection(&bus, "test.count", &["test.happened"]).await;
        let _deaf = projection(&bus, "test.deaf", &["test.other"]).await;
        let task = dispatching(&bus, strong()).await;
        list.send_replace(Position::new(9));
        others_run().await;
        assert!(!task.is_finished(), "one projection has not passed");
        count.send_replace(Position::new(8));
        others_run().await;
        assert!(!task.is_finished(), "it is one short");
        count.send_replace(Position::new(10));
        assert_eq!(task.await.unwrap().unwrap().position, Some(Position::new(9)));
    });
}

#[test]
fn strong_waits_for_all_when_the_events_are_not_known() {
    run(async {
        let (bus, _supervisor) = bus().await;
        Scribe { forgetful: true, ..Scribe::default() }.registered(&bus).await;
        let deaf = projection(&bus, "test.deaf", &["test.other"]).await;
        let task = dispatching(&bus, strong()).await;
        assert!(!task.is_finished());
        deaf.send_replace(Position::new(9));
        task.await.unwrap().unwrap();
    });
}

/// SC-05: given a list, only those are awaited.
#[test]
fn named_waits_for_these_and_no_others() {
    run(async {
        let (bus, _supervisor) = bus().await;
        Scribe::on(&bus).await;
        let _list = projection(&bus, "test.list", &["test.happened"]).await;
        let deaf = projection(&bus, "test.deaf", &["test.other"]).await;
        let named = Consistency::Named(vec!["test.deaf".into()]);
        let task = dispatching(&bus, DispatchOptions::default().consistency(named)).await;
        assert!(!task.is_finished());
        deaf.send_replace(Position::new(9));
        task.await.unwrap().unwrap();
    });
}

#[test]
fn a_projection_that_does_not_run_here_has_not_seen_it() {
    run(async {
        let (bus, _supervisor) = bus().await;
        Scribe::on(&bus).await;
        let named = Consistency::Named(vec!["test.elsewhere".into()]);
        let options = DispatchOptions::default().consistency(named).deadline(LATE);
        let late = bus.dispatch_with(Write(Some(9)), options).await;
        assert!(
            matches!(&late, Err(DispatchError::NotYetVisible { waiting_for, .. }) if *waiting_for == ["test.elsewhere"]),
            "{late:?}"
        );
    });
}

/// SC-02: given it is too slow, the error says that it is stored, where, and what the reply was.
#[test]
fn too_slow_a_projection_is_named_and_the_reply_is_kept() {
    run(async {
        let (bus, _supervisor) = bus().await;
        Scribe::on(&bus).await;
        let passed = projection(&bus, "test.passed", &["test.happened"]).await;
        passed.send_replace(Position::new(9));
        let _slow = projection(&bus, "test.slow", &["test.happened"]).await;
        let late = bus.dispatch_with(Write(Some(9)), strong().deadline(LATE)).await.unwrap_err();
        let DispatchError::NotYetVisible { position, waiting_for, reply } = late else { panic!("{late:?}") };
        assert_eq!((position, waiting_for), (Position::new(9), vec!["test.slow".to_owned()]));
        assert_eq!(reply.decode::<String>().unwrap(), "done");
    });
}

/// SC-03: given nothing was written, the call returns at once.
#[test]
fn nothing_written_means_nothing_to_wait_for() {
    run(async {
        let (bus, _supervisor) = bus().await;
        Scribe::on(&bus).await;
        let _stuck = projection(&bus, "test.list", &["test.happened"]).await;
        bus.dispatch_with(Write(None), strong()).await.unwrap();
    });
}

#[test]
fn a_projection_that_restarts_is_waited_for() {
    run(async {
        let (bus, _supervisor) = bus().await;
        Scribe::on(&bus).await;
        let first = projection(&bus, "test.list", &["test.happened"]).await;
        let task = dispatching(&bus, strong()).await;
        drop(first);
        others_run().await;
        assert!(!task.is_finished(), "it is down, which says nothing about what it has seen");
        let second = projection(&bus, "test.list", &["test.happened"]).await;
        second.send_replace(Position::new(9));
        task.await.unwrap().unwrap();
    });
}

#[test]
fn store_errors_become_what_the_caller_can_do() {
    let reason = || "x".to_owned();
    let unknown = DispatchError::<()>::from_store("c", &StoreError::OutcomeUnknown { reason: reason() });
    assert_eq!(unknown, DispatchError::Timeout { command: "c", outcome: Outcome::Unknown });
    for error in [StoreError::Unavailable { reason: reason() }, StoreError::Overloaded { waiting: 1 }] {
        assert!(matches!(DispatchError::<()>::from_store("c", &error), DispatchError::Unavailable { .. }));
    }
    for error in [StoreError::Corrupt { reason: reason() }, StoreError::Failed { reason: reason() }] {
        assert!(matches!(DispatchError::<()>::from_store("c", &error), DispatchError::Failed { .. }));
    }
}

/// SC-04: a dispatch within a handler does not wait for that handler, named or not; whoever carries it out knows, and does not
/// either.
#[test]
fn a_dispatch_within_a_handler_does_not_wait_for_it() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let scribe = Scribe::on(&bus).await;
        let _waits = projection(&bus, "test.waits", &["test.happened"]).await;
        let named = Consistency::Named(vec!["test.waits".into()]);
        for options in [strong(), DispatchOptions::default().consistency(named)] {
            let options = options.within(&["test.waits"]);
            bus.dispatch_with(Write(Some(9)), options).await.unwrap();
            assert_eq!(scribe.last().within, ["test.waits"]);
        }
    });
}
