//! What a store of an older program held, looked for after its upgrade.
//!
//! The adapters' own tests make such a store, with the names and numbers that stand here, and open it.

use umbel_core::{
    CommandId, EventId, ExpectedVersion, Json, Metadata, NewEvent, Payload, Position, StreamName, Subject,
    Tag, TagQuery, Timestamp, Version,
    document::{Direction, DocumentKey},
    store::{
        Act, Append, AppendError, Appended, ClaimName, Claims, CommandRecord, Perform, ReadAll, ReadError,
        ReadOutbox, ReadStream, Removal, SaveProjection, SaveProjectionError, Selector,
    },
};
use uuid::Uuid;

use crate::{Adapter, SubjectKey};

mod beside;

/// What only some of the older stores can hold. Three events they all have: `order-1` two, of which the first is in the
/// archive, then `note` one. Event number n has the id n and the data `{"number":n}`; the second one is tagged `course:1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The claim of `test.name` `ada` by `order-1`, the command 9 answered by `"done"` at position 2.
    ClaimsAndCommands,
    /// Entry 7 in the queue `work`.
    Outbox,
    /// The document `k` of `test.items`, written by the projection `test.items/1` that has come to position 2.
    ReadModels,
    /// The stream `list`, which links the second event and then the first; the subject `ada` with a key of 32 times 7.
    LinksAndKeys,
    /// The stream `going`, which links the third event; its removal for good, act 11, has begun and taken nothing yet.
    Removal,
    /// Two generations of the projection `test.things`: the first serves, the second is built; each has the document `k`.
    Generations,
    /// A snapshot of `order-1` at version 2; the notice 8 of the topic `test.topic`.
    SnapshotsAndNotices,
    /// The subscription `mails` with four partitions, an owner of one, two dead letters there, and one that is lost since it was
    /// reset; the name `gone` of one that was deleted.
    Subscriptions,
}

/// Everything that the store held is there, nothing is wrong with it, and work goes on where it stood.
pub(crate) async fn check(store: &dyn Adapter, parts: &[Part]) {
    check_log(store).await;
    if parts.contains(&Part::ClaimsAndCommands) {
        check_claims_and_commands(store).await;
    }
    if parts.contains(&Part::Outbox) {
        let request = ReadOutbox { queue: "work".into(), after: 0, limit: 9 };
        let waiting = store.read_outbox(request).await.unwrap();
        assert_eq!(waiting.iter().map(|one| one.entry.id.as_u128()).collect::<Vec<_>>(), [7]);
    }
    if parts.contains(&Part::ReadModels) {
        check_read_models(store).await;
    }
    if parts.contains(&Part::LinksAndKeys) {
        check_links_and_keys(store).await;
    }
    if parts.contains(&Part::Generations) {
        beside::check_generations(store).await;
    }
    if parts.contains(&Part::SnapshotsAndNotices) {
        beside::check_snapshots_and_notices(store).await;
    }
    if parts.contains(&Part::Subscriptions) {
        beside::check_subscriptions(store).await;
    }
    let next = append(store, to("order-1", 2, 4)).await.unwrap();
    assert_eq!((next.last_position, next.versions), (Some(Position::new(4)), vec![Version::new(3)]));
    assert_eq!(store.verify().await, Ok(vec![]));
    if parts.contains(&Part::Removal) {
        check_removal(store).await;
        assert_eq!(store.verify().await, Ok(vec![]));
    }
}

async fn check_log(store: &dyn Adapter) {
    let log = store.read_all(all_from(1)).await.unwrap();
    assert_eq!((log.head, log.scanned_to), (Position::new(3), Position::new(3)));
    for (number, event) in (1..).zip(&log.events) {
        assert_eq!((event.position, event.id), (Position::new(number), id(number)));
        assert_eq!(event.data, data(number));
        assert_eq!(event.event_type, "test.happened/1".parse().unwrap());
        assert_eq!(event.recorded_at, Timestamp::from_micros(1_000_000));
    }
    for (name, expected) in [("order-1", &log.events[..2]), ("note", &log.events[2..])] {
        let stream = stream(name);
        let request = ReadStream { stream, from: None, direction: Direction::Forward, limit: 9 };
        assert_eq!(store.read_stream(request).await.unwrap().events, expected, "{name}");
    }
    let tagged = Selector::tagged(TagQuery::tagged([Tag::of("course", "1")].into_iter().collect()));
    let found = store.read_all(ReadAll { selector: tagged, ..all_from(1) }).await.unwrap();
    assert_eq!(found.events, log.events[1..2]);
    let again = append(store, to("other", 0, 1)).await;
    assert_eq!(again, Err(AppendError::DuplicateEvent { id: id(1) }), "what is archived is known");
}

async fn check_claims_and_commands(store: &dyn Adapter) {
    let take = vec![ClaimName::new("test.name", "ada")];
    let claims = Claims { owner: "other".into(), take, release: Vec::new(), from: None };
    let refused = append(store, Append { claims, ..Append::default() }).await;
    assert!(matches!(&refused, Err(AppendError::Claimed { owner, .. }) if owner == "order-1"), "{refused:?}");
    let command = CommandId(Uuid::from_u128(9));
    let record = CommandRecord { id: command, reply: Json::encode(&"again").unwrap() };
    let again = append(store, Append { command: Some(record), ..to("order-1", 2, 5) }).await.unwrap();
    assert_eq!(again.last_position, Some(Position::new(2)));
    assert_eq!(again.repeated.unwrap().as_str(), r#""done""#);
}

/// A projection goes on behind the events that it has seen, and nobody else at its place.
async fn check_read_models(store: &dyn Adapter) {
    let key = DocumentKey { collection: "test.items", key: "k".into() };
    let body = store.get_documents(vec![key]).await.unwrap().remove(0).unwrap();
    assert_eq!(body.as_str(), r#"{"seen":2}"#);
    let projection = "test.items/1".to_owned();
    let checkpoint = store.load_checkpoint(projection.clone()).await.unwrap();
    let next = store.read_all(all_from(checkpoint.next().get())).await.unwrap().events;
    assert_eq!(next.iter().map(|event| event.id).collect::<Vec<_>>(), [id(3)]);
    let save = |expected| SaveProjection {
        projection: projection.clone(),
        expected,
        position: next[0].position,
        clear: Vec::new(),
        writes: Vec::new(),
    };
    let from_the_start = store.save_projection(save(Position::START)).await;
    assert_eq!(from_the_start, Err(SaveProjectionError::CheckpointMoved { actual: Position::new(2) }));
    assert_eq!(store.save_projection(save(checkpoint)).await, Ok(()));
}

async fn check_links_and_keys(store: &dyn Adapter) {
    let list = ReadStream { stream: stream("list"), from: None, direction: Direction::Forward, limit: 9 };
    let linked = store.read_stream(list).await.unwrap();
    let shown: Vec<_> = linked.events.iter().map(|event| (event.version_read().get(), event.id)).collect();
    assert_eq!((shown, linked.version), (vec![(1, id(2)), (2, id(1))], Version::new(2)));
    let found = store.find_subject_keys(vec![Subject::new("ada").unwrap()]).await.unwrap();
    assert!(matches!(found[..], [Some(SubjectKey::Known(key))] if key == [7; 32]), "{found:?}");
}

/// What has begun is known, and goes on.
async fn check_removal(store: &dyn Adapter) {
    let (stream, expected, removal) = (stream("going"), ExpectedVersion::Any, Removal::Hard);
    let act = Act::DeleteStream { stream: stream.clone(), expected, removal };
    let begun = Perform { id: id(11), act, metadata: Metadata::default() };
    assert_eq!(store.removals().await, Ok(vec![begun.clone()]));
    let performed = store.perform(begun, Timestamp::from_micros(3_000_000)).await.unwrap();
    assert_eq!((performed.events, performed.links), (0, 1));
    let gone = store.stream_info(stream).await;
    assert!(matches!(gone, Err(ReadError::StreamNotFound(_))), "{gone:?}");
}

fn id(number: u64) -> EventId {
    EventId(Uuid::from_u128(number.into()))
}

fn data(number: u64) -> Payload {
    Json::parse(format!(r#"{{"number":{number}}}"#)).unwrap().into()
}

fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

fn to(name: &str, version: u64, number: u64) -> Append {
    let event = NewEvent {
        id: id(number),
        event_type: "test.happened/1".parse().unwrap(),
        data: data(number),
        subject: None,
        tags: umbel_core::Tags::none(),
        metadata: Metadata::default(),
    };
    Append::to_stream(stream(name), ExpectedVersion::Exact(Version::new(version)), vec![event])
}

async fn append(store: &dyn Adapter, append: Append) -> Result<Appended, AppendError> {
    store.append(vec![append], Timestamp::from_micros(2_000_000)).await.remove(0)
}

fn all_from(position: u64) -> ReadAll {
    let (from, selector) = (Some(Position::new(position)), Selector::all());
    ReadAll { from, direction: Direction::Forward, limit: 100, selector }
}
