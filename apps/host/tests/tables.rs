//! Tables that a projection keeps of its own, on PostgreSQL: exactly once, built beside what readers get, and never half written.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use umbel_core::{
    Changes, EventId, Failing, Json, Metadata, Position, Projection, Query, RecordedEvent, Sql, Table,
    document::{Collection, DocumentKey},
    events,
    store::{
        Act, Generation, ListProjections, OpenProjection, OpenTables, Perform, Phase, QueryTables,
        RemoveRetired, TablesError,
    },
};
use umbel_host::{App, AskError, HostSettings, ReadModels};
use umbel_persistence::postgres::{Postgres, PostgresOptions};
use umbel_testkit::postgres::{TestPostgres, TestSchema};

use crate::{
    bank::{Balance, Deposited},
    world::*,
};

const LEDGER: &str = "bank.ledger";
const FIRST: &str = "bank.ledger/1";
const NEXT: &str = "bank.ledger/2";

/// The check of the second statement's table refuses it, after the first statement was carried out.
const REFUSED: i64 = 666;

events! { enum Money { Deposited(Deposited) } }

/// Every deposit in one table, sums in another, and a document beside them. Later versions count amounts so many times.
struct Ledger<const VERSION: u32>;

impl<const VERSION: u32> Projection for Ledger<VERSION> {
    const NAME: &'static str = LEDGER;
    const VERSION: u32 = VERSION;
    type Event = Money;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<Balance>()]
    }

    fn tables() -> Vec<Table> {
        vec![
            Table::new(
                "entries",
                "position bigint PRIMARY KEY, account text NOT NULL, at timestamptz NOT NULL",
            )
            .index("(account, position DESC)"),
            Table::new(
                "sums",
                "account text PRIMARY KEY, amount numeric NOT NULL CHECK (amount < 600), entries bigint NOT NULL",
            ),
        ]
    }

    fn project(event: Money, recorded: &RecordedEvent, changes: &mut Changes) {
        let Money::Deposited(Deposited { amount }) = event;
        let account = recorded.stream.id();
        changes.sql(
            Sql::new("INSERT INTO entries (position, account, at) VALUES ($1, $2, $3)")
                .bind(recorded.position)
                .bind(account)
                .bind(recorded.recorded_at),
        );
        changes.sql(
            Sql::new(
                "INSERT INTO sums AS old VALUES ($1, $2, 1) ON CONFLICT (account)
                 DO UPDATE SET amount = old.amount + excluded.amount, entries = old.entries + 1",
            )
            .bind(account)
            .bind(amount * i64::from(VERSION)),
        );
        changes.modify(account, move |old: Option<Balance>| {
            let old = old.unwrap_or(Balance { balance: 0, events: 0 });
            Some(Balance { balance: old.balance + amount, events: old.events + 1 })
        });
    }
}

/// The same, by a rule that passes over what the tables do not take.
struct Lenient;

impl Projection for Lenient {
    const NAME: &'static str = "bank.lenient";
    const FAILING: Failing = Failing::Skip;
    type Event = Money;

    fn collections() -> Vec<Collection> {
        Vec::new()
    }

    fn tables() -> Vec<Table> {
        Ledger::<1>::tables()
    }

    fn project(event: Money, recorded: &RecordedEvent, changes: &mut Changes) {
        let mut all = Changes::default();
        Ledger::<1>::project(event, recorded, &mut all);
        all.take_statements().into_iter().for_each(|statement| changes.sql(statement));
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sum {
    amount: i64,
    entries: u64,
    listed: u64,
}

#[derive(Debug, Serialize, Deserialize, Query)]
#[query(name = "bank.get_sum", answer = Option<Sum>)]
struct GetSum {
    account: String,
}

async fn get_sum<const VERSION: u32>(models: ReadModels, query: GetSum) -> Result<Option<Sum>, AskError> {
    let sum = Sql::new(
        "SELECT amount, entries, (SELECT count(*) FROM entries e WHERE e.account = s.account) AS listed
         FROM sums s WHERE account = $1",
    );
    Ok(models.rows::<Ledger<VERSION>, Sum>(sum.bind(query.account)).await?.pop())
}

/// Asks whatever it is told to.
#[derive(Debug, Serialize, Deserialize, Query)]
#[query(name = "bank.ask", answer = usize)]
struct Ask {
    sql: String,
}

async fn ask(models: ReadModels, query: Ask) -> Result<usize, AskError> {
    let rows = models.rows::<Ledger<1>, serde_json::Value>(Sql::new(query.sql)).await?;
    Ok(rows.len())
}

fn app<const VERSION: u32>() -> App {
    App::new("bank").projection::<Ledger<VERSION>>().query(get_sum::<VERSION>).query(ask)
}

async fn on_postgres() -> (Arc<Rigged>, TestSchema) {
    let schema = TestPostgres::get().unwrap().fresh_schema();
    let options = PostgresOptions { max_connections: 3, ..PostgresOptions::default() };
    let store = Postgres::connect(schema.url(), schema.name(), options).await.unwrap();
    (Arc::new(Rigged::over(Arc::new(store))), schema)
}

async fn start<const VERSION: u32>(store: &Arc<Rigged>) -> World {
    World::with(store, &[app::<VERSION>()], HostSettings { projection_batch: 3, ..settings() }).await
}

async fn sum(world: &World, account: &str) -> Option<Sum> {
    world.bus.ask(GetSum { account: account.into() }).await.unwrap()
}

fn counted(entries: u64, by: i64) -> Option<Sum> {
    Some(Sum { amount: i64::try_from(entries).unwrap() * by, entries, listed: entries })
}

async fn generations(world: &World) -> Vec<Generation> {
    let listed = ListProjections { projection: Some(LEDGER.into()) };
    world.bus.store().list_projections(listed).await.unwrap()
}

async fn phase_becomes(world: &World, checkpoint: &str, phase: Phase) {
    while world.phase(LEDGER, checkpoint).await != Some(phase) {
        pause().await;
    }
}

async fn held_up(world: &World) -> String {
    let mut stand = world.bus.progress().pop().unwrap().stand;
    stand.held_up.wait_for(Option::is_some).await.unwrap().clone().unwrap()
}

/// PJ-01: rows, documents and checkpoint are one transaction, so that two nodes, lost answers and restarts leave each event's
/// effect there once.
#[test]
fn rows_are_there_once_whatever_happens() {
    run(async {
        let (store, _schema) = on_postgres().await;
        let (here, there) = (start::<1>(&store).await, start::<1>(&store).await);
        for _ in 0..10 {
            store.lose_saves(1);
            here.deposit_behind_its_back("ada", 1).await;
            there.deposit_behind_its_back("ada", 1).await;
        }
        here.passed(LEDGER, Position::new(20)).await;
        assert_eq!(sum(&here, "ada").await, counted(20, 1));
        here.stop().await;
        there.stop().await;
        let again = start::<1>(&store).await;
        again.deposit_behind_its_back("ada", 1).await;
        again.passed(LEDGER, Position::new(21)).await;
        assert_eq!(sum(&again, "ada").await, counted(21, 1));
    });
}

/// PJ-02: given an event whose second statement is refused, then its first one, its document and its checkpoint are not there either; what
/// comes before it is; and what holds the projection up names it, the event and the statement.
#[test]
fn an_event_is_written_whole_or_not_at_all() {
    run(async {
        let (store, _schema) = on_postgres().await;
        let writer = World::with(&store, &[], settings()).await;
        for amount in [1, 1, 1, 1, REFUSED, 1] {
            writer.deposit_behind_its_back("ada", amount).await;
        }
        let world = start::<1>(&store).await;
        world.passed(LEDGER, Position::new(4)).await;
        let why = held_up(&world).await;
        for part in ["position 5", FIRST, "INSERT INTO sums", "sums_amount_check", "23514"] {
            assert!(why.contains(part), "{why} does not tell of {part}");
        }
        assert_eq!(sum(&world, "ada").await, counted(4, 1));
        let at = world.bus.store().load_checkpoint(FIRST).await.unwrap();
        assert_eq!(at, Position::new(4));
        let key = DocumentKey { collection: "bank.balances", key: "ada".into() };
        let balance = world.bus.store().get_documents(vec![key]).await.unwrap().pop().flatten().unwrap();
        assert_eq!(balance.decode::<Balance>().unwrap(), Balance { balance: 4, events: 4 });
    });
}

/// PJ-02: given a projection that skips what it cannot project, then nothing of such an event is there, and everything around it is.
#[test]
fn an_event_that_is_skipped_leaves_nothing_behind() {
    run(async {
        let (store, _schema) = on_postgres().await;
        let app = App::new("bank").projection::<Lenient>();
        let world = World::with(&store, &[app], settings()).await;
        for amount in [1, 1, REFUSED, 1, REFUSED] {
            world.deposit_behind_its_back("ada", amount).await;
        }
        world.passed(Lenient::NAME, Position::new(5)).await;
        let query = Sql::new(
            "SELECT sums.*, (SELECT array_agg(position ORDER BY 1) FROM entries) AS listed FROM sums",
        );
        let request = QueryTables { projection: Lenient::NAME.into(), query };
        let rows = world.bus.store().query_tables(request).await.unwrap();
        let rows: Vec<_> = rows.iter().map(Json::as_str).collect();
        assert_eq!(rows, [r#"{"account":"ada","amount":3,"entries":3,"listed":[1,2,4]}"#]);
        world.stop().await;
    });
}

/// UX-09: given a new version of the rule, its tables are built beside those that readers get, change hands with the documents, and the
/// old ones are dropped; a rebuild on demand makes them from what the generation was declared with.
#[test]
fn readers_get_the_old_tables_until_the_new_ones_have_caught_up() {
    run(async {
        let (store, schema) = on_postgres().await;
        let old = start::<1>(&store).await;
        for _ in 0..10 {
            old.deposit_behind_its_back("ada", 1).await;
        }
        old.passed(LEDGER, Position::new(10)).await;
        store.hold_switches(true);
        let new = start::<2>(&store).await;
        while new.bus.store().load_checkpoint(NEXT).await.unwrap() < Position::new(10) {
            pause().await;
        }
        assert_eq!((sum(&new, "ada").await, sum(&old, "ada").await), (counted(10, 1), counted(10, 1)));
        let schemas: Vec<_> = generations(&new).await.into_iter().map(|one| one.tables_in.unwrap()).collect();
        let named = |checkpoint| format!("{}.{checkpoint}", schema.name());
        assert_eq!(schemas, [named(FIRST), named(NEXT)]);

        store.hold_switches(false);
        new.serves(LEDGER, NEXT).await;
        assert_eq!((sum(&new, "ada").await, sum(&old, "ada").await), (counted(10, 2), counted(10, 2)));
        phase_becomes(&new, FIRST, Phase::Removed).await;
        assert_eq!(schemas_left(&new, &schema).await, [named(NEXT)]);
        old.stop().await;

        let act = Act::RebuildProjection { projection: LEDGER.into() };
        let id = EventId(umbel_bus::edge::fresh_id());
        new.bus.store().perform(Perform { id, act, metadata: Metadata::default() }).await.unwrap();
        new.serves(LEDGER, "bank.ledger/2/2").await;
        assert_eq!(sum(&new, "ada").await, counted(10, 2));
        phase_becomes(&new, NEXT, Phase::Removed).await;
        assert_eq!(schemas_left(&new, &schema).await, [named("bank.ledger/2/2")]);
    });
}

/// PJ-08: given a projection with tables that is dropped, then they are gone with it.
#[test]
fn tables_are_dropped_with_their_projection() {
    run(async {
        let (store, schema) = on_postgres().await;
        let world = start::<1>(&store).await;
        world.deposit_behind_its_back("ada", 1).await;
        world.passed(LEDGER, Position::new(1)).await;
        assert_eq!(schemas_left(&world, &schema).await.len(), 1);
        world.stop().await;
        let world = World::with(&store, &[], settings()).await;
        let act = Act::DropProjection { projection: LEDGER.into() };
        let id = EventId(umbel_bus::edge::fresh_id());
        world.bus.store().perform(Perform { id, act, metadata: Metadata::default() }).await.unwrap();
        let retired = RemoveRetired { projection: LEDGER.into() };
        while world.bus.store().remove_retired(retired.clone()).await.unwrap() {}
        assert!(
            generations(&world)
                .await
                .iter()
                .all(|one| one.phase == Phase::Removed && one.tables_in.is_none())
        );
        world.stop().await;
        let world = start::<1>(&store).await;
        world.passed(LEDGER, Position::new(1)).await;
        assert_eq!(sum(&world, "ada").await, counted(1, 1), "anew");
        assert_eq!(schemas_left(&world, &schema).await, [format!("{}.bank.ledger/1/2", schema.name())]);
        world.stop().await;
    });
}

/// The schemas of tables that there are.
async fn schemas_left(world: &World, schema: &TestSchema) -> Vec<String> {
    let query = Sql::new("SELECT nspname FROM pg_namespace WHERE nspname LIKE $1 ORDER BY 1");
    let query = query.bind(format!("{}.%", schema.name()));
    let rows =
        world.bus.store().query_tables(QueryTables { projection: LEDGER.into(), query }).await.unwrap();
    let name = |row: &Json| row.decode::<BTreeMap<String, String>>().unwrap().into_values().next().unwrap();
    rows.iter().map(name).collect()
}

/// PJ-06: a query over tables can read those of its projection, and nothing else; what is wrong with it is said by name.
#[test]
fn a_query_reads_the_projections_tables_and_changes_nothing() {
    run(async {
        let (store, schema) = on_postgres().await;
        let world = start::<1>(&store).await;
        world.deposit_behind_its_back("ada", 1).await;
        world.passed(LEDGER, Position::new(1)).await;
        let ask = async |sql: &str| world.bus.ask(Ask { sql: sql.into() }).await;
        assert_eq!(ask("SELECT * FROM entries").await, Ok(1));
        assert_eq!(ask("SELECT * FROM generate_series(1, 1000)").await, Ok(1000));
        let log = format!("SELECT * FROM {}.events", schema.name());
        for (sql, what) in [
            ("SELECT * FROM generate_series(1, 1001)", "give it a LIMIT"),
            ("DELETE FROM entries", "does not begin with SELECT"),
            ("WITH gone AS (DELETE FROM entries RETURNING 1) SELECT * FROM gone", "SQLSTATE"),
            ("SELECT 1) AS a; DROP TABLE entries", "not one statement"),
            ("SELECT * FROM events", "relation \"events\" does not exist"),
            ("SELEC", "SELECT, WITH or VALUES"),
            (&log, "holds the log"),
        ] {
            let refused = ask(sql).await.unwrap_err().to_string();
            assert!(refused.contains(what) && refused.contains(LEDGER), "{sql}: {refused}");
        }
        assert_eq!(sum(&world, "ada").await, counted(1, 1));
    });
}

/// PJ-07: given a projection with tables over a store that keeps documents only, then it does not start, and says what it needs.
#[test]
fn other_stores_say_that_tables_need_postgresql() {
    run(async {
        let world = World::with(&Arc::default(), &[], settings()).await;
        let opening = OpenProjection {
            projection: LEDGER.into(),
            version: 1,
            collections: Vec::new(),
            indexes: Vec::new(),
            inline: Vec::new(),
        };
        let request = OpenTables { opening, tables: Vec::new() };
        let refused = world.bus.store().open_tables(request).await.unwrap_err();
        assert!(matches!(refused, TablesError::Unsupported { .. }), "{refused}");
        assert!(refused.to_string().contains("needs PostgreSQL"), "{refused}");
        assert_eq!(generations(&world).await, []);
    });
}
