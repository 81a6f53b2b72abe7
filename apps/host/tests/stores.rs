//! What aggregates and projections promise, on every store there is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use umbel_bus::DispatchOptions;
use umbel_core::{
    Aggregate, Changes, Command, CommandId, Context, Decide, Decision, Document, Event, Projection, Query,
    RecordedEvent, Version,
    document::{Collection, Direction},
    events,
    store::ReadStream,
};
use umbel_host::{App, AskError, DispatchError, HostSettings, Outcome, ReadModels, state_at};
use umbel_persistence::{
    postgres::{Postgres, PostgresOptions},
    sqlite::Sqlite,
};
use umbel_testkit::postgres::TestPostgres;
use uuid::Uuid;

use crate::{
    bank::{self, Account, Misbehave, No, PanicIn, deposit, withdraw},
    event_handlers::perform,
    world::*,
};

/// Runs a test once over each store, with a fresh one.
pub(crate) fn on_every_store(test: impl AsyncFn(Arc<Rigged>)) {
    run(test(Arc::default()));
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&directory.path().join("umbel.db")).unwrap();
        test(Arc::new(Rigged::over(Arc::new(store)))).await;
    });
    let schema = TestPostgres::get().unwrap().fresh_schema();
    run(async {
        let options = PostgresOptions { max_connections: 2, ..PostgresOptions::default() };
        let store = Postgres::connect(schema.url(), schema.name(), options).await.unwrap();
        test(Arc::new(Rigged::over(Arc::new(store)))).await;
    });
}

/// MA-01: given another writer's events, when a command is decided on a state that they have outdated, it is decided again
/// on fresh state; given that writer never rests, it is given up after the allowed attempts, and nothing is stored.
#[test]
fn a_conflict_is_decided_again_on_fresh_state_a_bounded_number_of_times() {
    on_every_store(async |store| {
        let host = HostSettings { conflict_retries: 3, ..settings() };
        let world = World::with(&store, &[bank::app()], host).await;
        assert_eq!(world.bus.dispatch(deposit("contested", 1)).await.unwrap().reply, 1);
        world.deposit_behind_its_back("contested", 10).await;
        assert_eq!(world.bus.dispatch(deposit("contested", 1)).await.unwrap().reply, 12);
        world.deposit_behind_its_back("contested", 10).await;
        // On the state that it remembers this would be refused.
        assert_eq!(world.bus.dispatch(withdraw("contested", 22)).await.unwrap().reply, 0);

        store.intrude(3);
        assert_eq!(world.bus.dispatch(deposit("contested", 10)).await.unwrap().reply, 13, "three are borne");
        store.intrude(4);
        let outcome = world.bus.dispatch(deposit("contested", 10)).await;
        assert_eq!(outcome, Err(DispatchError::Conflict { attempts: 4 }));
        assert_eq!(world.history("contested").await.len(), 5 + 4 + 4);
        assert_eq!(world.bus.dispatch(withdraw("contested", 17)).await.unwrap().reply, 0);
        world.stop().await;
    });
}

/// Given a live aggregate whose stream was removed for good and begun anew by others, then it does not go on with the state of the one
/// before: where the stream is longer than it was, what was decided is decided again on what is there; where it is as long, a no is.
#[test]
fn a_stream_that_was_begun_anew_is_another_one() {
    on_every_store(async |store| {
        let world = World::over(&store).await;
        for (account, foreign, expected) in
            [("longer", &[5, 6, 7, 8][..], 1026), ("as-long", &[5, 6, 7], 1018)]
        {
            for amount in [1, 10, 100] {
                world.bus.dispatch(deposit(account, amount)).await.unwrap();
            }
            let act = umbel_core::store::Act::DeleteStream {
                stream: umbel_core::StreamName::of("account", account).unwrap(),
                expected: umbel_core::ExpectedVersion::Any,
                removal: umbel_core::store::Removal::Hard,
            };
            perform(&world, act).await;
            for amount in foreign {
                world.deposit_behind_its_back(account, *amount).await;
            }
            if account == "as-long" {
                let no = world.bus.dispatch(withdraw(account, 1000)).await;
                assert_eq!(no, Err(DispatchError::Rejected(No::Insufficient { balance: 18 })));
            }
            assert_eq!(world.bus.dispatch(deposit(account, 1000)).await.unwrap().reply, expected);
        }
        world.stop().await;
    });
}

/// MA-03: given a stream, the state at any of its versions is told, and the live aggregate goes on where it was.
#[test]
fn a_past_state_is_told_and_the_live_one_is_not_touched() {
    on_every_store(async |store| {
        let world = World::over(&store).await;
        for amount in [1, 10, 100] {
            world.bus.dispatch(deposit("ada", amount)).await.unwrap();
        }
        for (at, balance) in [(0, 0), (1, 1), (2, 11), (3, 111), (9, 111)] {
            let at = Some(Version::new(at));
            assert_eq!(state_at::<Account>(&world.bus.store(), "ada", at).await.unwrap().0.balance, balance);
        }
        assert_eq!(world.bus.dispatch(deposit("ada", 1000)).await.unwrap().reply, 1111);
        world.stop().await;
    });
}

/// MA-04: given a command nobody owns, one that is rejected, or code that panics anywhere in a command, then its caller
/// gets an error value, nothing is stored, and the aggregate lives.
#[test]
fn whatever_is_wrong_with_a_command_the_aggregate_lives() {
    on_every_store(async |store| {
        let world = World::over(&store).await;
        world.bus.dispatch(deposit("ada", 5)).await.unwrap();
        let taken = bank::Rename { account: "other".into(), name: "the one that is taken".into() };
        world.bus.dispatch(taken).await.unwrap();
        let lives = async || {
            assert_eq!(world.bus.dispatch(deposit("ada", 0)).await.unwrap().reply, 5);
            assert_eq!(world.history("ada").await.len(), 1);
        };

        let unknown = world.bus.dispatch(Mark { tally: "ada".into(), numbers: vec![1] }).await;
        assert_eq!(unknown, Err(DispatchError::NoHandler { command: "tally.mark".into() }));
        lives().await;
        let rejected = world.bus.dispatch(withdraw("ada", 6)).await;
        assert_eq!(rejected, Err(DispatchError::Rejected(No::Insufficient { balance: 5 })));
        lives().await;
        for how in [PanicIn::Decide, PanicIn::Claimed, PanicIn::Identify] {
            let panicked = world.bus.dispatch(Misbehave { account: "ada".into(), how }).await;
            assert!(matches!(&panicked, Err(DispatchError::Failed { .. })), "{how:?}: {panicked:?}");
            lives().await;
        }
        assert_eq!(world.bus.dispatch(withdraw("ada", 5)).await.unwrap().reply, 0);
        let tree = world.supervisor.tree().snapshot();
        assert_eq!(tree.find("bank/account").unwrap().restarts, 0);
        world.stop().await;
    });
}

/// MA-05: given commands with several events each, then the events are stored side by side, applied and projected in their
/// order, each once: in memory, after a restart, and when the same command is sent again because its answer was lost.
#[test]
fn several_events_are_applied_and_projected_in_order_and_once() {
    on_every_store(async |store| {
        let world = World::with(&store, &[tally()], settings()).await;
        let strong = || DispatchOptions::default().strong();
        let done = world.bus.dispatch_with(mark(&[3, 1, 2]), strong()).await.unwrap();
        assert_eq!(done.reply, [3, 1, 2]);
        assert_eq!(sheet(&world).await, [3, 1, 2]);
        world.bus.dispatch_with(mark(&[2, 2]), strong()).await.unwrap();
        assert_eq!(sheet(&world).await, [3, 1, 2, 2, 2]);

        store.faults.lose_answers(1);
        let again = || strong().command_id(CommandId(Uuid::from_u128(1)));
        let unknown = world.bus.dispatch_with(mark(&[9, 8]), again()).await;
        let lost = DispatchError::Timeout { command: "tally.mark", outcome: Outcome::Unknown };
        assert_eq!(unknown, Err(lost));
        let settled = world.bus.dispatch_with(mark(&[9, 8]), again()).await.unwrap();
        assert_eq!((settled.reply, settled.repeated), (vec![3, 1, 2, 2, 2, 9, 8], true));

        let all = [3, 1, 2, 2, 2, 9, 8, 7];
        assert_eq!(world.bus.dispatch_with(mark(&[7]), strong()).await.unwrap().reply, all);
        assert_eq!(sheet(&world).await, all);
        world.stop().await;
        let world = World::with(&store, &[tally()], settings()).await;
        assert_eq!(world.bus.dispatch_with(mark(&[]), strong()).await.unwrap().reply, all);
        world.passed("tally.sheets", world.head().await).await;
        assert_eq!(sheet(&world).await, all);

        let stream = umbel_core::StreamName::of("tally", "t").unwrap();
        let request = ReadStream { stream, from: None, direction: Direction::Forward, limit: 100 };
        let stored = world.bus.store().read_stream(request).await.unwrap().events;
        for (place, (event, marked)) in (1..).zip(stored.iter().zip(all)) {
            assert_eq!((event.version.get(), event.position.get()), (place, place));
            let TallyEvent::Marked(Marked { number }) = event.decode().unwrap().one().unwrap();
            assert_eq!(number, marked);
        }
        let command = |at: usize| stored[at].metadata.causation_id;
        assert!(command(0).is_some() && command(0) == command(2) && command(2) != command(3));
        assert_eq!(stored.len(), all.len());
        world.stop().await;
    });
}

/// A list of numbers, of which the order tells.
fn tally() -> App {
    App::new("tally").aggregate::<Tally>().projection::<Sheets>().query(get_sheet)
}

fn mark(numbers: &[u32]) -> Mark {
    Mark { tally: "t".into(), numbers: numbers.to_vec() }
}

async fn sheet(world: &World) -> Vec<u32> {
    world.bus.ask(GetSheet { tally: "t".into() }).await.unwrap()
}

async fn get_sheet(models: ReadModels, query: GetSheet) -> Result<Vec<u32>, AskError> {
    Ok(models.get::<Sheet>(query.tally).await?.unwrap_or_default().numbers)
}

#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "tally.mark", reply = Vec<u32>, rejection = No)]
struct Mark {
    tally: String,
    numbers: Vec<u32>,
}

#[derive(Clone, Debug, Serialize, Deserialize, Query)]
#[query(name = "tally.sheet", answer = Vec<u32>)]
struct GetSheet {
    tally: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "tally.marked")]
struct Marked {
    number: u32,
}

events! {
    enum TallyEvent { Marked(Marked) }
}

#[derive(Default)]
struct Tally(Vec<u32>);

#[derive(Default, Serialize, Deserialize, Document)]
#[document(collection = "tally.sheets")]
struct Sheet {
    numbers: Vec<u32>,
}

struct Sheets;

impl Aggregate for Tally {
    const CATEGORY: &'static str = "tally";
    type Event = TallyEvent;
    type Commands = (Mark,);

    fn evolve(mut self, TallyEvent::Marked(Marked { number }): &TallyEvent) -> Self {
        self.0.push(*number);
        self
    }
}

impl Decide<Mark> for Tally {
    fn identify(command: &Mark) -> String {
        command.tally.clone()
    }

    fn decide(&self, command: &Mark, _: &Context<'_>) -> Result<Decision<TallyEvent, Vec<u32>>, No> {
        let events = command.numbers.iter().map(|number| Marked { number: *number }.into()).collect();
        Ok(Decision::new(events, [&*self.0, &*command.numbers].concat()))
    }
}

impl Projection for Sheets {
    const NAME: &'static str = "tally.sheets";
    type Event = TallyEvent;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<Sheet>()]
    }

    fn project(
        TallyEvent::Marked(Marked { number }): TallyEvent,
        recorded: &RecordedEvent,
        changes: &mut Changes,
    ) {
        changes.modify(recorded.stream.id(), move |old: Option<Sheet>| {
            let mut sheet = old.unwrap_or_default();
            sheet.numbers.push(number);
            Some(sheet)
        });
    }
}
