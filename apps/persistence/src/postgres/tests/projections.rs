//! Documents and checkpoints by several processes on one server.

use umbel_core::{
    Changes, Document, Position,
    document::{Direction, DocumentKey, DocumentQuery},
    store::{SaveProjection, SaveProjectionError},
};

use serde::{Deserialize, Serialize};

use super::support::{adapter, append, schema, to};
use crate::{Log, ReadModels, postgres::Postgres};

#[derive(Serialize, Deserialize)]
struct Article {
    title: String,
    likes: i64,
    tags: Vec<String>,
}

impl Document for Article {
    const COLLECTION: &'static str = "test.articles";
    const INDEXES: &'static [&'static str] = &["likes", "tags"];
}

fn save(expected: u64, position: u64, articles: &[(&str, i64, &[&str])]) -> SaveProjection {
    let mut changes = Changes::default();
    for (key, likes, tags) in articles {
        let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        changes.put(*key, Article { title: (*key).to_owned(), likes: *likes, tags });
    }
    SaveProjection {
        clear: Vec::new(),
        projection: "articles/1".into(),
        expected: Position::new(expected),
        position: Position::new(position),
        writes: changes.apply(std::collections::BTreeMap::new()).unwrap(),
    }
}

async fn found(adapter: &Postgres, query: DocumentQuery) -> (Vec<String>, u64) {
    let page = adapter.query_documents(query).await.unwrap();
    (page.documents.into_iter().map(|(key, _)| key).collect(), page.total)
}

/// Of several nodes that save the same progress, one does and the others learn where it stands.
#[tokio::test]
async fn racing_projections_have_one_winner() {
    let schema = schema();
    let (one, other) = (adapter(&schema).await, adapter(&schema).await);
    for round in 0..20_u64 {
        let (expected, position) = (round * 10, round * 10 + 10);
        let request = |key| save(expected, position, &[(key, 1, &[])]);
        let (a, b) =
            tokio::join!(one.save_projection(request("one")), other.save_projection(request("other")));
        match (a, b) {
            (Ok(()), Err(moved)) | (Err(moved), Ok(())) => {
                assert_eq!(moved, SaveProjectionError::CheckpointMoved { actual: Position::new(position) });
            }
            outcomes => panic!("{outcomes:?}"),
        }
    }
    assert_eq!(one.load_checkpoint("articles/1".into()).await.unwrap().get(), 200);
    let refused = one.save_projection(save(7, 300, &[("late", 1, &[])])).await;
    assert_eq!(refused, Err(SaveProjectionError::CheckpointMoved { actual: Position::new(200) }));
    let key = DocumentKey { collection: Article::COLLECTION, key: "late".into() };
    assert_eq!(one.get_documents(vec![key]).await, Ok(vec![None]));
}

#[tokio::test]
async fn documents_are_found_ordered_and_counted() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    let articles: &[(&str, i64, &[&str])] =
        &[("a", 3, &["x"]), ("B", -1, &["x", "y"]), ("c", 3, &["y"]), ("d", 10, &[])];
    adapter.save_projection(save(0, 5, articles)).await.unwrap();
    let all = DocumentQuery::of::<Article>;
    let keys = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect::<Vec<_>>();
    assert_eq!(found(&adapter, all()).await, (keys(&["B", "a", "c", "d"]), 4));
    let by_likes = all().order_by("likes", Direction::Forward);
    assert_eq!(found(&adapter, by_likes).await, (keys(&["B", "a", "c", "d"]), 4));
    let by_likes = all().order_by("likes", Direction::Backward).page(1, 2);
    assert_eq!(found(&adapter, by_likes).await, (keys(&["a", "c"]), 4));
    assert_eq!(found(&adapter, all().equal("tags", "x")).await, (keys(&["B", "a"]), 2));
    let narrow = all().equal("tags", "y").between("likes", Some(0), None::<i64>);
    assert_eq!(found(&adapter, narrow).await, (keys(&["c"]), 1));
    assert_eq!(found(&adapter, all().one_of("likes", [10, -1])).await, (keys(&["B", "d"]), 2));
    assert_eq!(found(&adapter, all().page(9, 5)).await, (keys(&[]), 4));

    // New entries replace old ones, and deleting leaves none.
    adapter.save_projection(save(5, 6, &[("a", 4, &["z"])])).await.unwrap();
    assert_eq!(found(&adapter, all().equal("tags", "x")).await, (keys(&["B"]), 1));
    let mut changes = Changes::default();
    changes.delete::<Article>("a");
    let mut deletion = save(6, 7, &[]);
    deletion.writes = changes.apply(std::collections::BTreeMap::new()).unwrap();
    adapter.save_projection(deletion).await.unwrap();
    assert_eq!(found(&adapter, all().equal("tags", "z")).await, (keys(&[]), 0));
}

/// An inline projection's documents are in the same atom as its events; the last write of one key counts.
#[tokio::test]
async fn documents_go_with_their_append() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    let with = |expected, likes| {
        let mut append = to("a", expected);
        append.documents = save(0, 0, &[("k", likes, &[])]).writes;
        append
    };
    let group = vec![
        with(super::support::exact(0), 1),
        with(super::support::exact(1), 2),
        with(super::support::exact(9), 3),
    ];
    let outcomes = adapter.append(group, umbel_core::Timestamp::from_micros(1)).await;
    assert!(outcomes[0].is_ok() && outcomes[1].is_ok() && outcomes[2].is_err(), "{outcomes:?}");
    let key = DocumentKey { collection: Article::COLLECTION, key: "k".into() };
    let found = adapter.get_documents(vec![key.clone(), key]).await.unwrap();
    assert!(found.iter().all(|body| body.as_ref().unwrap().as_str().contains("\"likes\":2")), "{found:?}");
    append(&adapter, to("a", super::support::exact(2))).await.unwrap();
}
