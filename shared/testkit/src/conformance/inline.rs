//! Inline projections: documents that are written with the events that they are made of, or behind them, and never not at all.

use std::sync::Arc;

use serde_json::json;
use umbel_core::{
    ExpectedVersion, Json, Position,
    document::DocumentKey,
    store::{
        Act, Append, AppendError, DocumentChange, Generation, InlineChanges, ListProjections, LoadDocuments,
        OpenProjection, Phase, RemoveRetired, SaveProjection, SwitchError, SwitchProjection,
    },
};

use super::{Events, Item, StoreUnderTest, items, position};

const NAME: &str = "test.inline";
const FIRST: &str = "test.inline/1";
const SECOND: &str = "test.inline/2";

async fn open<S: StoreUnderTest>(store: &S, version: u32) {
    let opening = OpenProjection {
        projection: NAME.into(),
        version,
        collections: vec!["test.items".to_owned()],
        indexes: Vec::new(),
        inline: vec!["test.happened".into(), "test.never".into()],
    };
    store.ask(opening).await.unwrap();
}

async fn generation<S: StoreUnderTest>(store: &S, checkpoint: &str) -> Generation {
    let listed = store.ask(ListProjections { projection: Some(NAME.into()) }).await.unwrap();
    listed.into_iter().find(|one| one.checkpoint() == checkpoint).unwrap()
}

/// Whether it is joined, and where its checkpoint stands.
async fn stands<S: StoreUnderTest>(store: &S, checkpoint: &str) -> (bool, Position) {
    let generation = generation(store, checkpoint).await;
    (generation.joined, generation.position)
}

/// What readers get.
async fn read<S: StoreUnderTest>(store: &S) -> Option<u64> {
    let keys = vec![DocumentKey { collection: "test.items", key: "k".into() }];
    let found = store.get_documents(keys).await.unwrap().remove(0);
    found.map(|body| body.decode::<Item>().unwrap().group.as_u64().unwrap())
}

fn item(number: u64) -> Item {
    Item { group: json!(number), rank: Some(json!(number)), tags: vec!["t".into()] }
}

/// What a document with this number becomes, as it was read.
fn change(before: Option<Json>, to: u64) -> DocumentChange {
    DocumentChange { before, write: items([("k", Some(item(to)))]).remove(0) }
}

fn body(number: u64) -> Option<Json> {
    items([("k", Some(item(number)))]).remove(0).body
}

/// An event of the projection, with what the writer says of the generation.
fn append(events: &Events, checkpoint: &str, changes: Option<Vec<DocumentChange>>) -> Append {
    Append {
        inline: vec![InlineChanges { checkpoint: checkpoint.into(), changes }],
        ..events.append("s", ExpectedVersion::Any, 1)
    }
}

fn believed(checkpoint: &str, joined: bool) -> AppendError {
    AppendError::InlineBelief { checkpoint: checkpoint.into(), joined }
}

async fn switch<S: StoreUnderTest>(store: &S, checkpoint: &str, expected: u64) -> Result<(), SwitchError> {
    store.ask(SwitchProjection { checkpoint: checkpoint.into(), expected: position(expected) }).await
}

async fn joined<S: StoreUnderTest>(store: S) -> S {
    open(&store, 1).await;
    switch(&store, FIRST, 0).await.unwrap();
    assert_eq!(stands(&store, FIRST).await, (true, Position::START));
    store
}

/// PJ-09: an append's events and the documents they change are there at once; an append that read a document which was changed since is
/// refused, with its events, and so is one that takes the generation for what it is not.
pub async fn events_and_documents_are_one_append<S: StoreUnderTest>(store: S) {
    let (store, events) = (joined(store).await, Events::default());
    store.append(append(&events, FIRST, Some(vec![change(None, 1)]))).await.unwrap();
    assert_eq!((read(&store).await, stands(&store, FIRST).await), (Some(1), (true, position(1))));

    for outdated in [None, body(7)] {
        let refused = store.append(append(&events, FIRST, Some(vec![change(outdated, 8)]))).await;
        assert!(
            matches!(refused, Err(AppendError::DocumentChanged { ref key, .. }) if key == "k"),
            "{refused:?}"
        );
    }
    let refused = store.append(append(&events, FIRST, None)).await;
    assert_eq!(refused, Err(believed(FIRST, true)));
    let others = events.typed("test.other/1");
    let others = Append::to_stream(super::stream("o"), ExpectedVersion::Any, vec![others]);
    store.append(others).await.unwrap();
    assert_eq!((read(&store).await, stands(&store, FIRST).await), (Some(1), (true, position(1))));
    assert_eq!(store.status().await.unwrap().head, position(2));

    store.append(append(&events, FIRST, Some(vec![change(body(1), 2)]))).await.unwrap();
    let gone = DocumentChange { before: body(2), write: items([("k", None)]).remove(0) };
    assert_eq!((read(&store).await, stands(&store, FIRST).await), (Some(2), (true, position(3))));
    store.append(append(&events, FIRST, Some(vec![gone]))).await.unwrap();
    store.append(append(&events, FIRST, Some(Vec::new()))).await.unwrap();
    assert_eq!((read(&store).await, stands(&store, FIRST).await), (None, (true, position(5))));
}

/// PJ-10: events that somebody appends who does not know the projection are not refused, and not missed: its checkpoint stands before them,
/// and appends do not write its documents until they are projected.
pub async fn who_does_not_know_of_it_leaves_it_behind<S: StoreUnderTest>(store: S) {
    let (store, events) = (joined(store).await, Events::default());
    store.append(append(&events, FIRST, Some(vec![change(None, 1)]))).await.unwrap();
    let mixed = vec![events.typed("test.other/1"), events.one()];
    store.append(Append::to_stream(super::stream("o"), ExpectedVersion::Any, mixed)).await.unwrap();
    assert_eq!(stands(&store, FIRST).await, (false, position(1)));
    store.append(events.append("s", ExpectedVersion::Any, 1)).await.unwrap();
    assert_eq!(stands(&store, FIRST).await, (false, position(1)));

    let refused = store.append(append(&events, FIRST, Some(vec![change(body(1), 2)]))).await;
    assert_eq!(refused, Err(believed(FIRST, false)));
    store.append(append(&events, FIRST, None)).await.unwrap();
    assert_eq!((read(&store).await, stands(&store, FIRST).await), (Some(1), (false, position(1))));

    // Whoever follows the log projects what is left, and then it is joined again: not before.
    let behind = Err(SwitchError::Behind { serving: position(5) });
    assert_eq!(switch(&store, FIRST, 1).await, behind);
    assert_eq!(switch(&store, FIRST, 2).await, Err(SwitchError::CheckpointMoved { actual: position(1) }));
    let save = SaveProjection {
        projection: FIRST.into(),
        expected: position(1),
        position: position(5),
        clear: Vec::new(),
        writes: items([("k", Some(item(5)))]),
    };
    store.save_projection(save).await.unwrap();
    switch(&store, FIRST, 5).await.unwrap();
    store.append(append(&events, FIRST, Some(vec![change(body(5), 6)]))).await.unwrap();
    assert_eq!((read(&store).await, stands(&store, FIRST).await), (Some(6), (true, position(6))));
}

/// What the follower of the second generation saves when it has come from one position to another.
fn save(expected: u64, to: u64) -> SaveProjection {
    SaveProjection {
        projection: SECOND.into(),
        expected: position(expected),
        position: position(to),
        clear: Vec::new(),
        writes: items([("k", Some(item(100 + to)))]),
    }
}

/// UX-09, PJ-09: while a new version is built appends go on to write the documents that serve; once it has projected all of its events it takes
/// their place and is joined at once, and the former one takes no more.
pub async fn a_built_generation_is_joined_when_it_serves<S: StoreUnderTest>(store: S) {
    let (store, events) = (joined(store).await, Events::default());
    store.append(append(&events, FIRST, Some(vec![change(None, 1)]))).await.unwrap();
    open(&store, 2).await;
    store.save_projection(save(0, 1)).await.unwrap();
    // The newer one is not joined yet, and who says so of it ends nothing.
    let both = Append {
        inline: vec![
            InlineChanges { checkpoint: FIRST.into(), changes: Some(vec![change(body(1), 2)]) },
            InlineChanges { checkpoint: SECOND.into(), changes: None },
        ],
        ..events.append("s", ExpectedVersion::Any, 1)
    };
    store.append(both).await.unwrap();
    assert!(matches!(switch(&store, SECOND, 1).await, Err(SwitchError::Behind { .. })));
    assert_eq!((read(&store).await, stands(&store, FIRST).await), (Some(2), (true, position(2))));

    store.save_projection(save(1, 2)).await.unwrap();
    switch(&store, SECOND, 2).await.unwrap();
    assert_eq!(generation(&store, FIRST).await.phase, Phase::Retired);
    assert_eq!((stands(&store, FIRST).await.0, stands(&store, SECOND).await.0), (false, true));
    let refused = store.append(append(&events, FIRST, Some(vec![change(body(2), 3)]))).await;
    assert_eq!(refused, Err(believed(FIRST, false)));
    store.append(append(&events, SECOND, Some(vec![change(body(102), 103)]))).await.unwrap();
    assert_eq!(read(&store).await, Some(103));
    let keys = vec![DocumentKey { collection: "test.items", key: "k".into() }];
    let former = store.ask(LoadDocuments { checkpoint: FIRST.into(), keys }).await.unwrap();
    assert_eq!(former, [body(2)]);
}

/// UX-09, PJ-10: a new version that has come as far as what serves takes its place, though somebody appends behind both and never rests; it is
/// joined once it has projected that, too.
pub async fn a_built_generation_serves_while_others_append<S: StoreUnderTest>(store: S) {
    let (store, events) = (joined(store).await, Events::default());
    store.append(append(&events, FIRST, Some(vec![change(None, 1)]))).await.unwrap();
    store.append(events.append("s", ExpectedVersion::Any, 1)).await.unwrap();
    assert_eq!(stands(&store, FIRST).await, (false, position(1)));
    open(&store, 2).await;
    store.save_projection(save(0, 1)).await.unwrap();
    switch(&store, SECOND, 1).await.unwrap();
    assert_eq!(generation(&store, FIRST).await.phase, Phase::Retired);
    assert_eq!((read(&store).await, stands(&store, SECOND).await), (Some(101), (false, position(1))));

    assert_eq!(switch(&store, SECOND, 1).await, Err(SwitchError::Behind { serving: position(2) }));
    store.save_projection(save(1, 2)).await.unwrap();
    switch(&store, SECOND, 2).await.unwrap();
    assert_eq!((read(&store).await, stands(&store, SECOND).await), (Some(102), (true, position(2))));
}

/// PJ-08, PJ-10: what was dropped is joined to no append, and who still believes so is told.
pub async fn a_dropped_one_is_joined_no_more<S: StoreUnderTest>(store: S) {
    let (store, events) = (joined(store).await, Events::default());
    store.append(append(&events, FIRST, Some(vec![change(None, 1)]))).await.unwrap();
    let dropped = events.perform(Act::DropProjection { projection: NAME.into() });
    store.ask(dropped).await.unwrap();
    let refused = store.append(append(&events, FIRST, Some(vec![change(body(1), 2)]))).await;
    assert_eq!(refused, Err(believed(FIRST, false)));
    store.append(append(&events, FIRST, None)).await.unwrap();
    store.append(events.append("s", ExpectedVersion::Any, 1)).await.unwrap();
    while store.ask(RemoveRetired { projection: NAME.into() }).await.unwrap() {}
    assert_eq!((read(&store).await, stands(&store, FIRST).await), (None, (false, position(1))));
}

/// PJ-09: many who change one document, each by what it read, lose nothing; all of them are in the log.
pub async fn many_change_one_document<S: StoreUnderTest>(store: S) {
    let (store, events) = (Arc::new(joined(store).await), Arc::new(Events::default()));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (store, events) = (Arc::clone(&store), Arc::clone(&events));
        tasks.spawn(async move {
            for _ in 0..5 {
                loop {
                    let before = read(&*store).await;
                    let next = change(before.and_then(body), before.unwrap_or(0) + 1);
                    match store.append(append(&events, FIRST, Some(vec![next]))).await {
                        Err(AppendError::DocumentChanged { .. }) => {}
                        outcome => {
                            outcome.unwrap();
                            break;
                        }
                    }
                }
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(read(&*store).await, Some(20));
    assert_eq!(stands(&*store, FIRST).await, (true, position(20)));
}
