//! Generations of projections: built beside each other, one of them read.

use std::sync::Arc;

use serde_json::json;
use umbel_core::{
    ExpectedVersion, Position,
    document::{DocumentKey, DocumentQuery},
    store::{
        Act, ClaimLive, Generation, ListProjections, LoadDocuments, OpenProjection, PerformError, Phase,
        RemoveRetired, SaveProjection, SaveProjectionError, SwitchError, SwitchProjection,
    },
};

use super::{Events, Item, StoreUnderTest, items, position};

const NAME: &str = "test.list";

async fn open<S: StoreUnderTest>(store: &S, version: u32) -> Vec<Generation> {
    let collections = vec!["test.items".to_owned()];
    store
        .ask(OpenProjection {
            projection: NAME.into(),
            version,
            collections,
            indexes: Vec::new(),
            inline: Vec::new(),
        })
        .await
        .unwrap()
}

/// A save that puts a document in which the group tells who wrote it.
fn save(checkpoint: &str, expected: u64, to: u64, group: &str) -> SaveProjection {
    let item = Item { group: json!(group), rank: Some(json!(1)), tags: vec!["t".into()] };
    SaveProjection {
        projection: checkpoint.into(),
        expected: position(expected),
        position: position(to),
        clear: Vec::new(),
        writes: items([("k", Some(item))]),
    }
}

fn switch(checkpoint: &str, expected: u64) -> SwitchProjection {
    SwitchProjection { checkpoint: checkpoint.into(), expected: position(expected) }
}

fn group(body: Option<umbel_core::Json>) -> Option<String> {
    body.map(|body| body.decode::<Item>().unwrap().group.as_str().unwrap().to_owned())
}

/// What readers get: by key and by query, which agree.
async fn read<S: StoreUnderTest>(store: &S) -> Option<String> {
    let keys = vec![DocumentKey { collection: "test.items", key: "k".into() }];
    let by_key = group(store.get_documents(keys).await.unwrap().remove(0));
    let all = DocumentQuery::of::<Item>;
    for query in [all(), all().equal("tags", "t"), all().between("rank", Some(0), Some(2))] {
        let page = store.query_documents(query).await.unwrap();
        let found = page.documents.into_iter().next().map(|(_, body)| body);
        assert_eq!((page.total, group(found)), (u64::from(by_key.is_some()), by_key.clone()));
    }
    by_key
}

/// What a generation has, whoever serves.
async fn load<S: StoreUnderTest>(store: &S, checkpoint: &str) -> Option<String> {
    let keys = vec![DocumentKey { collection: "test.items", key: "k".into() }];
    let asked = LoadDocuments { checkpoint: checkpoint.into(), keys };
    group(store.ask(asked).await.unwrap().remove(0))
}

async fn phases<S: StoreUnderTest>(store: &S) -> Vec<(String, Phase)> {
    let listed = store.ask(ListProjections { projection: Some(NAME.into()) }).await.unwrap();
    listed.iter().map(|one| (one.checkpoint(), one.phase)).collect()
}

async fn remove_retired<S: StoreUnderTest>(store: &S) {
    while store.ask(RemoveRetired { projection: NAME.into() }).await.unwrap() {}
}

fn rebuild() -> Act {
    Act::RebuildProjection { projection: NAME.into() }
}

/// UX-09: a first generation serves at once, a later version is built beside it and knows where what is live begins, and an older one gets
/// none; opened again, each is as it was.
pub async fn each_version_has_a_generation<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    store.append(events.append("s", ExpectedVersion::Any, 2)).await.unwrap();
    let first = open(&store, 2).await;
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].phase, first[0].live_after, first[0].run), (Phase::Serving, position(2), 1));
    assert_eq!(first[0].collections, ["test.items"]);
    store.save_projection(save("test.list/2", 0, 1, "two")).await.unwrap();
    store.append(events.append("s", ExpectedVersion::Any, 1)).await.unwrap();

    assert_eq!(open(&store, 1).await.len(), 1, "a newer version serves");
    let both = open(&store, 3).await;
    let stands = |one: &Generation| (one.checkpoint(), one.phase, one.position, one.live_after);
    let first = ("test.list/2".into(), Phase::Serving, position(1), position(2));
    let second = ("test.list/3".into(), Phase::Building, Position::START, position(3));
    assert_eq!(both.iter().map(stands).collect::<Vec<_>>(), [first, second]);
    assert_eq!(open(&store, 3).await, both);
    assert_eq!(open(&store, 2).await, both);
    assert_eq!(store.ask(ListProjections { projection: None }).await.unwrap(), both);
}

/// UX-09: many nodes that open a version at once, or different versions, make one generation of each, of which one serves.
pub async fn opened_at_once_one_serves<S: StoreUnderTest>(store: S) {
    let store = Arc::new(store);
    let mut tasks = tokio::task::JoinSet::new();
    for racer in 0..9 {
        let store = store.clone();
        tasks.spawn(async move { open(&*store, 1 + racer % 3).await });
    }
    for seen in tasks.join_all().await {
        assert_eq!(seen.iter().filter(|one| one.phase == Phase::Serving).count(), 1, "{seen:?}");
    }
    let all = phases(&*store).await;
    assert!(all.windows(2).all(|two| two[0].0 < two[1].0), "each version has one: {all:?}");
    assert_eq!(all.last().unwrap().0, "test.list/3");
    let serving = all.iter().position(|(_, phase)| *phase == Phase::Serving).unwrap();
    assert_eq!(serving, 0, "versions older than the one that serves get none: {all:?}");
}

/// UX-09: readers get the old documents until the switch, and then the new ones at once; the old generation takes no more writes, and what it
/// has left goes without a trace.
pub async fn readers_are_switched_at_once<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    store.append(events.append("s", ExpectedVersion::Any, 6)).await.unwrap();
    open(&store, 1).await;
    store.save_projection(save("test.list/1", 0, 2, "old")).await.unwrap();
    open(&store, 2).await;
    store.save_projection(save("test.list/2", 0, 1, "new")).await.unwrap();
    assert_eq!(read(&store).await.as_deref(), Some("old"));
    assert_eq!(load(&store, "test.list/2").await.as_deref(), Some("new"));

    // An old node goes on while it serves.
    store.save_projection(save("test.list/1", 2, 3, "old, later")).await.unwrap();
    assert_eq!(read(&store).await.as_deref(), Some("old, later"));
    let behind = store.ask(switch("test.list/2", 1)).await;
    assert_eq!(behind, Err(SwitchError::Behind { serving: position(3) }));
    let moved = store.ask(switch("test.list/2", 3)).await;
    assert_eq!(moved, Err(SwitchError::CheckpointMoved { actual: position(1) }));
    assert_eq!(read(&store).await.as_deref(), Some("old, later"));

    store.save_projection(save("test.list/2", 1, 3, "new, caught up")).await.unwrap();
    store.ask(switch("test.list/2", 3)).await.unwrap();
    assert_eq!(read(&store).await.as_deref(), Some("new, caught up"));
    store.ask(switch("test.list/2", 3)).await.unwrap();
    for (expected, to) in [(3, 4), (0, 1)] {
        let late = store.save_projection(save("test.list/1", expected, to, "late")).await;
        assert_eq!(late, Err(SaveProjectionError::Retired));
    }
    assert_eq!(store.ask(switch("test.list/1", 3)).await, Err(SwitchError::Retired));
    store.save_projection(save("test.list/2", 3, 5, "newer")).await.unwrap();
    assert_eq!(read(&store).await.as_deref(), Some("newer"));

    remove_retired(&store).await;
    assert_eq!(
        phases(&store).await,
        [("test.list/1".into(), Phase::Removed), ("test.list/2".into(), Phase::Serving)]
    );
    assert_eq!(load(&store, "test.list/1").await, None);
    assert_eq!(read(&store).await.as_deref(), Some("newer"));
    let late = store.save_projection(save("test.list/1", 3, 4, "late")).await;
    assert_eq!(late, Err(SaveProjectionError::Retired));
    assert_eq!(load(&store, "test.list/1").await, None);
    assert_eq!(open(&store, 1).await.len(), 2, "a version that is superseded gets no place");
}

/// UX-09: a rebuild is built beside what serves, by the same version, as often as one likes; one that is under way is given up for the next.
pub async fn a_rebuild_needs_no_new_version<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let missing = store.ask(events.perform(rebuild())).await;
    assert_eq!(missing, Err(PerformError::ProjectionNotFound(NAME.into())));
    open(&store, 1).await;
    store.save_projection(save("test.list/1", 0, 0, "first")).await.unwrap();
    store.ask(events.perform(rebuild())).await.unwrap();
    store.save_projection(save("test.list/1/2", 0, 0, "given up")).await.unwrap();
    store.ask(events.perform(rebuild())).await.unwrap();
    let refused = store.save_projection(save("test.list/1/2", 0, 0, "late")).await;
    assert_eq!(refused, Err(SaveProjectionError::Retired));
    assert_eq!(read(&store).await.as_deref(), Some("first"));

    store.save_projection(save("test.list/1/3", 0, 2, "again")).await.unwrap();
    store.ask(switch("test.list/1/3", 2)).await.unwrap();
    assert_eq!(read(&store).await.as_deref(), Some("again"));
    remove_retired(&store).await;
    let serving = open(&store, 1).await.pop().unwrap();
    assert_eq!((serving.run, serving.phase, serving.live_after), (3, Phase::Serving, position(1)));
    assert_eq!(load(&store, "test.list/1/2").await, None);
    assert_eq!(read(&store).await.as_deref(), Some("again"));
}

/// PJ-08: a projection that was dropped has no documents for readers and takes no more writes; what it has left goes in parts, and in the
/// meantime one of its name may be made anew, which is not touched by that.
pub async fn what_is_dropped_is_gone<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let drop_it = || Act::DropProjection { projection: NAME.into() };
    let missing = Err(PerformError::ProjectionNotFound(NAME.into()));
    assert_eq!(store.ask(events.perform(drop_it())).await, missing);
    open(&store, 1).await;
    store.save_projection(save("test.list/1", 0, 0, "old")).await.unwrap();
    open(&store, 2).await;
    store.save_projection(save("test.list/2", 0, 0, "never served")).await.unwrap();
    let done = events.perform(drop_it());
    let dropped = store.ask(done.clone()).await.unwrap();
    assert_eq!(store.ask(done).await, Ok(dropped), "once");
    for checkpoint in ["test.list/1", "test.list/2"] {
        let late = store.save_projection(save(checkpoint, 0, 1, "late")).await;
        assert_eq!(late, Err(SaveProjectionError::Retired));
    }
    assert_eq!(store.ask(switch("test.list/2", 0)).await, Err(SwitchError::Retired));
    assert_eq!(store.ask(events.perform(rebuild())).await, missing, "nothing serves");
    // Whoever was interrupted while it was removed drops it again.
    store.ask(events.perform(drop_it())).await.unwrap();

    let anew = open(&store, 1).await;
    assert_eq!(anew.iter().filter(|one| one.is_current()).count(), 1);
    assert_eq!((anew[1].checkpoint().as_str(), anew[1].phase), ("test.list/1/2", Phase::Serving));
    assert_eq!(read(&store).await, None);
    store.save_projection(save("test.list/1/2", 0, 1, "anew")).await.unwrap();
    remove_retired(&store).await;
    assert_eq!((load(&store, "test.list/1").await, load(&store, "test.list/2").await), (None, None));
    assert_eq!(read(&store).await.as_deref(), Some("anew"));

    store.ask(events.perform(drop_it())).await.unwrap();
    remove_retired(&store).await;
    assert_eq!(read(&store).await, None);
    assert!(phases(&store).await.iter().all(|(_, phase)| *phase == Phase::Removed));
    assert_eq!(store.ask(events.perform(drop_it())).await, missing);
}

/// UX-09: a checkpoint from before there were generations becomes the first one and stays where it is.
pub async fn an_older_checkpoint_becomes_a_generation<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    store.append(events.append("s", ExpectedVersion::Any, 9)).await.unwrap();
    store.save_projection(save("test.list/1", 0, 7, "kept")).await.unwrap();
    let kept = open(&store, 1).await.pop().unwrap();
    assert_eq!((kept.phase, kept.position, kept.live_after), (Phase::Serving, position(7), position(7)));
    assert_eq!(read(&store).await.as_deref(), Some("kept"));
}

/// UX-09: a collection changes hands: what its former owner still writes and then leaves is not the new one's.
pub async fn a_collection_changes_hands<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    store.append(events.append("s", ExpectedVersion::Any, 9)).await.unwrap();
    open(&store, 1).await;
    store.save_projection(save("test.list/1", 0, 5, "owner")).await.unwrap();
    assert_eq!(read(&store).await.as_deref(), Some("owner"));
    let open_as = async |name: &str, version, collection: &str| {
        let collections = vec![collection.to_owned()];
        store
            .ask(OpenProjection {
                projection: name.into(),
                version,
                collections,
                indexes: Vec::new(),
                inline: Vec::new(),
            })
            .await
            .unwrap()
    };
    let heir = open_as("test.heir", 1, "test.items").await;
    assert_eq!((heir.len(), heir[0].phase), (1, Phase::Serving));
    store.save_projection(save("test.heir/1", 0, 9, "heir")).await.unwrap();
    store.save_projection(save("test.list/1", 5, 9, "late")).await.unwrap();
    assert_eq!(read(&store).await.as_deref(), Some("heir"));
    assert_eq!(load(&store, "test.heir/1").await.as_deref(), Some("heir"));

    open_as(NAME, 2, "test.others").await;
    store
        .save_projection(SaveProjection { writes: Vec::new(), ..save("test.list/2", 0, 9, "") })
        .await
        .unwrap();
    store.ask(switch("test.list/2", 9)).await.unwrap();
    remove_retired(&store).await;
    assert_eq!(load(&store, "test.list/1").await, None);
    assert_eq!(read(&store).await.as_deref(), Some("heir"));
}

/// UX-09: given an index that only the version which is being built has, then a query by it is told so until that version serves; others
/// are answered meanwhile, also after a rebuild.
pub async fn an_index_that_is_being_built_is_told_of<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let declared = async |version, indexes: &[&str]| {
        let collections = vec!["test.items".to_owned()];
        let indexes = indexes.iter().map(|&index| index.to_owned()).collect();
        store
            .ask(OpenProjection {
                projection: NAME.into(),
                version,
                collections,
                indexes,
                inline: Vec::new(),
            })
            .await
            .unwrap()
    };
    let unserved = async |query: DocumentQuery| store.query_documents(query).await.unwrap().unserved;
    let all = DocumentQuery::of::<Item>;
    declared(1, &["test.items/", "test.items/tags"]).await;
    store.save_projection(save("test.list/1", 0, 0, "old")).await.unwrap();
    declared(2, &["test.items/", "test.items/tags", "test.items/rank"]).await;
    let by_rank = || all().equal("tags", "t").order_by("rank", umbel_core::document::Direction::Forward);
    assert_eq!(unserved(by_rank()).await.as_deref(), Some("rank"));
    assert_eq!(unserved(all().equal("rank", 1)).await.as_deref(), Some("rank"));
    let page = store.query_documents(all().equal("tags", "t")).await.unwrap();
    assert_eq!((page.unserved, page.total), (None, 1));

    store.save_projection(save("test.list/2", 0, 0, "new")).await.unwrap();
    store.ask(switch("test.list/2", 0)).await.unwrap();
    assert_eq!(unserved(by_rank()).await, None);
    assert_eq!(unserved(all().equal("group", 1)).await.as_deref(), Some("group"));
    store.ask(events.perform(rebuild())).await.unwrap();
    store.ask(switch("test.list/2/2", 0)).await.unwrap();
    assert_eq!(
        (unserved(by_rank()).await, unserved(all().equal("group", 1)).await),
        (None, Some("group".into()))
    );
    let elsewhere = DocumentQuery { collection: "test.others".into(), ..by_rank() };
    assert_eq!(unserved(elsewhere).await, None, "no projection's");
}

/// Documents of more generations than one transaction removes go in parts, and readers see none of it.
pub async fn what_is_retired_goes_in_parts<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    store.append(events.append("s", ExpectedVersion::Any, 9)).await.unwrap();
    open(&store, 1).await;
    let item = |number: u32| Item { group: json!(number), rank: None, tags: vec!["t".into()] };
    let keys: Vec<_> = (0..1500).map(|number| format!("k{number}")).collect();
    for (part, at) in keys.chunks(500).zip(0..) {
        let writes = items(part.iter().map(|key| (key.as_str(), Some(item(1)))));
        let save = SaveProjection { writes, ..save("test.list/1", at, at + 1, "") };
        store.save_projection(save).await.unwrap();
    }
    open(&store, 2).await;
    store.save_projection(save("test.list/2", 0, 9, "new")).await.unwrap();
    store.ask(switch("test.list/2", 9)).await.unwrap();
    for _ in 0..20 {
        let more = store.ask(RemoveRetired { projection: NAME.into() }).await.unwrap();
        assert_eq!(read(&store).await.as_deref(), Some("new"));
        assert_eq!(more, phases(&store).await[0].1 == Phase::Retired);
        if !more {
            break;
        }
    }
    assert_eq!(phases(&store).await[0].1, Phase::Removed);
    for key in ["k0", "k1499"] {
        let keys = vec![DocumentKey { collection: "test.items", key: key.into() }];
        let asked = LoadDocuments { checkpoint: "test.list/1".into(), keys };
        assert_eq!(store.ask(asked).await, Ok(vec![None]));
    }
}

/// PJ-01: of many who claim the same events for a hook, one gets each of them.
pub async fn an_event_is_claimed_once<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    store.append(events.append("s", ExpectedVersion::Any, 100)).await.unwrap();
    let store = Arc::new(store);
    let mut tasks = tokio::task::JoinSet::new();
    for racer in 0..10_u64 {
        let store = store.clone();
        tasks.spawn(async move {
            let mut mine = Vec::new();
            for round in 1..=10 {
                let through = round * 10 - racer % 3;
                let claim = ClaimLive { projection: NAME.into(), through: position(through) };
                let before = store.ask(claim).await.unwrap().get();
                mine.extend(before + 1..=through);
            }
            mine
        });
    }
    let mut claimed: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    claimed.sort_unstable();
    assert_eq!(claimed, (1..=100).collect::<Vec<_>>());
}
