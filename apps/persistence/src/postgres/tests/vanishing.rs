//! Events that are removed between the two statements of a page: the one that reads them and the one that names their
//! streams.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::Client;
use umbel_core::{
    ExpectedVersion, Metadata, NewEvent, Position, Timestamp, Version,
    document::{Direction, DocumentKey},
    store::{Append, FindWork, ReadAll, ReadStream, Removal, Selector, StoreError},
};
use umbel_testkit::postgres::TestSchema;
use uuid::Uuid;

use super::{
    locks::{lock, until_waiting_for},
    support::{adapter, all_from, append, client, event, schema, stream, to},
    upkeep::{delete, link, one_more, perform},
};
use crate::{
    Extras, Log, ReadModels,
    postgres::{Postgres, PostgresOptions},
};

const EVENTS: u64 = 2000;
/// Far longer than anything here takes.
const SOON: Duration = Duration::from_secs(60);

/// Events of one conversation, by turns in the streams `gone-1` and `kept-1`.
async fn fill(adapter: &Postgres) {
    let conversation = Metadata { correlation_id: Some(Uuid::from_u128(7)), ..Metadata::default() };
    let one = |number| {
        let name = if number % 2 == 0 { "gone-1" } else { "kept-1" };
        let event = NewEvent { metadata: conversation.clone(), ..event(name) };
        Append::to_stream(stream(name), ExpectedVersion::Any, vec![event])
    };
    for outcome in adapter.append((0..EVENTS).map(one).collect(), Timestamp::from_micros(5)).await {
        outcome.unwrap();
    }
}

/// A transaction that has removed a stream and lets nobody look at the names of streams until it ends.
async fn removing(schema: &TestSchema, name: &str) -> Client {
    let holder = client(schema.url()).await;
    let remove = "BEGIN; LOCK TABLE {schema}.streams IN ACCESS EXCLUSIVE MODE;
        SELECT {schema}.remove_step(stream_id, 1, 1000000, 1000000) FROM {schema}.streams WHERE name = '{name}';
        SELECT {schema}.end_removal(stream_id, true) FROM {schema}.streams WHERE name = '{name}'";
    let remove = remove.replace("{schema}", schema.name()).replace("{name}", name);
    holder.batch_execute(&remove).await.unwrap();
    holder
}

/// Positions of the stream that stays, page by page, in the order read.
async fn read_all(adapter: &Postgres, direction: Direction, selector: &Selector) -> Vec<u64> {
    let (mut seen, mut from) = (Vec::new(), None);
    loop {
        let request = ReadAll { from, direction, limit: 300, selector: selector.clone() };
        let page = adapter.read_all(request).await.unwrap();
        let kept = page.events.iter().filter(|event| event.stream == stream("kept-1"));
        seen.extend(kept.map(|event| event.position.get()));
        let (at, end) = (page.scanned_to.get(), page.head.get());
        from = match direction {
            Direction::Forward if at < end => Some(Position::new(at + 1)),
            Direction::Backward if at > 1 => Some(Position::new(at - 1)),
            _ => return seen,
        };
    }
}

/// LD-05, RD-04: given a stream that is deleted for good while its events are read, when a reader goes on where its page
/// ended, then it has seen every event of the other stream, whatever it selects by and either way.
#[tokio::test]
async fn a_page_of_which_events_vanished_hides_no_others() {
    let all = Selector::all;
    let selectors = [
        all(),
        Selector::names(["test.happened"]),
        Selector::categories(["kept", "gone"]),
        Selector { correlation_id: Some(Uuid::from_u128(7)), ..all() },
        Selector { recorded_from: Some(Timestamp::from_micros(1)), ..all() },
    ];
    for selector in &selectors {
        for direction in [Direction::Forward, Direction::Backward] {
            let schema = schema();
            fill(&*adapter(&schema).await).await;
            // One that knows no names yet.
            let (reader, observer) = (adapter(&schema).await, client(schema.url()).await);
            let holder = removing(&schema, "gone-1").await;
            let meanwhile = async {
                until_waiting_for(&observer, &schema, "streams").await;
                holder.batch_execute("COMMIT").await.unwrap();
            };
            let (mut seen, ()) =
                timeout(SOON, async { tokio::join!(read_all(&reader, direction, selector), meanwhile) })
                    .await
                    .unwrap();
            if direction == Direction::Backward {
                seen.reverse();
            }
            let expected: Vec<u64> = (1..=EVENTS).filter(|position| position % 2 == 0).collect();
            assert_eq!(seen.len(), expected.len(), "{direction:?} {selector:?}");
            assert_eq!(seen, expected, "{direction:?} {selector:?}");
        }
    }
}

/// What is read of links by an adapter with one connection, while this happens between the look at them and that at the names of their
/// streams.
pub(super) async fn before_names<T>(
    schema: &TestSchema,
    reader: &Postgres,
    reading: impl Future<Output = T>,
    happens: impl Future<Output = ()>,
) -> T {
    let observer = client(schema.url()).await;
    let (documents, outbox) = (lock(schema, "documents").await, lock(schema, "outbox").await);
    // The one connection goes to whoever asked first: the first look at the stream, the documents, the second look,
    // the outbox, the names.
    let between_looks = reader.get_documents(vec![DocumentKey { collection: "test.items", key: "k".into() }]);
    let meanwhile = async {
        until_waiting_for(&observer, schema, "documents").await;
        let before_names = reader.find_work(FindWork { id: Uuid::from_u128(1) });
        let happening = async {
            documents.batch_execute("ROLLBACK").await.unwrap();
            until_waiting_for(&observer, schema, "outbox").await;
            happens.await;
            outbox.batch_execute("ROLLBACK").await.unwrap();
        };
        tokio::join!(before_names, happening).0.unwrap();
    };
    let all = async { tokio::join!(reading, between_looks, meanwhile) };
    timeout(SOON, all).await.unwrap().0
}

/// LD-05, LD-06: a page of links whose events vanished is read again: taken for the end of the stream, it would hide what
/// stands behind it.
#[tokio::test]
async fn a_page_of_links_that_vanished_is_not_the_end_of_its_stream() {
    let schema = schema();
    let writer = adapter(&schema).await;
    let mut ids = Vec::new();
    for name in ["gone-1", "gone-1", "kept-1"] {
        ids.push(one_more(&writer, name).await);
    }
    link(&writer, "list", ids).await.unwrap();
    let options = PostgresOptions { max_connections: 1, ..PostgresOptions::default() };
    let reader = Postgres::connect(schema.url(), schema.name(), options).await.unwrap();
    let (from, direction) = (Some(Version::new(1)), Direction::Forward);
    let reading = reader.read_stream(ReadStream { stream: stream("list"), from, direction, limit: 2 });
    let page = before_names(&schema, &reader, reading, async {
        perform(&writer, delete("gone-1", Removal::Hard)).await;
    })
    .await;
    let page = page.unwrap();
    assert_eq!((page.events.len(), page.version), (1, Version::new(3)));
    assert_eq!(page.events[0].stream, stream("kept-1"));
}

/// A stream that has no row although its events are there is damage, and is told as such.
#[tokio::test]
async fn an_event_without_a_stream_is_damage() {
    let schema = schema();
    append(&*adapter(&schema).await, to("a", ExpectedVersion::Any)).await.unwrap();
    let remove = format!("SET umbel.upkeep = 'on'; DELETE FROM {}.streams", schema.name());
    client(schema.url()).await.batch_execute(&remove).await.unwrap();
    let error = adapter(&schema).await.read_all(all_from(1, 10)).await.unwrap_err();
    let StoreError::Corrupt { reason } = &error else { panic!("{error}") };
    assert!(reason.contains("event 1: its stream has no row") && reason.contains("verify"), "{reason}");
}
