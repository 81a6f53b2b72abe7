//! The floors write what they are given, all of it durable and none of it where data lives, and leave nothing.

use umbel_core::{EventId, ExpectedVersion, Json, Metadata, Position, StreamName, Timestamp, store::Append};
use umbel_testkit::postgres::TestPostgres;
use uuid::Uuid;

use super::*;
use crate::settings::StoreSettings;

fn row(version: i64) -> Row {
    let event = NewEvent {
        id: EventId(Uuid::from_u64_pair(0, version.unsigned_abs())),
        event_type: "test.happened/1".parse().unwrap(),
        data: Json::parse("{}").unwrap().into(),
        subject: None,
        tags: umbel_core::Tags::none(),
        metadata: Metadata::default().with("by", "ada"),
    };
    Row { stream_id: 1, version, event }
}

/// Rows of several callers at once; then one of them again, which the unique indexes must refuse.
async fn fill(floor: &Floor) {
    let appends = (0..20).map(|caller| floor.append(vec![row(2 * caller + 1), row(2 * caller + 2)]));
    futures_util::future::try_join_all(appends).await.unwrap();
    assert!(floor.append(vec![row(7)]).await.is_err(), "a version twice in one stream");
    floor.append(vec![row(41)]).await.unwrap();
}

/// Two streams of two events each, and what stepping through them meets.
async fn scan(scratch: &Scratch) {
    let store = crate::open(scratch.settings()).await.unwrap();
    let append = |name: &str, first: i64| {
        let events = [first, first + 1].map(|version| row(version).event).into();
        Append::to_stream(StreamName::new(name).unwrap(), ExpectedVersion::Any, events)
    };
    let group = vec![append("a-1", 101), append("b-1", 103)];
    let appended = store.append(group, Timestamp::from_micros(1)).await;
    assert!(appended.iter().all(Result::is_ok), "{appended:?}");
    let scan = Scan::open(scratch).await.unwrap().expect("a durable store has statements");
    let count = async |rows| scan.read(rows, None).await.unwrap();
    let all = count(Rows::To(Position::MAX)).await;
    assert_eq!(all.rows, 4);
    // Each has an id of 16 bytes at least.
    assert!(all.bytes > 4 * 16, "{all:?}");
    let one = count(Rows::Stream(StreamName::new("b-1").unwrap())).await;
    assert_eq!((one.rows, one.bytes), (2, all.bytes / 2));
    assert_eq!(count(Rows::Stream(StreamName::new("c-1").unwrap())).await, Scanned::default());
    let at = [2, 3, 9].map(Position::new);
    assert_eq!(count(Rows::At(Arc::new(at))).await.rows, 2);
    let is_object: Decode = |data| data.starts_with(b"{");
    assert_eq!(
        scan.read(Rows::To(Position::MAX), Some(is_object)).await.unwrap(),
        Scanned { decoded: 4, ..all }
    );
}

#[test]
fn on_sqlite() {
    actix::System::new().block_on(async {
        let home = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", home.path().join("umbel.db").display());
        let scratch =
            Scratch::beside(&StoreSettings { url, ..StoreSettings::default() }, "f", "me").await.unwrap();
        let floors = Floors::open(&scratch).await.unwrap();
        assert!(floors.single_row.is_none());
        fill(floors.group_commit.as_ref().unwrap()).await;
        let StoreUrl::Sqlite(file) = scratch.address() else { unreachable!() };
        let floor = rusqlite::Connection::open(file.with_file_name("floor.db")).unwrap();
        let count = |table: &str| -> i64 {
            floor.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        };
        assert_eq!((count("floor_group_commit"), count("events")), (41, 0));
        assert!(!home.path().join("umbel.db").exists());
        drop(floors);
        scan(&scratch).await;
        scratch.remove().await.unwrap();
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    });
}

#[test]
fn on_postgres() {
    actix::System::new().block_on(async {
    let server = TestPostgres::get().unwrap().fresh_schema();
    let token = server.name().trim_start_matches("test_");
    let settings = StoreSettings { url: server.url().to_owned(), ..StoreSettings::default() };
    let scratch = Scratch::beside(&settings, token, "me, it's true").await.unwrap();
    let schema = scratch.settings().schema.clone();
    assert_eq!(schema, format!("umbel_bench_{token}"));
    let found = async || {
        let all = Scratch::all_beside(&settings).await.unwrap();
        all.into_iter().find(|one| one.name == schema)
    };
    let it = found().await.unwrap();
    assert_eq!(it.owner.as_deref(), Some("me, it's true"));
    assert!(it.how_to_remove().contains(&format!("DROP SCHEMA {schema} CASCADE")));
    crate::open(scratch.settings()).await.map(drop).unwrap();
    let floors = Floors::open(&scratch).await.unwrap();
    fill(floors.group_commit.as_ref().unwrap()).await;
    fill(floors.single_row.as_ref().unwrap()).await;

    let (client, connection) = tokio_postgres::connect(server.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    for table in ["floor_group_commit", "floor_single_row"] {
        let rows = client.query_one(&format!("SELECT count(*) FROM {schema}.{table}"), &[]).await.unwrap();
        assert_eq!(rows.get::<_, i64>(0), 41, "{table}");
    }
    // The bar is set by the same three unique indexes as the log has.
    let indexes = client
        .query_one(
            "SELECT count(*) FILTER (WHERE tablename = 'floor_group_commit'),
                 count(*) FILTER (WHERE tablename = 'floor_single_row'), count(*) FILTER (WHERE tablename = 'events')
             FROM pg_indexes WHERE schemaname = $1 AND indexdef LIKE 'CREATE UNIQUE%'",
            &[&schema],
        )
        .await
        .unwrap();
    assert_eq!([0, 1, 2].map(|column| indexes.get::<_, i64>(column)), [3, 3, 3]);
    drop(floors);
    scan(&scratch).await;
    scratch.remove().await.unwrap();
    let left = client.query_one("SELECT to_regnamespace($1) IS NULL", &[&schema]).await.unwrap();
    assert!(left.get::<_, bool>(0), "{schema} is dropped");
    assert_eq!(found().await, None);
    it.remove().await.unwrap();
    });
}

/// Where no database answers, nothing is made, and so nothing is there to be removed.
#[tokio::test]
async fn nowhere_nothing_is_made() {
    let url = "postgres://nobody@127.0.0.1:1/nowhere".to_owned();
    let settings = StoreSettings { url, ..StoreSettings::default() };
    let error = Scratch::beside(&settings, "f", "me").await.unwrap_err();
    let error = error.downcast_ref::<StoreError>();
    assert!(matches!(error, Some(StoreError::Unavailable { .. })), "{error:?}");
}

#[test]
fn in_memory_there_is_none() {
    actix::System::new().block_on(async {
        let settings = StoreSettings { url: "memory:".into(), ..StoreSettings::default() };
        let scratch = Scratch::beside(&settings, "f", "me").await.unwrap();
        let floors = Floors::open(&scratch).await.unwrap();
        assert!(Scan::open(&scratch).await.unwrap().is_none());
        assert!(floors.group_commit.is_none() && floors.single_row.is_none());
    });
}
