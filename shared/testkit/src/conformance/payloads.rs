//! What an event may hold, and finding it by its id.

use std::sync::Arc;

use umbel_core::{
    EventId,
    ExpectedVersion::{Any, NoStream},
    Json, NewEvent, Payload, RecordedEvent, Subject,
    store::{Append, AppendError, FindEvent, InvalidAppend},
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
