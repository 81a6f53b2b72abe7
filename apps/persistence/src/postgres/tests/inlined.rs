//! Inline projections by several processes on one server: what one of them remembers of them is not believed when another one has changed it.

use std::sync::Arc;

use serde_json::json;
use umbel_core::{
    ExpectedVersion, Json, Position,
    document::DocumentKey,
    store::{
        Append, AppendError, DocumentChange, Generation, InlineChanges, ListProjections, OpenProjection,
        SaveProjection, SwitchProjection,
    },
};
use umbel_testkit::conformance::{Item, items};

use super::support::{adapter, append, assert_gapless, schema, to, whole_log};
use crate::{ReadModels, postgres::Postgres};

const CHECKPOINT: &str = "test.inline/1";

async fn open(adapter: &Postgres) {
    let opening = OpenProjection {
        projection: "test.inline".into(),
        version: 1,
        collections: vec!["test.items".into()],
        indexes: Vec::new(),
        inline: vec!["test.happened".into()],
    };
    adapter.open_projection(opening).await.unwrap();
}

async fn join(adapter: &Postgres, expected: u64) {
    let expected = Position::new(expected);
    let request = SwitchProjection { checkpoint: CHECKPOINT.into(), expected };
    adapter.switch_projection(request).await.unwrap();
}

async fn generation(adapter: &Postgres) -> Generation {
    let listed = ListProjections { projection: Some("test.inline".into()) };
    adapter.list_projections(listed).await.unwrap().remove(0)
}

fn body(number: u64) -> Json {
    let item = Item { group: json!(number), rank: None, tags: Vec::new() };
    items([("k", Some(item))]).remove(0).body.unwrap()
}

async fn read(adapter: &Postgres) -> Option<u64> {
    let keys = vec![DocumentKey { collection: "test.items", key: "k".into() }];
    let found = adapter.get_documents(keys).await.unwrap().remove(0);
    found.map(|body| body.decode::<Item>().unwrap().group.as_u64().unwrap())
}

fn said(stream: &str, changes: Option<Vec<DocumentChange>>) -> Append {
    let inline = vec![InlineChanges { checkpoint: CHECKPOINT.into(), changes }];
    Append { inline, ..to(stream, ExpectedVersion::Any) }
}

/// An append by which the document goes from one number to the next.
fn step(stream: &str, before: Option<u64>) -> Append {
    let item = Item { group: json!(before.unwrap_or(0) + 1), rank: None, tags: Vec::new() };
    let write = items([("k", Some(item))]).remove(0);
    said(stream, Some(vec![DocumentChange { before: before.map(body), write }]))
}

fn believed(joined: bool) -> AppendError {
    AppendError::InlineBelief { checkpoint: CHECKPOINT.into(), joined }
}

/// PJ-09, PJ-10: given a process that has written before, when another one joins a generation to appends, changes its documents or leaves it
/// behind, then what the first one remembers is not believed.
#[tokio::test]
async fn what_another_process_does_is_noticed() {
    let schema = schema();
    let (one, other) = (adapter(&schema).await, adapter(&schema).await);
    append(&one, to("a", ExpectedVersion::Any)).await.unwrap();
    open(&other).await;
    let save = SaveProjection {
        projection: CHECKPOINT.into(),
        expected: Position::START,
        position: Position::new(1),
        clear: Vec::new(),
        writes: Vec::new(),
    };
    other.save_projection(save.clone()).await.unwrap();
    append(&one, said("a", None)).await.unwrap();
    let save = SaveProjection { expected: Position::new(1), position: Position::new(2), ..save };
    other.save_projection(save).await.unwrap();
    join(&other, 2).await;

    // The first one does not know that it is joined.
    assert_eq!(append(&one, said("a", None)).await, Err(believed(true)));
    append(&one, step("a", None)).await.unwrap();
    append(&one, step("a", Some(1))).await.unwrap();
    append(&other, step("b", Some(2))).await.unwrap();
    let outdated = append(&one, step("a", Some(2))).await;
    assert!(matches!(outdated, Err(AppendError::DocumentChanged { .. })), "{outdated:?}");
    append(&one, step("a", Some(3))).await.unwrap();
    assert_eq!((read(&other).await, generation(&one).await.position), (Some(4), Position::new(6)));

    // Nor that it is joined no more.
    append(&other, to("b", ExpectedVersion::Any)).await.unwrap();
    assert_eq!(append(&one, step("a", Some(4))).await, Err(believed(false)));
    append(&one, said("a", None)).await.unwrap();
    let left = generation(&one).await;
    assert_eq!((left.joined, left.position, read(&one).await), (false, Position::new(6), Some(4)));
    assert_gapless(&whole_log(&one).await);
}

/// PJ-09: of processes that change one document, none loses what another has written, nor does a group of appends.
#[tokio::test]
async fn processes_that_change_one_document_lose_nothing() {
    let schema = schema();
    let adapters = [adapter(&schema).await, adapter(&schema).await];
    open(&adapters[0]).await;
    join(&adapters[0], 0).await;
    let mut tasks = tokio::task::JoinSet::new();
    for (adapter, stream) in adapters.iter().cycle().zip(["a", "b", "c", "d"]) {
        let adapter = Arc::clone(adapter);
        tasks.spawn(async move {
            for _ in 0..10 {
                loop {
                    let before = read(&adapter).await;
                    match append(&adapter, step(stream, before)).await {
                        Ok(_) => break,
                        Err(AppendError::DocumentChanged { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(read(&adapters[1]).await, Some(40));
    assert_eq!(generation(&adapters[1]).await.position, Position::new(40));
}
