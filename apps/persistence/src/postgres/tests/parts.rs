//! Pages whose first events are handed over while the server sends the others.

use std::sync::Arc;

use umbel_core::{
    ExpectedVersion, Json, NewEvent, Timestamp,
    document::Direction,
    store::{Append, Parts, ReadStream, Removal},
};
use umbel_testkit::postgres::CuttingProxy;

use super::{
    support::{adapter, all_from, event, schema, stream},
    upkeep::{delete, link, perform},
    vanishing::before_names,
};
use crate::{
    Log,
    conformance::parts::Taken,
    postgres::{Postgres, PostgresOptions},
};

/// Events of one stream, each of so many bytes.
async fn fill(adapter: &Postgres, name: &str, count: usize, bytes: usize) -> Vec<NewEvent> {
    let data = Json::encode(&"x".repeat(bytes)).unwrap();
    let one = |_| NewEvent { data: data.clone().into(), ..event(name) };
    let events: Vec<_> = (0..count).map(one).collect();
    let append = Append::to_stream(stream(name), ExpectedVersion::Any, events.clone());
    adapter.append(vec![append], Timestamp::from_micros(5)).await.remove(0).unwrap();
    events
}

/// RD-04: given names that are known, most of a page is handed over before it is whole: of the log as of a stream.
#[tokio::test]
async fn most_of_a_page_is_handed_over() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    fill(&adapter, "a", 1000, 10).await;
    adapter.read_all(all_from(1, 1)).await.unwrap();
    let taken = Taken::default();
    let page = adapter.read_all_in_parts(all_from(1, 1000), taken.parts()).await.unwrap();
    assert!(taken.len() >= 800, "{} and {}", taken.len(), page.events.len());
    assert_eq!(taken.len() + page.events.len(), 1000);
    let taken = Taken::default();
    let request = ReadStream { stream: stream("a"), from: None, direction: Direction::Forward, limit: 1000 };
    let page = adapter.read_stream_in_parts(request, taken.parts()).await.unwrap();
    assert!(taken.len() >= 800, "{} and {}", taken.len(), page.events.len());
    assert_eq!(taken.len() + page.events.len(), 1000);
}

/// OP-06, RD-04: given a connection that is lost in the midst of a page, when something of it was handed over, then the page ends
/// behind that, and whoever goes on there misses nothing and gets nothing twice.
#[tokio::test]
async fn a_page_whose_connection_is_lost_ends_behind_what_was_handed_over() {
    const EVENTS: usize = 4000;
    let schema = schema();
    let proxy = Arc::new(CuttingProxy::start(schema.url()).unwrap());
    let options = PostgresOptions { listen: false, page_max_bytes: 1 << 30, ..PostgresOptions::default() };
    let adapter = Postgres::connect(proxy.url(), schema.name(), options).await.unwrap();
    // More than is on its way at once between a server and its client.
    fill(&adapter, "a", EVENTS, 8000).await;
    adapter.read_all(all_from(1, 1)).await.unwrap();
    let (taken, cutter) = (Taken::default(), Arc::clone(&proxy));
    let (whole, cut) = (taken.parts(), std::sync::Once::new());
    let parts = Parts::new(move |events| {
        whole.hand_over(events);
        cut.call_once(|| cutter.cut());
    });
    let page = adapter.read_all_in_parts(all_from(1, 4000), parts).await.unwrap();
    assert!(!proxy.is_about_to_cut(), "the answer was not cut off");
    let mut seen: Vec<_> = taken.and(page.events).iter().map(|event| event.position.get()).collect();
    assert!(seen.len() < EVENTS, "all had come");
    assert_eq!(seen.last(), Some(&page.scanned_to.get()));
    let rest = adapter.read_all(all_from(page.scanned_to.get() + 1, 4000)).await.unwrap();
    seen.extend(rest.events.iter().map(|event| event.position.get()));
    assert!(seen.into_iter().eq(1..=4000));
}

/// LD-05, LD-06: given links of which the first are handed over, when others vanish before their names are known, then the page is
/// read again behind what was handed over: each link that is left comes once.
#[tokio::test]
async fn what_was_handed_over_does_not_come_again_with_what_vanished() {
    let schema = schema();
    let writer = adapter(&schema).await;
    let mut ids = Vec::new();
    for (name, count) in [("kept", 300), ("gone", 2), ("kept", 1)] {
        ids.extend(fill(&writer, name, count, 10).await.into_iter().map(|event| event.id));
    }
    link(&writer, "list", ids).await.unwrap();
    let options = PostgresOptions { max_connections: 1, ..PostgresOptions::default() };
    let reader = Postgres::connect(schema.url(), schema.name(), options).await.unwrap();
    reader.read_all(all_from(1, 1)).await.unwrap();
    let request =
        ReadStream { stream: stream("list"), from: None, direction: Direction::Forward, limit: 1000 };
    let taken = Taken::default();
    let reading = reader.read_stream_in_parts(request, taken.parts());
    let page = before_names(&schema, &reader, reading, async {
        perform(&writer, delete("gone", Removal::Hard)).await;
    })
    .await;
    assert!(taken.len() >= 128, "nothing was handed over");
    let links = taken.and(page.unwrap().events);
    let versions: Vec<_> = links.iter().map(|event| event.version_read().get()).collect();
    assert!(versions.iter().copied().eq((1..=300).chain([303])), "{versions:?}");
}
