//! Tables of projections: what their statements may say, which values they take, and when the tables go.

use umbel_core::{
    Json, Position, Sql, Timestamp,
    store::{
        Generation, ListProjections, OpenProjection, OpenTables, QueryTables, SaveProjection,
        SaveProjectionError, SaveTables, StoreError, TablesError,
    },
};
use umbel_testkit::postgres::{Pooler, TestSchema};

use super::support::{adapter, client, schema};
use crate::{
    ReadModels,
    postgres::{Postgres, PostgresOptions, admin},
};

const NAME: &str = "test.things";
const CHECKPOINT: &str = "test.things/1";
const THINGS: &str = r#"CREATE TABLE "things" (n bigint PRIMARY KEY, at timestamptz, price numeric, tags text[],
    raw bytea, facts jsonb, flag boolean, share double precision, id uuid)"#;

async fn open(adapter: &Postgres, tables: &[&str]) -> Result<Vec<Generation>, TablesError> {
    let opening = OpenProjection {
        projection: NAME.into(),
        version: 1,
        collections: Vec::new(),
        indexes: Vec::new(),
        inline: Vec::new(),
    };
    let tables = tables.iter().map(|&table| table.to_owned()).collect();
    adapter.open_tables(OpenTables { opening, tables }).await
}

async fn save(
    adapter: &Postgres,
    (expected, position): (u64, u64),
    statements: Vec<Sql>,
) -> Result<(), SaveProjectionError> {
    let save = SaveProjection {
        projection: CHECKPOINT.into(),
        expected: Position::new(expected),
        position: Position::new(position),
        clear: Vec::new(),
        writes: Vec::new(),
    };
    adapter.save_tables(SaveTables { save, statements }).await
}

async fn rows(adapter: &Postgres, query: Sql) -> Vec<String> {
    let rows = adapter.query_tables(QueryTables { projection: NAME.into(), query }).await.unwrap();
    rows.iter().map(|row| row.as_str().to_owned()).collect()
}

fn thing(n: i64) -> Sql {
    Sql::new("INSERT INTO things (n) VALUES ($1)").bind(n)
}

/// Values are what their columns want them to be, with a pooler between and without; many statements are applied in order.
#[tokio::test]
async fn values_take_the_types_of_their_places() {
    let direct = schema();
    let pooled = Pooler::get().unwrap().fresh_schema();
    let options = PostgresOptions { pooler: true, max_connections: 2, ..PostgresOptions::default() };
    let through = Postgres::connect(pooled.url(), pooled.name(), options).await.unwrap();
    for adapter in [&*adapter(&direct).await, &through] {
        open(adapter, &[THINGS]).await.unwrap();
        let all = Sql::new("INSERT INTO things VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
            .bind(1)
            .bind(Timestamp::from_micros(1_500_000))
            .bind("12.340")
            .bind(vec!["a,b".to_owned(), "say \\ \"x\"".to_owned()])
            .bind(vec![0_u8, 255])
            .bind(Json::parse(r#"{"a": 1}"#).unwrap())
            .bind(true)
            .bind(0.5)
            .bind(uuid::Uuid::from_u128(7));
        save(adapter, (0, 1), vec![all]).await.unwrap();
        let expected =
            r#"{"n":1,"at":"1970-01-01T00:00:01.5+00:00","price":12.340,"tags":["a,b","say \\ \"x\""],"#
                .to_owned()
                + r#""raw":"\\x00ff","facts":{"a": 1},"flag":true,"share":0.5,"id":"00000000-0000-0000-0000-000000000007"}"#;
        assert_eq!(rows(adapter, Sql::new("SELECT * FROM things")).await, [expected]);

        let counts =
            (0..150).map(|n| Sql::new("UPDATE things SET n = n * 2 % 1000003 + $1").bind(n)).collect();
        save(adapter, (1, 2), counts).await.unwrap();
        let n = (0..150_i64).fold(1, |n, by| n * 2 % 1_000_003 + by);
        let found = Sql::new("SELECT n FROM things WHERE n = ANY ($1) AND at < $2 AND tags @> ARRAY[$3]");
        let found = found.bind(vec![n, 0]).bind(Timestamp::from_micros(2_000_000)).bind("a,b");
        assert_eq!(rows(adapter, found).await, [format!(r#"{{"n":{n}}}"#)]);
        save(adapter, (2, 3), vec![Sql::new("UPDATE things SET at = $1").bind(None::<i64>)]).await.unwrap();
        assert_eq!(rows(adapter, Sql::new("SELECT at FROM things")).await, [r#"{"at":null}"#]);
    }
}

/// PJ-01: whoever comes late with rows learns where the checkpoint stands, and has written none.
#[tokio::test]
async fn of_two_that_write_the_same_rows_one_does() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    open(&adapter, &[THINGS]).await.unwrap();
    save(&adapter, (0, 4), vec![thing(1)]).await.unwrap();
    let late = save(&adapter, (0, 4), vec![thing(2)]).await;
    assert_eq!(late, Err(SaveProjectionError::CheckpointMoved { actual: Position::new(4) }));
    assert_eq!(rows(&adapter, Sql::new("SELECT n FROM things")).await, [r#"{"n":1}"#]);
}

/// PJ-06: a statement that is not about the projection's own tables is refused before anything of its transaction is there.
#[tokio::test]
async fn statements_leave_everything_else_alone() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    let log = schema.name();
    let refused = open(&adapter, &[&format!("CREATE TABLE a (n bigint REFERENCES {log}.events)")]).await;
    assert!(refused.unwrap_err().to_string().contains("holds the log"));
    let wrong = open(&adapter, &["CREATE TABLE a (n bigintt)"]).await.unwrap_err().to_string();
    assert!(wrong.contains(NAME) && wrong.contains("bigintt") && wrong.contains("42704"), "{wrong}");
    let listed = ListProjections { projection: None };
    assert_eq!(
        adapter.list_projections(listed).await,
        Ok(Vec::new()),
        "a generation without its tables is none"
    );

    open(&adapter, &[THINGS]).await.unwrap();
    for sql in [
        format!("DELETE FROM {log}.checkpoints"),
        format!("DELETE FROM \"{log}\" . events"),
        "DELETE FROM checkpoints".to_owned(),
        "COMMIT".to_owned(),
        "INSERT INTO things VALUES (1); COMMIT".to_owned(),
    ] {
        let refused = save(&adapter, (0, 1), vec![thing(1), Sql::new(sql.clone())]).await.unwrap_err();
        let SaveProjectionError::Tables(refused) = refused else { panic!("{sql}: {refused}") };
        assert!(refused.is_of_statement() && refused.to_string().contains(CHECKPOINT), "{refused}");
        assert_eq!(rows(&adapter, Sql::new("SELECT n FROM things")).await, [""; 0]);
        assert_eq!(adapter.load_checkpoint(CHECKPOINT.into()).await, Ok(Position::START));
    }
}

/// Who declares other tables under the same version is told to raise it, and so is who writes to tables that there are not.
#[tokio::test]
async fn other_tables_need_another_version() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    let opening = OpenProjection {
        projection: NAME.into(),
        version: 1,
        collections: Vec::new(),
        indexes: Vec::new(),
        inline: Vec::new(),
    };
    adapter.open_projection(opening).await.unwrap();
    let changed = TablesError::Changed { checkpoint: CHECKPOINT.into() };
    assert_eq!(open(&adapter, &[THINGS]).await, Err(changed.clone()));
    assert_eq!(save(&adapter, (0, 1), vec![thing(1)]).await, Err(SaveProjectionError::Tables(changed)));
    let request = QueryTables { projection: NAME.into(), query: Sql::new("SELECT 1") };
    let none = TablesError::NotServing { projection: NAME.into() };
    assert_eq!(adapter.query_tables(request).await, Err(none));
}

/// A row that somebody holds costs a save its statement's time, and no more: it is tried again, and is no event's fault.
#[tokio::test]
async fn a_lock_is_waited_for_as_long_as_a_statement_may_take() {
    let schema = schema();
    let options = PostgresOptions {
        statement_timeout: std::time::Duration::from_secs(1),
        max_connections: 2,
        ..PostgresOptions::default()
    };
    let adapter = Postgres::connect(schema.url(), schema.name(), options).await.unwrap();
    open(&adapter, &[THINGS]).await.unwrap();
    let holder = client(schema.url()).await;
    let lock = format!("BEGIN; LOCK TABLE \"{}.{CHECKPOINT}\".things", schema.name());
    holder.batch_execute(&lock).await.unwrap();
    let held = save(&adapter, (0, 1), vec![thing(1)]).await;
    assert!(matches!(held, Err(SaveProjectionError::Store(StoreError::Unavailable { .. }))), "{held:?}");
    holder.batch_execute("ROLLBACK").await.unwrap();
    save(&adapter, (0, 1), vec![thing(1)]).await.unwrap();
}

/// OP-01: a store is removed with the tables of its projections, unless somebody has made something of them.
#[tokio::test]
async fn a_store_goes_with_its_tables() {
    let schema = schema();
    open(&*adapter(&schema).await, &[THINGS]).await.unwrap();
    let client = client(schema.url()).await;
    let (name, options) = (schema.name(), PostgresOptions::default());
    let view = format!(
        "CREATE SCHEMA {name}_reports CREATE VIEW all_things AS SELECT * FROM \"{name}.{CHECKPOINT}\".things"
    );
    client.batch_execute(&view).await.unwrap();
    let refused = admin::drop_store(schema.url(), name, &options).await.unwrap_err().to_string();
    assert!(refused.contains("all_things") && refused.contains("untouched"), "{refused}");
    client.batch_execute(&format!("DROP SCHEMA {name}_reports CASCADE")).await.unwrap();
    assert!(admin::drop_store(schema.url(), name, &options).await.unwrap());
    assert_eq!(left(&client, &schema).await, 0);
}

async fn left(client: &tokio_postgres::Client, schema: &TestSchema) -> i64 {
    let sql = "SELECT count(*) FROM pg_namespace WHERE nspname = $1 OR nspname LIKE $1 || '.%'";
    client.query_one(sql, &[&schema.name()]).await.unwrap().get(0)
}
