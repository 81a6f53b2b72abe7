//! What an event may hold, and finding it by its id.

use std::sync::Arc;

use umbel_core::{
    EventId, EventType,
    ExpectedVersion::{Any, NoStream},
    Json, Metadata, NameError, NewEvent, Payload, RecordedEvent, Subject,
    json::DEPTH_MAX,
    store::{Append, AppendError, ClaimName, Claims, FindEvent, InvalidAppend, OutboxEntry},
};
use uuid::Uuid;

use super::{
    APPEND_MAX_EVENTS, Events, PAYLOAD_MAX_BYTES, StoreUnderTest, position, put, read_log, read_whole_stream,
    stream,
};

/// AP-12: bytes are kept as they are, beside JSON in one append, whatever they look like.
pub async fn bytes_are_kept_as_they_are<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let all_bytes: Vec<u8> = (0..=u8::MAX).chain([0, 0xc3, 0x28]).collect();
    let datas = [
        Payload::Binary(Arc::from(all_bytes)),
        Payload::Binary(Arc::from(&b""[..])),
        Payload::Json(Json::parse("{}").unwrap()),
        Payload::Binary(Arc::from(&b"{}"[..])),
        Payload::Binary(Arc::from(vec![7; 70_000])),
        Payload::Json(Json::parse(r#""{}""#).unwrap()),
    ];
    let with = |data: &Payload| NewEvent { data: data.clone(), ..events.one() };
    let written: Vec<_> = datas.iter().map(with).collect();
    store.append(Append::to_stream(stream("s"), NoStream, written.clone())).await.unwrap();
    for read in [read_log(&store).await, read_whole_stream(&store, &stream("s")).await] {
        let read: Vec<_> = read.into_iter().map(RecordedEvent::into_new).collect();
        assert!(read == written, "{read:?}");
    }
    for event in written {
        let found = store.ask(FindEvent { id: event.id }).await.unwrap().unwrap();
        assert!(found.data == event.data, "{:?}", event.data);
    }
}

/// AP-12: an event keeps whose personal data it holds, or that it holds none.
pub async fn an_event_keeps_its_subject<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let subjects = [Some(Subject::new("account-1").unwrap()), None, Some(Subject::new("Ådä, ' 7").unwrap())];
    let with = |subject: &Option<Subject>| NewEvent { subject: subject.clone(), ..events.one() };
    let append = Append::to_stream(stream("s"), NoStream, subjects.iter().map(with).collect());
    store.append(append).await.unwrap();
    let read: Vec<_> = read_log(&store).await.into_iter().map(|event| event.subject).collect();
    assert_eq!(read, subjects);
}

/// AP-10: an event as large as allowed is stored, one byte more is refused, JSON and bytes alike; so are too many
/// events in one append. Nothing of what is refused is stored.
pub async fn payloads_have_a_limit<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let text = |len: usize| Payload::Json(Json::encode(&"x".repeat(len - 2)).unwrap());
    let bytes = |len: usize| Payload::Binary(Arc::from(vec![0; len]));
    for (name, payload) in [("json", text as fn(usize) -> Payload), ("bytes", bytes)] {
        let event = NewEvent { data: payload(PAYLOAD_MAX_BYTES), ..events.one() };
        store.append(Append::to_stream(stream(name), NoStream, vec![event.clone()])).await.unwrap();
        let found = store.ask(FindEvent { id: event.id }).await.unwrap().unwrap();
        assert!(found.data == event.data, "{name}");

        let large = NewEvent { data: payload(PAYLOAD_MAX_BYTES + 1), ..events.one() };
        let (id, size_bytes, limit_bytes) = (large.id, PAYLOAD_MAX_BYTES + 1, PAYLOAD_MAX_BYTES);
        let refused = store.append(Append::to_stream(stream(name), Any, vec![events.one(), large])).await;
        let too_large = InvalidAppend::PayloadTooLarge { id, size_bytes, limit_bytes };
        assert_eq!(refused, Err(AppendError::Invalid(too_large)));
    }
    let count = APPEND_MAX_EVENTS + 1;
    let refused = store.append(events.append("s", NoStream, count)).await;
    let too_many = InvalidAppend::TooManyEvents { count, limit: APPEND_MAX_EVENTS };
    assert_eq!(refused, Err(AppendError::Invalid(too_many)));
    assert_eq!(read_log(&store).await.len(), 2);
}

/// AP-10, AP-12: whatever JSON can say is kept as it was written, up to the depth that can be read again, with names as long as
/// they may be; an event beyond that is refused by its name, alike in every store.
pub async fn what_cannot_be_kept_everywhere_is_refused<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let json = |text: String| Payload::from(Json::parse(text).unwrap());
    let with = |data| NewEvent { data, ..events.one() };
    let custom: serde_json::Value = serde_json::from_str(&nested(DEPTH_MAX - 1)).unwrap();
    let named =
        |name: &str| NewEvent { event_type: EventType { name: name.into(), schema: 1 }, ..events.one() };
    let metadata = Metadata::default().with("a\0", custom.clone()).with("b", "\0");
    let written = vec![
        with(json(r#"{"a\u0000":"\u0000","b":"\ud83d\udc4b \ud800","c":1e999,"d":-0.0,"c":2}"#.to_owned())),
        with(json(nested(DEPTH_MAX))),
        NewEvent { metadata, ..events.one() },
        NewEvent { event_type: EventType { schema: 0x7fff_ffff, ..events.one().event_type }, ..events.one() },
        named(&"ü".repeat(125)),
    ];
    let append = |events: &[NewEvent]| Append::to_stream(stream("s"), Any, events.to_vec());
    for event in &written {
        assert!(store.append(append(std::slice::from_ref(event))).await.is_ok(), "{event:?}");
    }
    let read: Vec<_> = read_log(&store).await.into_iter().map(RecordedEvent::into_new).collect();
    assert!(read == written, "{read:?}");

    let (limit, one) = (DEPTH_MAX, events.one());
    let (deep, id) = (Json::from_store(nested(100_000)), one.id);
    let too_deep = InvalidAppend::TooDeep { id, limit };
    let deeper = Metadata::default().with("a", serde_json::Value::Array(vec![custom]));
    let name = |reason| InvalidAppend::EventName { id, reason };
    let too_long = NameError::TooLong { len_bytes: 251, limit_bytes: 250 };
    let schemed =
        |schema| NewEvent { event_type: EventType { schema, ..named("a").event_type }, ..one.clone() };
    for (event, error) in [
        (NewEvent { data: deep.clone().into(), ..one.clone() }, too_deep.clone()),
        (NewEvent { data: json(nested(DEPTH_MAX + 1)), ..one.clone() }, too_deep.clone()),
        (NewEvent { metadata: deeper, ..one.clone() }, too_deep),
        (NewEvent { id, ..named("a\0b") }, name(NameError::Character('\0'))),
        (NewEvent { id, ..named(&"x".repeat(251)) }, name(too_long)),
        (NewEvent { id, ..named("") }, name(NameError::Empty)),
        (schemed(0), InvalidAppend::EventSchema { id, schema: 0 }),
        (schemed(1 << 31), InvalidAppend::EventSchema { id, schema: 1 << 31 }),
    ] {
        assert_eq!(store.append(append(&[events.one(), event])).await, Err(error.into()));
    }

    let claims = |value: &str| Claims { take: vec![ClaimName::new("test", value)], ..Claims::default() };
    let entry = |queue: &str, body| OutboxEntry { id: id.0, queue: queue.to_owned(), body, due_at: None };
    for refused in [
        Append { claims: claims("a\0"), ..append(&[events.one()]) },
        Append { claims: claims(&"x".repeat(1001)), ..append(&[events.one()]) },
        Append { outbox: vec![entry("a\0", Json::parse("1").unwrap())], ..append(&[events.one()]) },
        Append { outbox: vec![entry("a", deep)], ..append(&[events.one()]) },
    ] {
        let outcome = store.append(refused).await;
        let is_right = matches!(
            outcome,
            Err(AppendError::Invalid(InvalidAppend::Text { .. } | InvalidAppend::TooDeepBeside { .. }))
        );
        assert!(is_right, "{outcome:?}");
    }
    let longest = ClaimName::new("x".repeat(1000), "ü".repeat(500));
    let claims = Claims { take: vec![longest], ..Claims::default() };
    store.append(Append { claims, ..append(&[events.one()]) }).await.unwrap();
    assert_eq!(read_log(&store).await.len(), written.len() + 1);
}

/// RD-05: an event is found by its id, with its place in the log.
pub async fn an_event_is_found_by_its_id<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    put(&store, events.append("a", NoStream, 2)).await;
    let ids = put(&store, events.append("b", NoStream, 2)).await;
    let found = store.ask(FindEvent { id: ids[1] }).await.unwrap().unwrap();
    assert_eq!(found.position, position(4));
    assert_eq!(found, read_log(&store).await[3]);
    assert_eq!(store.ask(FindEvent { id: EventId(Uuid::nil()) }).await, Ok(None));
    assert_eq!(store.ask(FindEvent { id: events.one().id }).await, Ok(None));
}
