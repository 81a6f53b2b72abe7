//! What an older store kept beside its log.

use umbel_core::{
    EventId, Json, Position, StreamName, Timestamp, Version,
    document::DocumentKey,
    store::{
        Failure, Generation, KeepLeases, KeptNotice, Lease, Letter, LetterFilter, ListLetters, ListNotices,
        ListProjections, ListSubscriptions, LoadDocuments, NoteResetsTold, OpenSubscription, PartitionState,
        Phase, Snapshot, SubscriptionState,
    },
    subscription::{Key, NodeId, Start, SubscriptionName},
    version::Place,
};
use uuid::Uuid;

use crate::Adapter;

/// When everything happened.
const THEN: Timestamp = Timestamp::from_micros(5);
/// The first second of 2100, when what is kept for a time ends.
const LATE: Timestamp = Timestamp::from_micros(4_102_444_800_000_000);
const NOW: Timestamp = Timestamp::from_micros(2_000_000);

/// Readers get the documents of the one that serves, and the one that is built has its own.
pub(super) async fn check_generations(store: &dyn Adapter) {
    let name = "test.things".to_owned();
    let generation = |version, phase, position, live_after| Generation {
        projection: name.clone(),
        version,
        run: 1,
        phase,
        position: Position::new(position),
        live_after: Position::new(live_after),
        suffix: format!("~{version}"),
        collections: vec![name.clone()],
        indexes: Vec::new(),
        tables_in: None,
        inline: Vec::new(),
        joined: false,
    };
    let expected = vec![generation(1, Phase::Serving, 2, 1), generation(2, Phase::Building, 1, 2)];
    let of = ListProjections { projection: Some(name.clone()) };
    assert_eq!(store.list_projections(of).await, Ok(expected));
    let keys = vec![DocumentKey { collection: "test.things", key: "k".into() }];
    assert_eq!(store.get_documents(keys.clone()).await, Ok(vec![Some(json(r#"{"of":1}"#))]));
    let built = LoadDocuments { checkpoint: "test.things/2".into(), keys };
    assert_eq!(store.load_documents(built).await, Ok(vec![Some(json(r#"{"of":2}"#))]));
}

pub(super) async fn check_snapshots_and_notices(store: &dyn Adapter) {
    let stream = StreamName::new("order-1").unwrap();
    let snapshot = Snapshot {
        stream: stream.clone(),
        version: Version::new(2),
        state: "test.state".into(),
        schema: 1,
        taken_at: THEN,
        data: json(r#"{"seen":2}"#),
    };
    assert_eq!(store.load_snapshot(stream).await, Ok(Some(snapshot)));
    let notice = KeptNotice {
        id: Uuid::from_u128(8),
        topic: "test.topic".into(),
        transaction_id: Some(Uuid::from_u128(6)),
        source: Some("test".into()),
        initialized_at: Some(Timestamp::from_micros(4)),
        occurred_at: THEN,
        expires_at: Some(LATE),
        data: json("1"),
    };
    let all = ListNotices { topic: None, transaction_id: None, since: None, after: None, limit: 9 };
    assert_eq!(store.list_notices(all).await, Ok(vec![notice]));
}

/// It stands where it stood, whoever held a partition goes on with it, and what follows a name that was given up begins behind it.
pub(super) async fn check_subscriptions(store: &dyn Adapter) {
    let (name, node) = (SubscriptionName::new("mails").unwrap(), NodeId(Uuid::from_u128(7)));
    let partition = |partition| PartitionState {
        partition,
        checkpoint: Place::new(3),
        handled: Place::new(3),
        epoch: 3,
        owner: None,
        letters: 0,
        oldest_letter_at: None,
    };
    let held = PartitionState {
        epoch: 4,
        owner: Some(node),
        letters: 2,
        oldest_letter_at: Some(THEN),
        ..partition(0)
    };
    let state = SubscriptionState {
        name: name.clone(),
        kept_as: "post".into(),
        source: "log".into(),
        stream: None,
        start: Start::After(Place::new(1)),
        paused: true,
        created_at: THEN,
        incarnation: 3,
        members: 1,
        partitions: vec![held, partition(1), partition(2), partition(3)],
    };
    let all = ListSubscriptions { name: None, after: None, limit: 9 };
    assert_eq!(store.list_subscriptions(all, NOW).await, Ok(vec![state]));

    let failure = Failure { error: "no".into(), attempts: 3, first_at: THEN, last_at: THEN };
    let letter = |number: u64, failure, edited| Letter {
        subscription: name.clone(),
        partition: 0,
        place: Place::new(number),
        key: Key::of("k"),
        key_text: "k".into(),
        event_id: EventId(Uuid::from_u128(number.into())),
        position: Position::new(number),
        event_name: "test.happened".into(),
        failure,
        parked_at: THEN,
        retry: false,
        replay: false,
        edited,
    };
    let expected = vec![letter(1, Some(failure), Some(json("2"))), letter(2, None, None)];
    let all = ListLetters { filter: LetterFilter::default(), after: None, limit: 9 };
    assert_eq!(store.list_letters(all).await, Ok(expected));
    assert_eq!(store.sweep_letters(9).await, Ok(1), "what was lost is removed");

    let keep = KeepLeases {
        subscription: name.clone(),
        incarnation: 3,
        node,
        lease_ms: 60_000,
        hold: vec![Lease { partition: 0, epoch: 4 }],
        claim: Vec::new(),
        release: Vec::new(),
        leave: false,
    };
    let leases = store.keep_leases(keep, NOW).await.unwrap();
    let [first, ..] = &leases.partitions[..] else { panic!("{leases:?}") };
    assert_eq!((leases.gone, leases.resets, first.epoch, first.owner), (false, 1, 4, Some(node)));
    let note = NoteResetsTold { subscription: name, incarnation: 3, told: 0 };
    assert_eq!(store.note_resets_told(note).await, Ok(Some(1)), "nobody is told of what was before");
    let (start, source) = (Start::Origin, "log".to_owned());
    let name = SubscriptionName::new("gone").unwrap();
    let again = OpenSubscription { name, partitions: 1, start, stream: None, source };
    let again = store.open_subscription(again, NOW).await.unwrap();
    assert_eq!((again.incarnation, again.kept_as.as_str()), (9, "gone"));
}

fn json(text: &str) -> Json {
    Json::parse(text.to_owned()).unwrap()
}
