//! Documents: by key, by query.

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};
use umbel_core::{
    Document,
    document::{Direction, DocumentKey, DocumentQuery, DocumentWrite, Filter, IndexKey, Test},
    store::{Append, SaveProjection},
};

use super::{Item, StoreUnderTest, items};

fn item(group: Value, rank: Option<Value>, tags: &[&str]) -> Option<Item> {
    Some(Item { group, rank, tags: tags.iter().map(|&tag| tag.to_owned()).collect() })
}

async fn write<S: StoreUnderTest>(store: &S, documents: Vec<DocumentWrite>) {
    store.append(Append { documents, ..Append::default() }).await.unwrap();
}

fn all() -> DocumentQuery {
    DocumentQuery::of::<Item>()
}

/// The keys of the page, joined for short comparisons, and the total.
async fn found<S: StoreUnderTest>(store: &S, query: DocumentQuery) -> (String, u64) {
    let page = store.query_documents(query).await.unwrap();
    let keys: Vec<_> = page.documents.into_iter().map(|(key, _)| key).collect();
    (keys.join(" "), page.total)
}

fn is(keys: &str) -> (String, u64) {
    (keys.to_owned(), keys.split_whitespace().count().try_into().unwrap())
}

/// By key: one answer for each, in the order asked for, with `None` for what is missing or deleted; other
/// collections are other documents.
pub async fn documents_are_found_by_key<S: StoreUnderTest>(store: S) {
    let (a, b) = (item(json!(1), None, &["x"]), item(json!("ü"), None, &[]));
    write(&store, items([("a", a.clone()), ("b", b.clone()), ("c", b.clone())])).await;
    write(&store, items([("c", None), ("never", None)])).await;
    let key = |collection, key: &str| DocumentKey { collection, key: key.into() };
    let keys = ["b", "c", "a", "b", "A"].map(|name| key(Item::COLLECTION, name));
    let keys = keys.into_iter().chain([key("test.others", "a")]).collect();
    let found = store.get_documents(keys).await.unwrap();
    let found: Vec<Option<Item>> =
        found.into_iter().map(|body| body.map(|body| body.decode().unwrap())).collect();
    assert_eq!(found, [b.clone(), None, a, b, None, None]);
    assert_eq!(store.get_documents(Vec::new()).await, Ok(Vec::new()));
}

/// Equality, membership of several, ranges open and closed, lists by element, and all filters together.
pub async fn filters_select<S: StoreUnderTest>(store: S) {
    let documents = [
        ("a", item(json!("g1"), Some(json!(1)), &["red", "blue"])),
        ("b", item(json!("g1"), Some(json!(2)), &["red"])),
        ("c", item(json!("g2"), Some(json!(3)), &[])),
        ("d", item(json!("g2"), Some(json!(-4.5)), &["blue", "green"])),
        ("e", item(json!("g3"), Some(json!("text")), &["red", "red"])),
    ];
    write(&store, items(documents)).await;
    let none = None::<i32>;
    for (query, expected) in [
        (all(), "a b c d e"),
        (all().equal("group", "g1"), "a b"),
        (all().equal("group", "G1"), ""),
        (all().equal("rank", 3.0), "c"),
        (all().one_of("group", ["g3", "g1", "none"]), "a b e"),
        (all().one_of("group", [""; 0]), ""),
        (all().equal("tags", "red"), "a b e"),
        (all().one_of("tags", ["red", "blue"]), "a b d e"),
        (all().equal("tags", "red").equal("tags", "blue"), "a"),
        (all().between("rank", Some(1), Some(2)), "a b"),
        (all().between("rank", Some(2), none), "b c e"),
        (all().between("rank", none, Some(1)), "a d"),
        (all().between("rank", none, none), "a b c d e"),
        (all().between("tags", none, none), "a b d e"),
        (all().between("rank", Some(3), Some(1)), ""),
        (all().between("tags", Some("c"), Some("r")), "d"),
        (all().equal("group", "g1").between("rank", Some(2), Some(9)).one_of("tags", ["red"]), "b"),
        (all().equal("group", "g1").equal("rank", 3), ""),
    ] {
        assert_eq!(found(&store, query.clone()).await, is(expected), "{query:?}");
    }
    let elsewhere = DocumentQuery { collection: "test.others".into(), ..all() };
    assert_eq!(found(&store, elsewhere).await, is(""));
}

/// A missing field, null and a value are told apart: the first two are null, an empty list is nothing at all.
pub async fn absent_and_null_fields_are_null<S: StoreUnderTest>(store: S) {
    let documents = [
        ("absent", item(json!(0), None, &[])),
        ("false", item(json!(0), Some(json!(false)), &[])),
        ("null", item(json!(0), Some(json!(null)), &["x"])),
    ];
    write(&store, items(documents)).await;
    let null = json!(null);
    assert_eq!(found(&store, all().equal("rank", &null)).await, is("absent null"));
    assert_eq!(found(&store, all().equal("tags", &null)).await, is(""));
    assert_eq!(found(&store, all().one_of("rank", [json!(false)])).await, is("false"));
    // Sorted by a list (which is not for lists), a document without elements comes first.
    let by_tags = all().order_by("tags", Direction::Forward);
    assert_eq!(found(&store, by_tags).await, is("absent false null"));
    let by_tags = all().order_by("tags", Direction::Backward);
    assert_eq!(found(&store, by_tags).await, is("null absent false"));
}

/// CD-06: either way by an index, equal entries by key ascending, pages of it, and a total that ignores paging.
pub async fn matches_are_sorted_and_paged<S: StoreUnderTest>(store: S) {
    let ranked = |group: i32, rank: i32| item(json!(group), Some(json!(rank)), &[]);
    let documents = [
        ("a", ranked(1, 5)),
        ("B", ranked(1, 5)),
        ("ü", ranked(1, 5)),
        ("c", ranked(2, -1)),
        ("d", ranked(1, 10)),
        ("e", ranked(2, 7)),
    ];
    write(&store, items(documents)).await;
    let forward = all().order_by("rank", Direction::Forward);
    let backward = all().order_by("rank", Direction::Backward);
    // Keys compare byte by byte, capitals first.
    assert_eq!(found(&store, all()).await, is("B a c d e ü"));
    assert_eq!(found(&store, forward.clone()).await, is("c B a ü e d"));
    assert_eq!(found(&store, backward.clone()).await, is("d e B a ü c"));
    assert_eq!(found(&store, backward.clone().equal("group", 1)).await, is("d B a ü"));
    for (offset, limit, expected) in
        [(0, 2, "d e"), (2, 2, "B a"), (4, 2, "ü c"), (5, 2, "c"), (6, 2, ""), (99, 1, ""), (0, 0, "")]
    {
        let page = backward.clone().page(offset, limit);
        assert_eq!(found(&store, page).await, (expected.to_owned(), 6), "{offset} {limit}");
    }
    let page = forward.equal("group", 1).page(1, 2);
    assert_eq!(found(&store, page).await, ("a ü".to_owned(), 4));
}

/// Null, false, true, numbers, texts: that is the order, whatever the database thinks of them.
pub async fn every_kind_of_scalar_has_its_place<S: StoreUnderTest>(store: S) {
    let long = "y".repeat(3000);
    let ordered = [
        json!(null),
        json!(false),
        json!(true),
        json!(-1e300),
        json!(-2),
        json!(-1),
        json!(0),
        json!(1e-9),
        json!(2),
        json!(10),
        json!(""),
        json!("10"),
        json!("2"),
        json!("Z"),
        json!("a"),
        json!(long),
        json!("ä"),
        json!("世"),
        json!("👋"),
    ];
    let keys: Vec<_> =
        (0..ordered.len()).map(|index| format!("{:02}", (index * 7) % ordered.len())).collect();
    let documents =
        keys.iter().zip(&ordered).map(|(key, rank)| (key.as_str(), item(json!(0), Some(rank.clone()), &[])));
    write(&store, items(documents)).await;
    assert_eq!(found(&store, all().order_by("rank", Direction::Forward)).await, is(&keys.join(" ")));
    for (key, rank) in keys.iter().zip(&ordered) {
        assert_eq!(found(&store, all().equal("rank", rank)).await, is(key), "{rank}");
    }
    let numbers = all().between("rank", Some(-2), Some(2)).order_by("rank", Direction::Forward);
    assert_eq!(found(&store, numbers).await, is(&keys[4..=8].join(" ")));
}

/// A document written again is found by what it is now and not by what it was; a deleted one not at all. Within
/// one write the last one of a key counts.
pub async fn a_new_body_replaces_all_entries<S: StoreUnderTest>(store: S) {
    write(&store, items([("a", item(json!("old"), Some(json!(1)), &["x", "y"]))])).await;
    let new = item(json!("new"), None, &["y", "z"]);
    write(&store, items([("a", new.clone())])).await;
    for (query, expected) in [
        (all().equal("group", "old"), ""),
        (all().equal("rank", 1), ""),
        (all().equal("tags", "x"), ""),
        (all().equal("group", "new"), "a"),
        (all().equal("tags", "y"), "a"),
        (all().equal("tags", "z").equal("rank", json!(null)), "a"),
    ] {
        assert_eq!(found(&store, query.clone()).await, is(expected), "{query:?}");
    }
    let twice = [items([("a", None)]), items([("a", new)]), items([("b", item(json!(1), None, &[]))])];
    write(&store, twice.into_iter().flatten().chain(items([("b", None)])).collect()).await;
    assert_eq!(found(&store, all()).await, is("a"));
    write(&store, items([("a", None)])).await;
    assert_eq!(found(&store, all().equal("tags", "y")).await, is(""));
    assert_eq!(found(&store, all()).await, is(""));
}

/// Random queries over random documents give what looking at every document gives: the same on every adapter.
pub async fn queries_agree_with_a_scan<S: StoreUnderTest>(store: S) {
    let mut runner = TestRunner::deterministic();
    let documents: Vec<_> = (0..150)
        .map(|number| {
            let item = any_item().new_tree(&mut runner).unwrap().current();
            items([(format!("k{number:03}").as_str(), Some(item))]).remove(0)
        })
        .collect();
    let request = SaveProjection {
        clear: Vec::new(),
        projection: "test.items/1".into(),
        expected: umbel_core::Position::START,
        position: super::position(1),
        writes: documents.clone(),
    };
    store.save_projection(request).await.unwrap();
    for _ in 0..200 {
        let query = any_query().new_tree(&mut runner).unwrap().current();
        let (page, total) = scan(&documents, &query);
        assert_eq!(found(&store, query.clone()).await, (page.join(" "), total), "{query:?}");
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..4_i32).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
    ]
}

fn any_item() -> impl Strategy<Value = Item> {
    let tags = prop::collection::vec("[abc]", 0..3);
    (any_value(), prop::option::of(any_value()), tags).prop_map(|(group, rank, tags)| Item {
        group,
        rank,
        tags,
    })
}

fn any_query() -> impl Strategy<Value = DocumentQuery> {
    let index = prop::sample::select(Item::INDEXES);
    let filter = (index.clone(), any::<bool>(), prop::collection::vec(any_value(), 0..4));
    let order = prop::option::of((index, any::<bool>()));
    (prop::collection::vec(filter, 0..4), order, 0..20_u64, 0..200_u32).prop_map(
        |(filters, order, offset, limit)| {
            let mut query = all().page(offset, limit);
            for (index, range, values) in filters {
                query = if range {
                    query.between(index, values.first(), values.get(1))
                } else {
                    query.one_of(index, values)
                };
            }
            if let Some((index, forward)) = order {
                let direction = if forward { Direction::Forward } else { Direction::Backward };
                query = query.order_by(index, direction);
            }
            query
        },
    )
}

/// The answer by looking at every document.
pub(super) fn scan(documents: &[DocumentWrite], query: &DocumentQuery) -> (Vec<String>, u64) {
    let mut matches: Vec<_> = documents
        .iter()
        .filter(|write| query.filters.iter().all(|filter| satisfies(write, filter)))
        .collect();
    matches.sort_by(|a, b| {
        let by_key = a.key.cmp(&b.key);
        let Some(order) = &query.order else { return by_key };
        let by_index = keys_of(a, &order.index).min().cmp(&keys_of(b, &order.index).min());
        let by_index = if order.direction == Direction::Forward { by_index } else { by_index.reverse() };
        by_index.then(by_key)
    });
    let total = matches.len().try_into().unwrap();
    let page = matches.iter().skip(query.offset.try_into().unwrap()).take(query.limit.try_into().unwrap());
    (page.map(|write| write.key.clone()).collect(), total)
}

fn satisfies(write: &DocumentWrite, filter: &Filter) -> bool {
    keys_of(write, &filter.index).any(|key| match &filter.test {
        Test::In(wanted) => wanted.contains(key),
        Test::Range { from, to } => {
            from.as_ref().is_none_or(|from| from <= key) && to.as_ref().is_none_or(|to| key <= to)
        }
    })
}

fn keys_of<'a>(write: &'a DocumentWrite, index: &'a str) -> impl Iterator<Item = &'a IndexKey> {
    write.entries.iter().filter(move |entry| entry.index == index).map(|entry| &entry.key)
}
