//! Verifying a healthy store.

use serde_json::json;
use umbel_core::{
    ExpectedVersion::{Any, NoStream},
    Json, Subject, Timestamp,
    store::{Act, Append, Removal, SaveProjection, SaveSnapshot, Snapshot, VerifyStore},
};

use super::{
    Events, Item, StoreUnderTest, archive, command, delete, exact, items, link, position, put, stream,
    truncate, version,
};

async fn is_healthy<S: StoreUnderTest>(store: &S, after: &str) {
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]), "after {after}");
}

/// Nothing is found wrong with a healthy store: not when it is empty, and not after anything that can be done to it.
pub async fn a_healthy_store_has_no_findings<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    is_healthy(&store, "nothing").await;
    let item = |tags: &[&str]| Item {
        group: json!("g"),
        rank: Some(json!(1)),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    };
    for name in ["a", "b", "c", "d"] {
        let documents = items([(name, Some(item(&["x", "y"])))]);
        put(&store, Append { documents, ..events.append(name, NoStream, 5) }).await;
    }
    let documents = items([("a", None), ("b", Some(item(&[])))]);
    let commanded = Append { documents, command: Some(command(1, "1")), ..events.append("a", Any, 1) };
    let ids = put(&store, commanded).await;
    store.append(Append { command: Some(command(2, "2")), ..Append::default() }).await.unwrap();
    is_healthy(&store, "appends").await;

    let projection = "test.one/1".to_owned();
    let (expected, end) = (position(0), position(21));
    let writes = items([("p", Some(item(&["z"])))]);
    let save = SaveProjection { projection, expected, position: end, clear: Vec::new(), writes };
    store.save_projection(save).await.unwrap();
    let (taken_at, data) = (Timestamp::from_micros(1), Json::parse("0").unwrap());
    for (name, at) in [("a", 6), ("b", 2), ("c", 5)] {
        let (stream, version, state) = (stream(name), version(at), "test.state".to_owned());
        let data = data.clone();
        let snapshot = Snapshot { stream, version, state, schema: 1, taken_at, data };
        store.ask(SaveSnapshot(snapshot)).await.unwrap();
    }
    store.ask(link("list", NoStream, &ids)).await.unwrap();
    store.ask(link("b", exact(5), &ids)).await.unwrap();
    put(&store, events.append("b", exact(6), 1)).await;
    is_healthy(&store, "links").await;

    for (act, after) in [
        (truncate("a", 3, Removal::Soft), "a soft truncation"),
        (truncate("a", 4, Removal::Hard), "a hard truncation"),
        (archive(12), "archiving"),
        (truncate("b", 4, Removal::Hard), "a hard truncation of archived events"),
        (delete("c", Removal::Soft), "a soft deletion"),
        (delete("c", Removal::Hard), "its hard deletion"),
        (delete("a", Removal::Hard), "a hard deletion of linked events"),
        (truncate("d", 6, Removal::Hard), "the truncation of everything"),
        (Act::ForgetSubject { subject: Subject::new("account-1").unwrap() }, "forgetting"),
        (archive(28), "archiving over gaps"),
        (delete("list", Removal::Hard), "the deletion of a stream that lost all its links"),
    ] {
        store.ask(events.perform(act)).await.unwrap();
        is_healthy(&store, after).await;
    }
    for name in ["a", "b", "c", "d", "list"] {
        put(&store, events.append(name, Any, 2)).await;
    }
    is_healthy(&store, "appends after all that").await;
}
