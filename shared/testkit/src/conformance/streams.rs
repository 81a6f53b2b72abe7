//! What there is to know of streams, and their list.

use umbel_core::{
    ExpectedVersion::{Any, NoStream},
    StreamName, Timestamp,
    document::Direction::{Backward, Forward},
    store::{Append, ListStreams, ReadError, Removal, StreamPlace, StreamSort},
};

use super::{
    Events, StoreUnderTest, delete, link, position, put, read_log_with_holes, stream, truncate, version,
};

async fn list<S: StoreUnderTest>(store: &S, request: ListStreams) -> (Vec<String>, u64) {
    let list = store.ask(request).await.unwrap();
    (list.streams.iter().map(|info| info.stream.to_string()).collect(), list.total.unwrap_or_default())
}

fn by(sort: StreamSort) -> ListStreams {
    ListStreams { sort, search: Some("s-".into()), limit: 100, ..ListStreams::default() }
}

/// RD-06: the log of all streams, live, truncated and soft-deleted streams and the audit have their infos; unknown and
/// hard-deleted ones have none.
pub async fn every_kind_of_stream_has_its_info<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let all = store.stream_info(StreamName::all()).await.unwrap();
    assert_eq!((all.stream, all.version, all.first_version), (StreamName::all(), version(0), version(1)));
    assert_eq!(
        store.stream_info(StreamName::audit()).await,
        Err(ReadError::StreamNotFound(StreamName::audit()))
    );

    for name in ["live", "short", "soft", "hard"] {
        put(&store, events.append(name, NoStream, 2)).await;
    }
    for act in
        [truncate("short", 2, Removal::Soft), delete("soft", Removal::Soft), delete("hard", Removal::Hard)]
    {
        store.ask(events.perform(act)).await.unwrap();
    }
    let log = read_log_with_holes(&store, &[7, 8]).await;
    let recorded_at = |at: u64| log.iter().find(|event| event.position == position(at)).unwrap().recorded_at;
    for (name, number, first, created_at, deleted_at) in [
        (StreamName::all(), 11, 1, None, None),
        (stream("live"), 2, 1, Some(recorded_at(1)), None),
        (stream("short"), 2, 2, Some(recorded_at(3)), None),
        (stream("soft"), 2, 1, Some(recorded_at(5)), Some(recorded_at(10))),
        (StreamName::audit(), 3, 1, Some(recorded_at(9)), None),
    ] {
        let info = store.stream_info(name.clone()).await.unwrap();
        assert_eq!(
            (&info.stream, info.version, info.first_version),
            (&name, version(number), version(first))
        );
        assert!(created_at.is_none_or(|created_at| info.created_at == created_at), "{info:?}");
        assert_eq!(info.deleted_at, deleted_at, "{name}");
    }
    for name in ["hard", "unknown", "LIVE", "live "] {
        assert_eq!(store.stream_info(stream(name)).await, Err(ReadError::StreamNotFound(stream(name))));
    }
}

/// RD-07: the list has the log of all streams and every stream that was appended or linked to, soft-deleted ones
/// included; not the hard-deleted, not those whose first append was refused.
pub async fn the_list_has_what_is_there<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let whole = || ListStreams { limit: 100, ..ListStreams::default() };
    assert_eq!(list(&store, whole()).await, (vec!["$all".into()], 1));
    let ids = put(&store, events.append("b", NoStream, 1)).await;
    for name in ["a", "gone", " first", "deleted", "Ä"] {
        put(&store, events.append(name, NoStream, 1)).await;
    }
    store.append(events.append("refused", super::exact(1), 1)).await.unwrap_err();
    store.ask(link("linked", NoStream, &ids)).await.unwrap();
    store.ask(events.perform(delete("gone", Removal::Hard))).await.unwrap();
    store.ask(events.perform(delete("deleted", Removal::Soft))).await.unwrap();
    let names = [" first", "$all", "$audit", "a", "b", "deleted", "linked", "Ä"].map(String::from);
    assert_eq!(list(&store, whole()).await, (names.to_vec(), 8));
    // Each is told of as when it is asked about alone.
    for info in store.ask(whole()).await.unwrap().streams {
        assert_eq!(store.stream_info(info.stream.clone()).await, Ok(info));
    }
    // The names of streams that lost all they held stay in use, and are listed.
    store.ask(events.perform(truncate("b", 2, Removal::Hard))).await.unwrap();
    assert_eq!(list(&store, whole()).await.1, 8);
}

/// RD-07: the list is sorted by each of its columns either way, equal ones by name, the same way, and paged; totals ignore the page.
pub async fn the_list_is_sorted_and_paged<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    // Versions 1 to 3 twice; times fall while names rise.
    for (index, count) in [2, 1, 3, 1, 3, 2].into_iter().enumerate() {
        let append = events.append(&format!("s-{index}"), NoStream, count);
        let recorded_at = Some(Timestamp::from_micros(1000 - 10 * i64::try_from(index).unwrap()));
        put(&store, Append { recorded_at, ..append }).await;
    }
    put(&store, events.append("other", Any, 1)).await;
    for name in ["s-4", "s-1"] {
        // Their times differ, as the acts are done one after the other.
        store.ask(events.perform(delete(name, Removal::Soft))).await.unwrap();
    }
    let names = |order: [u32; 6]| -> Vec<String> { order.iter().map(|index| format!("s-{index}")).collect() };
    for (sort, forward, backward) in [
        (StreamSort::Name, [0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]),
        (StreamSort::Version, [1, 3, 0, 5, 2, 4], [4, 2, 5, 0, 3, 1]),
        (StreamSort::CreatedAt, [5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5]),
        (StreamSort::DeletedAt, [4, 1, 0, 2, 3, 5], [5, 3, 2, 0, 1, 4]),
    ] {
        for (direction, order) in [(Forward, forward), (Backward, backward)] {
            let whole = ListStreams { direction, ..by(sort) };
            assert_eq!(list(&store, whole.clone()).await, (names(order), 6), "{sort:?} {direction:?}");
            for limit in [1, 4] {
                let mut paged = Vec::new();
                for offset in (0..8).step_by(limit) {
                    let limit = limit.try_into().unwrap();
                    let (page, total) = list(&store, ListStreams { offset, limit, ..whole.clone() }).await;
                    assert_eq!(total, 6);
                    paged.extend(page);
                }
                assert_eq!(paged, names(order), "{sort:?} {direction:?} by {limit}");
                let (mut paged, mut behind) = (Vec::new(), None);
                loop {
                    let limit = limit.try_into().unwrap();
                    let page = store.ask(ListStreams { behind, limit, ..whole.clone() }).await.unwrap();
                    paged.extend(page.streams.iter().map(|info| info.stream.to_string()));
                    behind = page.streams.last().map(|last| sort.place(last));
                    if behind.is_none() {
                        break;
                    }
                }
                // What is sorted by version has one page.
                let listed = if sort == StreamSort::Version { limit } else { order.len() };
                assert_eq!(
                    paged,
                    names(order)[..listed],
                    "{sort:?} {direction:?} by {limit}, each behind the one before"
                );
            }
        }
    }
}

/// RD-07: behind a place come the streams that are behind it in the order, and nothing is counted then. Its stream need not be
/// there.
pub async fn the_list_goes_on_behind_a_stream<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    for name in ["s-1", "s-2", "S-3", "s-ä", "t-1", "other"] {
        put(&store, events.append(name, NoStream, 1)).await;
    }
    let whole = ListStreams { limit: 100, ..ListStreams::default() };
    let (names, total) = list(&store, whole.clone()).await;
    assert_eq!(
        (&names[..], total),
        (&["$all", "S-3", "other", "s-1", "s-2", "s-ä", "t-1"].map(String::from)[..], 7)
    );
    for direction in [Forward, Backward] {
        let mut expected = names.clone();
        if direction == Backward {
            expected.reverse();
        }
        let (mut paged, mut behind) = (Vec::new(), None);
        loop {
            let request = ListStreams { direction, limit: 2, behind: behind.clone(), ..whole.clone() };
            let page = store.ask(request).await.unwrap();
            assert_eq!(page.total, behind.is_none().then_some(7));
            behind = page.streams.last().map(|info| StreamSort::Name.place(info));
            paged.extend(page.streams.iter().map(|info| info.stream.to_string()));
            if behind.is_none() {
                break;
            }
        }
        assert_eq!(paged, expected, "{direction:?}");
    }
    let at = store.stream_info(stream("s-1")).await.unwrap().created_at;
    let (created, name) = (StreamSort::CreatedAt, StreamSort::Name);
    for (sort, direction, at, expected) in [
        (name, Forward, None, vec!["s-2", "s-ä"]),
        (name, Backward, None, vec!["s-1"]),
        (created, Forward, Some(at), vec!["s-2", "s-ä"]),
        (created, Backward, Some(at), vec!["s-1"]),
        (StreamSort::DeletedAt, Forward, None, vec!["s-2", "s-ä"]),
        (StreamSort::DeletedAt, Backward, None, vec!["s-1"]),
        // Whoever was deleted comes before all that live.
        (StreamSort::DeletedAt, Forward, Some(at), vec!["s-1", "s-2", "s-ä"]),
        (StreamSort::DeletedAt, Backward, Some(at), vec![]),
        (StreamSort::Version, Forward, None, vec![]),
    ] {
        let behind = Some(StreamPlace { stream: stream("s-1x"), at });
        let request = ListStreams { sort, direction, search: Some("s-".to_owned()), behind, ..whole.clone() };
        assert_eq!(
            list(&store, request).await,
            (expected.into_iter().map(String::from).collect(), 0),
            "{sort:?} {direction:?}"
        );
    }
}

/// RD-07: a search finds part of a name, case and all, and no character of it means anything else.
pub async fn the_list_is_searched<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    for name in ["order-1", "Order-2", "100%", "a_b", "a'b", r"back\slash", "Ärger", "x[a]*?"] {
        put(&store, events.append(name, NoStream, 1)).await;
    }
    for (search, expected) in [
        ("order", vec!["order-1"]),
        ("rder-", vec!["Order-2", "order-1"]),
        ("%", vec!["100%"]),
        ("_", vec!["a_b"]),
        ("'", vec!["a'b"]),
        (r"\", vec![r"back\slash"]),
        ("Är", vec!["Ärger"]),
        ("är", vec![]),
        ("[a]*", vec!["x[a]*?"]),
        ("a?b", vec![]),
        ("$", vec!["$all"]),
        ("none", vec![]),
    ] {
        let request = ListStreams { search: Some(search.into()), limit: 9, ..ListStreams::default() };
        let total = expected.len().try_into().unwrap();
        let expected: Vec<_> = expected.into_iter().map(String::from).collect();
        assert_eq!(list(&store, request).await, (expected, total), "{search}");
    }
}

/// RD-07: a list of a category has what is of it in every order, and nothing that only begins like it.
pub async fn the_list_is_of_a_category<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    for name in ["a", "a-", "a-1", "a-1-2", "a!", "a.", "aa-1", "A-1", "b-a-1"] {
        put(&store, events.append(name, NoStream, 1)).await;
    }
    for (category, expected) in [
        ("a", &["a", "a-", "a-1", "a-1-2"][..]),
        ("a!", &["a!"]),
        ("$all", &["$all"]),
        ("a-1", &[]),
        ("", &[]),
    ] {
        for sort in [StreamSort::Name, StreamSort::Version, StreamSort::CreatedAt, StreamSort::DeletedAt] {
            for direction in [Forward, Backward] {
                let whole = ListStreams {
                    category: Some(category.into()),
                    sort,
                    direction,
                    limit: 9,
                    ..ListStreams::default()
                };
                let mut names: Vec<_> = expected.iter().map(|name| (*name).to_owned()).collect();
                if direction == Backward {
                    names.reverse();
                }
                let total = u64::try_from(names.len()).unwrap();
                let (mut listed, counted) = list(&store, whole.clone()).await;
                if sort == StreamSort::CreatedAt {
                    // Several were created in one moment or in another.
                    listed.sort_unstable_by(|a, b| if direction == Forward { a.cmp(b) } else { b.cmp(a) });
                }
                assert_eq!((&listed, counted), (&names, total), "{category} {sort:?} {direction:?}");
                for name in ["a-1", "A", "z"].into_iter().filter(|_| sort == StreamSort::Name) {
                    let behind = Some(StreamPlace { stream: stream(name), at: None });
                    let further = |one: &&String| {
                        if direction == Forward { one.as_str() > name } else { one.as_str() < name }
                    };
                    let expected: Vec<_> = names.iter().filter(further).cloned().collect();
                    assert_eq!(
                        list(&store, ListStreams { behind, ..whole.clone() }).await,
                        (expected, 0),
                        "{name}"
                    );
                }
                let searched = list(&store, ListStreams { search: Some("1".into()), ..whole }).await;
                assert_eq!(searched.1, names.iter().filter(|name| name.contains('1')).count() as u64);
            }
        }
    }
}
