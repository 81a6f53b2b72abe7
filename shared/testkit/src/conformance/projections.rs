//! Checkpoints and documents of projections, in one transaction.

use std::sync::Arc;

use serde_json::json;
use umbel_core::{
    Position,
    document::{DocumentKey, DocumentQuery, DocumentWrite},
    store::{SaveProjection, SaveProjectionError},
};

use super::{Item, StoreUnderTest, items, position};

fn save(projection: &str, expected: u64, to: u64, group: &str) -> SaveProjection {
    let item = Item { group: json!(group), rank: None, tags: Vec::new() };
    SaveProjection {
        clear: Vec::new(),
        projection: projection.into(),
        expected: position(expected),
        position: position(to),
        writes: items([("k", Some(item))]),
    }
}

async fn group<S: StoreUnderTest>(store: &S) -> Option<String> {
    let keys = vec![DocumentKey { collection: "test.items", key: "k".into() }];
    let found = store.get_documents(keys).await.unwrap().remove(0);
    found.map(|body| body.decode::<Item>().unwrap().group.as_str().unwrap().to_owned())
}

/// PJ-05: a projection that never ran is at the start; two names, and two versions of one, are independent positions.
pub async fn a_projection_begins_at_the_start<S: StoreUnderTest>(store: S) {
    assert_eq!(store.load_checkpoint("test.one/1".into()).await, Ok(Position::START));
    store.save_projection(save("test.one/1", 0, 7, "g")).await.unwrap();
    store.save_projection(save("test.one/2", 0, 3, "g")).await.unwrap();
    store.save_projection(save("test.two/1", 0, 5, "g")).await.unwrap();
    store.save_projection(save("test.one/2", 3, 9, "g")).await.unwrap();
    assert_eq!(store.load_checkpoint("test.one/1".into()).await, Ok(position(7)));
    assert_eq!(store.load_checkpoint("test.one/2".into()).await, Ok(position(9)));
    assert_eq!(store.load_checkpoint("test.two/1".into()).await, Ok(position(5)));
    assert_eq!(store.load_checkpoint("test.one".into()).await, Ok(Position::START));
}

/// PJ-01: the effect of an event and the checkpoint behind it are one.
pub async fn documents_and_checkpoint_move_together<S: StoreUnderTest>(store: S) {
    store.save_projection(save("test.one/1", 0, 4, "first")).await.unwrap();
    assert_eq!(group(&store).await.as_deref(), Some("first"));
    store.save_projection(save("test.one/1", 4, 9, "second")).await.unwrap();
    assert_eq!(group(&store).await.as_deref(), Some("second"));
    // Nothing to write, only the checkpoint: events it was not interested in.
    let moved = SaveProjection { writes: Vec::new(), ..save("test.one/1", 9, 12, "") };
    store.save_projection(moved).await.unwrap();
    assert_eq!(store.load_checkpoint("test.one/1".into()).await, Ok(position(12)));
}

/// PJ-01, invariant 7: a save from where the checkpoint no longer (or not yet) stands writes nothing and says
/// where it stands.
pub async fn a_moved_checkpoint_refuses_the_write<S: StoreUnderTest>(store: S) {
    let refused = store.save_projection(save("test.one/1", 3, 4, "early")).await;
    assert_eq!(refused, Err(SaveProjectionError::CheckpointMoved { actual: Position::START }));
    assert_eq!(group(&store).await, None);
    store.save_projection(save("test.one/1", 0, 4, "first")).await.unwrap();
    for stale in [0, 3, 5] {
        let refused = store.save_projection(save("test.one/1", stale, 9, "stale")).await;
        assert_eq!(refused, Err(SaveProjectionError::CheckpointMoved { actual: position(4) }));
    }
    assert_eq!(group(&store).await.as_deref(), Some("first"));
    assert_eq!(store.load_checkpoint("test.one/1".into()).await, Ok(position(4)));
}

/// PJ-01: of many who project the same events at once, one writes.
pub async fn one_of_the_racing_projections_wins<S: StoreUnderTest>(store: S) {
    let store = Arc::new(store);
    for round in 0..3 {
        let mut tasks = tokio::task::JoinSet::new();
        for racer in 0..10 {
            let store = store.clone();
            let request = save("test.one/1", round, round + 1, &format!("{round} {racer}"));
            tasks.spawn(async move { (racer, store.save_projection(request).await) });
        }
        let mut winners = tasks.join_all().await;
        winners.retain(|(_, outcome)| outcome.is_ok());
        assert_eq!(winners.len(), 1);
        assert_eq!(group(&*store).await, Some(format!("{round} {}", winners[0].0)));
    }
    assert_eq!(store.load_checkpoint("test.one/1".into()).await, Ok(position(3)));
}

/// PJ-05: collections are emptied before the writes of the same save and together with them, index entries
/// included; other collections stay, and a refused save empties nothing.
pub async fn clearing_and_writing_are_one<S: StoreUnderTest>(store: S) {
    let tagged = |group: &str| Item { group: json!(group), rank: None, tags: vec!["t".into()] };
    let old = items([("k", Some(tagged("old"))), ("gone", Some(tagged("old")))]);
    let elsewhere = |write: DocumentWrite| DocumentWrite { collection: "test.others".into(), ..write };
    let others: Vec<_> = old.iter().cloned().map(elsewhere).collect();
    let writes = old.into_iter().chain(others).collect();
    store.save_projection(SaveProjection { writes, ..save("test.one/1", 0, 4, "") }).await.unwrap();

    let clearing = |expected, to| SaveProjection {
        clear: vec!["test.items".into()],
        ..save("test.one/2", expected, to, "new")
    };
    let refused = store.save_projection(clearing(3, 4)).await;
    assert_eq!(refused, Err(SaveProjectionError::CheckpointMoved { actual: Position::START }));
    let matches = async |query: DocumentQuery| store.query_documents(query).await.unwrap().total;
    let all = DocumentQuery::of::<Item>;
    assert_eq!((matches(all()).await, group(&store).await.as_deref()), (2, Some("old")));

    store.save_projection(clearing(0, 4)).await.unwrap();
    assert_eq!((matches(all()).await, group(&store).await.as_deref()), (1, Some("new")));
    assert_eq!(matches(all().equal("tags", "t")).await, 0);
    let others = DocumentQuery { collection: "test.others".into(), ..all() };
    assert_eq!(matches(others.equal("tags", "t")).await, 2);

    // What was cleared can be written again, and found by its entries; clearing what is empty is no error.
    let clear = vec!["test.never".into(), "test.items".into()];
    let writes = items([("gone", Some(tagged("again")))]);
    store.save_projection(SaveProjection { clear, writes, ..clearing(4, 5) }).await.unwrap();
    assert_eq!((matches(all()).await, matches(all().equal("tags", "t")).await), (1, 1));
}
