//! What an append stores, and what it refuses.

use umbel_core::{
    ExpectedVersion::{Any, NoStream, StreamExists},
    Metadata, NewEvent, StreamName, Timestamp,
    document::{Direction, DocumentKey},
    store::{
        Append, AppendError, Appended, ClaimName, Claims, InvalidAppend, Limits, ReadStream, Stored,
        StreamAppend,
    },
};
use uuid::Uuid;

use super::{APPEND_MAX_EVENTS, Events, StoreUnderTest, exact, items, position, read_log, stream, version};

/// AP-01: any-version, no-stream and version 0 all begin a stream at version 1.
pub async fn a_new_stream_begins_at_version_one<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    for (index, expected) in [Any, NoStream, exact(0)].into_iter().enumerate() {
        let name = format!("new-{index}");
        let appended = store.append(events.append(&name, expected, 2)).await.unwrap();
        assert_eq!(appended.versions, [version(2)], "{expected}");
        assert_eq!(appended.repeated, None);
    }
    let log = read_log(&store).await;
    assert_eq!(log.len(), 6);
    assert_eq!(log[4].stream, stream("new-2"));
    assert_eq!(log[4].version, version(1));
}

/// AP-02: no-stream is refused by a stream with events, and says at which version it is.
pub async fn no_stream_needs_an_empty_stream<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    store.append(events.append("s", NoStream, 2)).await.unwrap();
    let refused = store.append(events.append("s", NoStream, 1)).await;
    assert_eq!(refused, Err(AppendError::StreamExists { stream: stream("s"), actual: version(2) }));
    assert_eq!(read_log(&store).await.len(), 2);
}

/// AP-02: stream-exists is refused without a stream and accepted with one.
pub async fn stream_exists_needs_a_stream<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let refused = store.append(events.append("s", StreamExists, 1)).await;
    assert_eq!(refused, Err(AppendError::StreamNotFound(stream("s"))));
    store.append(events.append("s", NoStream, 1)).await.unwrap();
    let appended = store.append(events.append("s", StreamExists, 1)).await.unwrap();
    assert_eq!((appended.versions, appended.last_position), (vec![version(2)], Some(position(2))));
}

/// AP-03: too low and too high are both wrong, name the actual version and leave nothing behind.
pub async fn a_wrong_expected_version_stores_nothing<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    store.append(events.append("s", exact(0), 3)).await.unwrap();
    for wrong in [2, 4] {
        let refused = store.append(events.append("s", exact(wrong), 1)).await;
        let (stream, expected, actual) = (stream("s"), exact(wrong), version(3));
        assert_eq!(refused, Err(AppendError::WrongExpectedVersion { stream, expected, actual }));
    }
    let refused = store.append(events.append("other", exact(1), 1)).await;
    assert!(matches!(refused, Err(AppendError::WrongExpectedVersion { .. })), "{refused:?}");
    assert_eq!(read_log(&store).await.len(), 3);
    assert!(store.stream_info(stream("other")).await.is_err(), "a refused append left a stream behind");
    store.append(events.append("s", exact(3), 1)).await.unwrap();
}

/// AP-06: an event id is in the log once, whichever stream it comes to again.
pub async fn a_reused_event_id_is_a_duplicate<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let first = events.one();
    let to = |name: &str, expected, events: Vec<NewEvent>| Append::to_stream(stream(name), expected, events);
    store.append(to("s", NoStream, vec![first.clone()])).await.unwrap();
    for reuse in [
        to("s", Any, vec![first.clone()]),
        to("s", exact(1), vec![first.clone()]),
        to("other", NoStream, vec![first.clone()]),
        to("other", NoStream, vec![events.one(), first.clone()]),
        to("other", Any, vec![first.clone(), events.one()]),
    ] {
        let refused = store.append(reuse.clone()).await;
        assert_eq!(refused, Err(AppendError::DuplicateEvent { id: first.id }), "{reuse:?}");
    }
    assert_eq!(read_log(&store).await.len(), 1);
}

/// AP-07: around every likely batch size, all events are stored, in the order given.
pub async fn large_appends_are_stored_whole_and_in_order<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let mut written = Vec::new();
    for count in [999, 1000, 1001, 2500, 8001, APPEND_MAX_EVENTS] {
        let append = events.append(&format!("large-{count}"), NoStream, count);
        written.extend(append.streams[0].events.iter().map(|event| event.id));
        let appended = store.append(append).await.unwrap();
        assert_eq!(appended.versions, [version(count.try_into().unwrap())]);
        assert_eq!(appended.last_position, Some(position(written.len().try_into().unwrap())));
    }
    let read: Vec<_> = read_log(&store).await.into_iter().map(|event| event.id).collect();
    assert!(read == written, "the events are not those written, in their order");
}

/// AP-07: when the last event of a large append is refused, none is stored; nor of one that is larger than allowed.
pub async fn a_large_append_is_refused_whole<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let first = events.one();
    store.append(Append::to_stream(stream("s"), NoStream, vec![first.clone()])).await.unwrap();
    for count in [999, 1000, 1001, 2500, APPEND_MAX_EVENTS] {
        let mut large = events.append("large", NoStream, count - 1);
        large.streams[0].events.push(first.clone());
        assert_eq!(store.append(large).await, Err(AppendError::DuplicateEvent { id: first.id }), "{count}");
    }
    let too_many = store.append(events.append("large", NoStream, APPEND_MAX_EVENTS + 1)).await;
    assert!(matches!(too_many, Err(AppendError::Invalid(_))), "{too_many:?}");
    assert_eq!(read_log(&store).await.len(), 1);
    store.append(events.append("large", NoStream, 1)).await.unwrap();
}

/// AP-10: nobody appends to the system's own streams, and trying leaves nothing behind.
pub async fn nobody_appends_to_the_systems_own<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    for own in [StreamName::all(), StreamName::audit()] {
        let mut append = events.append("s", Any, 1);
        append.streams.push(StreamAppend::new(own.clone(), Any, events.many(1)));
        let refused = store.append(append).await;
        assert_eq!(refused, Err(AppendError::Invalid(InvalidAppend::Reserved(own))));
    }
    assert_eq!(read_log(&store).await, []);
}

/// AP-12: what is read back equals what was written: any text, with metadata and without, type and schema.
pub async fn what_is_read_equals_what_was_written<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let datas = [
        r#"{"z": 1.50, "a": "Grüße, 世界 👋 \u0000 \\ \" '; DROP TABLE events; --"}"#,
        r#"[null,true,-1e-7,18446744073709551615,""]"#,
        "null",
        r#""text""#,
    ];
    let full = Metadata::correlated(Uuid::from_u128(7))
        .caused_by(Uuid::from_u128(u128::MAX))
        .with("wer", "Ådä")
        .with("tief", serde_json::json!({"list": [1, null, {"x": 0.5}]}));
    let mut written = Vec::new();
    for data in datas {
        for metadata in [Metadata::default(), Metadata::correlated(Uuid::from_u128(9)), full.clone()] {
            let data = umbel_core::Json::parse(data).unwrap().into();
            written.push(NewEvent { data, metadata, ..events.typed("täst.geschah/7") });
        }
    }
    let name = "strøm-, a 世界;'\"";
    let append = Append::to_stream(stream(name), NoStream, written.clone());
    store.append(append).await.unwrap();

    let request = ReadStream { stream: stream(name), from: None, direction: Direction::Forward, limit: 100 };
    let read = store.read_stream(request).await.unwrap().events;
    assert_eq!(read, read_log(&store).await);
    let read: Vec<_> = read.into_iter().map(umbel_core::RecordedEvent::into_new).collect();
    assert_eq!(read, written);
}

/// AP-09: an append that says when its events happened is recorded with that time, to the microsecond, on a new
/// and on an existing stream; a stream is as old as its first event.
pub async fn events_carry_the_time_they_are_given<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let long_ago = Timestamp::from_micros(-1_234_567);
    let then = Timestamp::from_micros(1_000_000_000_000_001);
    let at = |time, append| Append { recorded_at: Some(time), ..append };
    store.append(at(long_ago, events.append("s", NoStream, 2))).await.unwrap();
    store.append(at(then, events.append("s", exact(2), 1))).await.unwrap();
    store.append(events.append("s", exact(3), 1)).await.unwrap();
    let times: Vec<_> = read_log(&store).await.iter().map(|event| event.recorded_at).collect();
    assert_eq!(times[..3], [long_ago, long_ago, then]);
    assert!(times[3] > then, "the store's own time comes from its clock");
    assert_eq!(store.stream_info(stream("s")).await.unwrap().created_at, long_ago);
}

/// AP-13: an append of nothing is invalid before any store sees it; one with something else but no events is
/// stored and has neither position nor versions.
pub async fn an_append_without_events_has_a_defined_result<S: StoreUnderTest>(store: S) {
    let limits = Limits {
        append_max_events: 10,
        payload_max_bytes: 1000,
        append_max_bytes: 2000,
        event_max_tags: 16,
        json_max_depth: 127,
    };
    assert_eq!(Append::default().validate(&limits), Err(InvalidAppend::Empty));
    let reply = umbel_core::Json::encode(&"x".repeat(2000)).unwrap();
    let command = Some(umbel_core::store::CommandRecord { id: Uuid::nil().into(), reply });
    let large = Append { command, ..Append::default() };
    let too_large = InvalidAppend::TooLarge { size_bytes: 2002, limit_bytes: 2000 };
    assert_eq!(large.validate(&limits), Err(too_large));
    let no_events = Append::to_stream(stream("s"), Any, Vec::new());
    assert_eq!(no_events.validate(&limits), Err(InvalidAppend::NoEvents(stream("s"))));

    let take = vec![ClaimName::new("test.name", "x")];
    let claims = Claims { owner: "ada".into(), take, release: Vec::new(), from: None };
    let appended = store.append(Append { claims, ..Append::default() }).await;
    assert_eq!(appended, Ok(Appended::now(None, Vec::new())));
    assert_eq!(read_log(&store).await, []);
}

/// One append to three streams takes contiguous positions; the versions come in the order of its streams.
pub async fn several_streams_are_one_atom<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    store.append(events.append("b", NoStream, 4)).await.unwrap();
    let mut append = events.append("c", NoStream, 1);
    append.streams.extend(events.append("b", exact(4), 2).streams);
    append.streams.extend(events.append("a", Any, 3).streams);
    let appended = store.append(append).await.unwrap();
    assert_eq!(appended.versions, [version(1), version(6), version(3)]);
    assert_eq!(appended.last_position, Some(position(10)));
    let log = read_log(&store).await;
    let streams: Vec<_> = log.iter().skip(4).map(|event| event.stream.as_str()).collect();
    assert_eq!(streams, ["c", "b", "b", "a", "a", "a"]);
}

/// UX-04: one wrong expected version of three refuses all of them and the document beside them, and the error names that stream.
pub async fn one_wrong_stream_refuses_the_whole_append<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    store.append(events.append("b", NoStream, 1)).await.unwrap();
    let mut append = events.append("a", NoStream, 1);
    append.streams.extend(events.append("b", exact(3), 1).streams);
    append.streams.extend(events.append("c", NoStream, 1).streams);
    append.documents = items([("x", Some(item("refused")))]);
    let refused = store.append(append).await;
    let (stream, expected, actual) = (stream("b"), exact(3), version(1));
    assert_eq!(refused, Err(AppendError::WrongExpectedVersion { stream, expected, actual }));
    assert_eq!(read_log(&store).await.len(), 1);
    assert_eq!(read_item(&store, "x").await, None);
}

fn item(group: &str) -> super::Item {
    super::Item { group: group.into(), rank: None, tags: Vec::new() }
}

/// The group of an item, if there is one under the key.
async fn read_item<S: StoreUnderTest>(store: &S, key: &str) -> Option<serde_json::Value> {
    let keys = vec![DocumentKey { collection: "test.items", key: key.into() }];
    let found = store.get_documents(keys).await.unwrap().remove(0);
    found.map(|body| body.decode::<super::Item>().unwrap().group)
}

/// AP-08, MA-02: the append is the transaction: what is written beside the events, here documents of inline projections,
/// is written with them, and not at all when they are refused.
pub async fn documents_are_written_with_the_events<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let with_documents = |mut append: Append, group| {
        append.documents = items([("k", Some(item(group)))]);
        append
    };
    let read = async || read_item(&store, "k").await;

    store.append(with_documents(events.append("s", NoStream, 1), "first")).await.unwrap();
    assert_eq!(read().await, Some("first".into()));
    store.append(with_documents(events.append("s", NoStream, 1), "refused")).await.unwrap_err();
    assert_eq!(read().await, Some("first".into()));
    store.append(with_documents(events.append("s", exact(1), 1), "second")).await.unwrap();
    assert_eq!(read().await, Some("second".into()));
}

/// UX-02: the same append again, with a definite expected version, gets the first result, marked as stored before; the log
/// holds one copy.
pub async fn the_same_append_again_gets_the_first_result<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    store.append(events.append("a", NoStream, 2)).await.unwrap();
    let mut append = events.append("a", exact(2), 3);
    append.streams.extend(events.append("b", NoStream, 1).streams);
    let first = store.append(append.clone()).await.unwrap();
    assert_eq!(first.last_position, Some(position(6)));
    assert_eq!(first.stored, Stored::Now);
    assert_eq!(store.append(append.clone()).await, Ok(first.clone().again()));
    store.append(events.append("a", Any, 1)).await.unwrap();
    assert_eq!(store.append(append.clone()).await, Ok(first.again()));

    // A part of it is another append.
    append.streams.truncate(1);
    append.streams[0].events.push(events.one());
    let refused = store.append(append.clone()).await;
    assert_eq!(refused, Err(AppendError::DuplicateEvent { id: append.streams[0].events[0].id }));
    assert_eq!(read_log(&store).await.len(), 7);
}
