//! Every message and every answer, there and back.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::Instant;
use umbel_bus::{
    AskError, Consistency, Delivery, DispatchContext, DispatchError, Dispatched, EncodedAnswer, Errand,
    Outcome, Parcel, Refusal, Returned, Returning,
};
use umbel_core::{
    CommandId, EncodedEvent, EventName, EventType, ExpectedVersion, Gap, Json, Metadata, Payload, Position,
    StreamName, StreamNameError, Subject, Tags, Version, metadata::MetadataError,
};
use uuid::Uuid;

use super::{Answered, Asked, WireDelivery, WireParcel};
use crate::frame::{Frames, encode};

const MOST: usize = 1 << 20;

/// What comes out of a connection when this goes in.
fn travelled<T: serde::Serialize + serde::de::DeserializeOwned>(frame: &T) -> T {
    let mut frames = Frames::new(MOST);
    frames.space().extend(encode(frame, MOST).unwrap());
    frames.next().unwrap().unwrap()
}

fn json_of(value: &Value) -> Json {
    Json::encode(value).unwrap()
}

fn command(context: DispatchContext) -> Parcel {
    let (name, body, deadline) = ("a.do".into(), json_of(&json!({"n": 1})), context.deadline);
    Parcel {
        name,
        body,
        deadline,
        errand: Errand::Command { schema: 3, context: Box::new(context), around: true },
    }
}

fn context(deadline: Instant) -> DispatchContext {
    DispatchContext {
        command_id: CommandId(Uuid::from_u128(1)),
        idempotent: true,
        metadata: Metadata {
            correlation_id: Some(Uuid::from_u128(2)),
            causation_id: None,
            custom: BTreeMap::from([("who".to_owned(), json!({"name": "ada", "roles": [1, null]}))]),
        },
        deadline,
        within: vec!["a.handler", "b.manager"],
        returning: Returning::All,
        expected: Some(ExpectedVersion::Exact(Version::new(5))),
        depth: 2,
    }
}

/// LK-03: whatever travels with a command arrives with it.
#[test]
fn a_message_arrives_as_it_was_sent() {
    let deadline = Instant::now() + Duration::from_secs(5);
    let plain = DispatchContext {
        idempotent: false,
        within: Vec::new(),
        returning: Returning::Reply,
        expected: None,
        depth: 0,
        ..context(deadline)
    };
    let query = Parcel { errand: Errand::Query, ..command(context(deadline)) };
    for parcel in [command(context(deadline)), command(plain), query] {
        let sent = Asked::Request { id: 7, deadline_ms: 5000, parcel: WireParcel::of(&parcel).unwrap() };
        let came = travelled(&sent);
        assert_eq!(came, sent);
        let Asked::Request { parcel: came, .. } = came else { panic!("{came:?}") };
        assert_eq!(format!("{:?}", came.by(deadline).unwrap()), format!("{parcel:?}"));
    }
}

/// LK-03: metadata travels however deep it is nested, and what is none is told from a broken connection.
#[test]
fn metadata_may_be_as_deep_as_anywhere() {
    let deadline = Instant::now();
    let mut deep = json!(1);
    for _ in 0..120 {
        deep = json!([deep]);
    }
    let mut nested = context(deadline);
    nested.metadata.custom = BTreeMap::from([("deep".to_owned(), deep)]);
    let sent = WireParcel::of(&command(nested.clone())).unwrap();
    let Asked::Request { parcel, .. } = travelled(&Asked::Request { id: 1, deadline_ms: 1, parcel: sent })
    else {
        panic!("another frame came")
    };
    let Errand::Command { context, .. } = parcel.by(deadline).unwrap().errand else { panic!("a query came") };
    assert_eq!(context.metadata, nested.metadata);
    let text = r#"{"name":"a.do","body":1,"errand":{"command":{"schema":1,"around":false,"context":{
        "command_id":"00000000-0000-0000-0000-000000000001","idempotent":false,"correlation_id":null,"causation_id":null,
        "custom":[1],"within":[],"returning":"reply","expected":null,"depth":0}}}}"#;
    let wrong: WireParcel = serde_json::from_str(text).unwrap();
    assert!(wrong.by(deadline).unwrap_err().to_string().contains("metadata"));
}

fn dispatched() -> Dispatched<Json> {
    let event = |data, subject| EncodedEvent {
        event_type: EventType { name: EventName::from("a.done/x"), schema: 2 },
        data,
        subject,
        tags: Tags::of("course", "c1"),
    };
    let events = vec![
        event(Payload::Json(json_of(&json!({"$personal": "Ada"}))), Some(Subject::new("account-1").unwrap())),
        event(Payload::Binary(Arc::from(&[0, 255, 7][..])), None),
    ];
    Dispatched {
        reply: json_of(&Value::Null),
        position: Some(Position::new(9)),
        version: Some(Version::new(3)),
        events: Some(vec![EventName::from("a.done")]),
        repeated: false,
        returned: Some(Box::new(Returned { events, state: Some(json_of(&Value::Null)) })),
    }
}

fn failures() -> Vec<DispatchError<Json>> {
    let (reply, reason) = (json_of(&json!(1)), || "because".to_owned());
    let names = [
        StreamNameError::Empty,
        StreamNameError::Reserved("$x".into()),
        StreamNameError::TooLong(300),
        StreamNameError::NotPrintable("a\nb".into()),
    ];
    let metadata = [
        MetadataError::NoMap { found: "a list" },
        MetadataError::NoJson(reason()),
        MetadataError::Key { key: "correlation_id".into() },
    ];
    let (first, last) = (Version::new(1), Version::new(4));
    let others = [
        DispatchError::Rejected(json_of(&json!({"no": true}))),
        DispatchError::Refused(Refusal::Halted { by: "quota", reason: reason() }),
        DispatchError::Refused(Refusal::WrongVersion { expected: ExpectedVersion::NoStream, actual: last }),
        DispatchError::Refused(Refusal::NoVersion),
        DispatchError::Refused(Refusal::Gone { stream: StreamName::new("a-1").unwrap() }),
        DispatchError::Conflict { attempts: 3 },
        DispatchError::NotYetVisible {
            position: Position::new(8),
            waiting_for: vec!["a.list".into()],
            reply,
        },
        DispatchError::Incomplete(Gap { stream: StreamName::new("a-1").unwrap(), first, last }),
        DispatchError::NoHandler { command: "a.do".into() },
        DispatchError::Undecodable { command: "a.do", reason: reason() },
        DispatchError::Unavailable { reason: reason(), retry_after: Duration::from_millis(1500) },
        DispatchError::Timeout { command: "a.do", outcome: Outcome::NothingStored },
        DispatchError::Timeout { command: "a.do", outcome: Outcome::Unknown },
        DispatchError::Failed { reason: reason() },
    ];
    let names = names.map(|reason| DispatchError::BadIdentity { command: "a.do", id: "b".into(), reason });
    let metadata = metadata.map(|error| DispatchError::Refused(error.into()));
    others.into_iter().chain(names).chain(metadata).collect()
}

/// LK-04: whatever an owner answers comes back as it was said: what was stored, and every way to fail.
#[test]
fn an_answer_comes_back_as_it_was_given() {
    let repeated = Dispatched {
        position: None,
        version: None,
        events: None,
        repeated: true,
        returned: None,
        ..dispatched()
    };
    let stateless = Returned { events: Vec::new(), state: None };
    let stateless = Dispatched { returned: Some(Box::new(stateless)), ..dispatched() };
    let done = [dispatched(), repeated, stateless].map(Ok::<_, DispatchError<Json>>);
    let answers: Vec<EncodedAnswer> = done.into_iter().chain(failures().into_iter().map(Err)).collect();
    let defaults = [
        None,
        Some(Consistency::Eventual),
        Some(Consistency::Strong),
        Some(Consistency::Named(vec!["a.list".into()])),
    ];
    let commands = answers.into_iter().flat_map(|answer| {
        let delivered = |awaits| Delivery::Command { answer: Box::new(answer.clone()), awaits };
        defaults.clone().map(delivered)
    });
    let asked = [
        Ok(json_of(&json!({"$forgotten": true}))),
        Ok(json_of(&Value::Null)),
        Err(AskError::NoHandler { query: "a.ask" }),
        Err(AskError::Unavailable { reason: "down".into(), retry_after: Duration::from_secs(1) }),
        Err(AskError::Timeout { query: "a.ask" }),
        Err(AskError::Failed { reason: "broken".into() }),
    ];
    for delivery in commands.chain(asked.map(Delivery::Query)) {
        let said = format!("{delivery:?}");
        let Answered::Answer { id: 4, delivery } =
            travelled(&Answered::Answer { id: 4, delivery: delivery.into() })
        else {
            panic!("another frame came for {said}")
        };
        assert_eq!(format!("{:?}", Delivery::try_from(delivery).unwrap()), said);
    }
}

/// LK-10: an answer that holds no value is refused and nothing more.
#[test]
fn an_answer_that_is_none_is_refused() {
    let text = r#"{"carried_out":{"dispatched":{"reply":1,"position":1,"version":1,"events":[],"repeated":false,"returned":
        {"events":[{"name":"a.b","schema":1,"data":{"base64":"*"},"subject":null,"tags":[]}],"state":null}},"awaits":null}}"#;
    let delivery: WireDelivery = serde_json::from_str(text).unwrap();
    assert!(Delivery::try_from(delivery).is_err());
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    value.prop_map(|value| json_of(&value))
}

proptest! {
    /// LK-10: any message and any answer goes there and back.
    #[test]
    fn any_frame_goes_there_and_back(
        id in any::<u64>(), deadline_ms in any::<u64>(), name in ".{0,30}", body in any_json(), reason in ".{0,30}",
        events in prop::option::of(prop::collection::vec(".{0,20}", 0..3)), position in prop::option::of(1_u64..1 << 62),
    ) {
        let parcel = Parcel { name: name.into(), body: body.clone(), deadline: Instant::now(), errand: Errand::Query };
        let sent = Asked::Request { id, deadline_ms, parcel: WireParcel::of(&parcel).unwrap() };
        prop_assert_eq!(travelled(&sent), sent);
        let answer = Dispatched {
            reply: body,
            position: position.map(Position::new),
            version: position.map(Version::new),
            events: events.map(|events| events.into_iter().map(EventName::from).collect()),
            repeated: id % 2 == 0,
            returned: None,
        };
        let delivery = Delivery::Command { answer: Box::new(Ok(answer)), awaits: None };
        let said = Answered::Answer { id, delivery: delivery.into() };
        prop_assert_eq!(travelled(&said), said);
        let refused = Answered::Refused { id, reason };
        prop_assert_eq!(travelled(&refused), refused);
    }

    /// LK-10: bytes that are no frame are refused; nothing panics.
    #[test]
    fn garbage_is_no_frame(bytes in prop::collection::vec(any::<u8>(), 0..100), cut in 0_usize..100) {
        let mut frames = Frames::new(MOST);
        let whole = encode(&Answered::Refused { id: 1, reason: "x".repeat(50) }, MOST).unwrap();
        let mut damaged = whole.clone();
        damaged.truncate(cut.min(whole.len()));
        damaged.extend(&bytes);
        frames.space().extend(damaged);
        while let Ok(Some(_)) = frames.next::<Answered>() {}
        let mut frames = Frames::new(MOST);
        frames.space().extend(bytes);
        while let Ok(Some(_)) = frames.next::<Asked>() {}
    }
}
