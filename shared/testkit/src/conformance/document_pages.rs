//! Pages of documents: wherever they begin and end, by whichever index, either way.

use serde_json::json;
use umbel_core::{
    Document,
    document::{Direction, DocumentQuery, DocumentWrite},
    store::Append,
};

use super::{Item, StoreUnderTest, documents::scan, items};

fn item(group: i32, rank: i32, tags: &[&str]) -> Option<Item> {
    let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
    Some(Item { group: json!(group), rank: Some(json!(rank)), tags })
}

async fn write<S: StoreUnderTest>(store: &S, documents: Vec<DocumentWrite>) {
    store.append(Append { documents, ..Append::default() }).await.unwrap();
}

/// Both ways by each index, and by key.
fn orders() -> impl Iterator<Item = DocumentQuery> {
    let by = |index: &&'static str| {
        let index = *index;
        [Direction::Forward, Direction::Backward]
            .map(|direction| DocumentQuery::of::<Item>().order_by(index, direction))
    };
    Item::INDEXES.iter().flat_map(by).chain([DocumentQuery::of::<Item>()])
}

async fn agrees<S: StoreUnderTest>(store: &S, documents: &[DocumentWrite], query: DocumentQuery) {
    let found = store.query_documents(query.clone()).await.unwrap();
    let keys: Vec<_> = found.documents.iter().map(|(key, _)| key.clone()).collect();
    assert_eq!((keys, found.total), scan(documents, &query), "{query:?}");
    for (key, body) in &found.documents {
        let written = documents.iter().find(|write| write.key == *key).unwrap();
        let decode = |body: &umbel_core::Json| body.decode::<Item>().unwrap();
        assert_eq!(Some(decode(body)), written.body.as_ref().map(decode), "{key}");
    }
}

/// CD-06: every page of documents with equal entries, several or none, with and without filters: a document counts at its least entry, and
/// behind the end there is nothing, but the total.
pub async fn every_page_is_its_part_of_a_scan<S: StoreUnderTest>(store: S) {
    for query in orders() {
        agrees(&store, &[], query).await;
    }
    let documents = items([
        ("a", item(1, 4, &["m", "z", "b"])),
        ("b", item(1, 3, &[])),
        ("c", item(2, 9, &["b"])),
        ("d", item(1, 3, &["z", "c"])),
        ("e", item(2, 1, &[])),
        ("f", item(1, 3, &["c", "a"])),
        ("g", item(2, 4, &["b", "y"])),
        ("h", item(1, 7, &["n"])),
    ]);
    write(&store, documents.clone()).await;
    for order in orders() {
        let filtered = [
            order.clone(),
            order.clone().equal("group", 1),
            order.clone().one_of("tags", ["b", "z", "y"]),
            order.clone().between("rank", Some(3), Some(4)).equal("group", 1),
            order.between("tags", None::<i32>, None::<i32>),
        ];
        for query in filtered {
            for offset in [0, 1, 2, 3, 5, 6, 7, 8, 9, u64::MAX] {
                for limit in [0, 1, 2, 3, 8, 9] {
                    agrees(&store, &documents, query.clone().page(offset, limit)).await;
                }
            }
        }
    }
}

/// A document that loses its last entry of an index, or gets a first one, moves to where it belongs, and a deleted one is on no page.
pub async fn documents_that_lose_or_win_entries_move<S: StoreUnderTest>(store: S) {
    let mut documents = items([
        ("a", item(1, 1, &["x"])),
        ("b", item(1, 2, &["y", "w"])),
        ("c", item(1, 3, &["z"])),
        ("d", item(1, 4, &["v"])),
    ]);
    write(&store, documents.clone()).await;
    let changes = [
        ("c", item(1, 3, &[])),
        ("a", item(1, 1, &[])),
        ("c", item(1, 3, &["u", "z"])),
        ("b", None),
        ("d", item(1, 4, &[])),
    ];
    for (key, item) in changes {
        let change = items([(key, item)]);
        write(&store, change.clone()).await;
        documents.retain(|write| write.key != key);
        documents.extend(change.into_iter().filter(|write| write.body.is_some()));
        for query in orders() {
            for (offset, limit) in [(0, 1), (0, 2), (1, 2), (2, 5), (0, 9)] {
                agrees(&store, &documents, query.clone().page(offset, limit)).await;
            }
        }
    }
}

/// Many matches among many documents, near the beginning of the order, everywhere in it, and at its end: the first pages are what a scan says.
pub async fn pages_of_many_matches_are_those_of_a_scan<S: StoreUnderTest>(store: S) {
    let keys: Vec<_> = (0..400).map(|number| format!("k{number}")).collect();
    let of = |number: i32| {
        let tags = [number % 11, number % 7].map(|tag| format!("t{tag:02}"));
        item(number / 100, number * 7 % 80, &tags.each_ref().map(String::as_str))
    };
    let documents = items(keys.iter().map(String::as_str).zip((0..).map(of)));
    write(&store, documents.clone()).await;
    for order in orders() {
        let filtered = [
            order.clone().equal("group", 0),
            order.clone().equal("group", 3),
            order.clone().one_of("tags", ["t01", "t02", "t09"]),
            order.clone().between("rank", Some(20), Some(70)),
            order.between("rank", Some(3), Some(70)).one_of("group", [1, 2]),
        ];
        for query in filtered {
            for (offset, limit) in [(0, 1), (0, 4), (1, 3), (3, 2), (0, 6), (90, 20)] {
                agrees(&store, &documents, query.clone().page(offset, limit)).await;
            }
        }
    }
}
