//! The outbox's numbers, with two writers.

use umbel_core::{
    ExpectedVersion, Json,
    store::{Append, OutboxEntry, ReadOutbox},
};
use uuid::Uuid;

use super::support::{adapter, append, schema, to, whole_log};
use crate::Extras;

fn leaving(name: &str, id: u128) -> Append {
    let append = to(name, ExpectedVersion::Any);
    let body = Json::encode(&append.streams[0].events[0].id.0).unwrap();
    let entry = OutboxEntry { id: Uuid::from_u128(id), queue: "test".into(), body, due_at: None };
    Append { outbox: vec![entry], ..append }
}

/// Numbers rise as the appends were committed, whoever wrote them; an id that is there stays as it is.
#[tokio::test]
async fn entries_are_numbered_in_the_order_of_commits() {
    let schema = schema();
    let (one, other) = (adapter(&schema).await, adapter(&schema).await);
    for round in 0..20 {
        let (a, b) =
            tokio::join!(append(&one, leaving("a", round)), append(&other, leaving("b", 100 + round)));
        a.unwrap();
        b.unwrap();
    }
    append(&one, leaving("c", 7)).await.unwrap();
    let request = ReadOutbox { queue: "test".into(), after: 0, limit: 100 };
    let waiting = other.read_outbox(request).await.unwrap();
    let bodies: Vec<_> = waiting.iter().map(|waiting| waiting.entry.body.decode::<Uuid>().unwrap()).collect();
    let log = whole_log(&one).await;
    let ids: Vec<_> = log.iter().take(40).map(|event| event.id.0).collect();
    assert_eq!(bodies, ids, "the entries are in the order of their events");
    assert!(waiting.is_sorted_by(|before, after| before.number < after.number));
}
