//! A subscription with everything that can be kept of one, looked for after the store was opened again.

use umbel_bus::edge;
use umbel_core::{
    EventId, Position, Timestamp,
    store::{
        Checkpoint, Failure, KeepLeases, Lease, Letter, LetterFilter, ListLetters, ListSubscriptions,
        NewLetter, OpenSubscription, ParkLetters, SaveCheckpoints, SubscriptionState,
    },
    subscription::{Key, NodeId, Start, SubscriptionName},
    version::Place,
};
use uuid::Uuid;

use crate::Adapter;

/// Leases last longer than any test.
const LEASE_MS: u64 = 3_600_000;

/// What [`fill`] has kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    subscriptions: Vec<SubscriptionState>,
    letters: Vec<Letter>,
}

/// Makes the subscription `kept` with four partitions and an owner, a checkpoint, and two letters of one key. The log must have three
/// events.
pub(crate) async fn fill(store: &dyn Adapter) -> Kept {
    let (now, name) = (edge::now(), SubscriptionName::new("kept").unwrap());
    let (partitions, start, source) = (4, Start::After(Place::new(1)), "log".to_owned());
    let open = OpenSubscription { name: name.clone(), partitions, start, stream: None, source };
    store.open_subscription(open, now).await.unwrap();
    let keep = KeepLeases {
        subscription: name.clone(),
        incarnation: 0,
        node: NodeId(Uuid::from_u128(7)),
        lease_ms: LEASE_MS,
        hold: Vec::new(),
        claim: (0..partitions).collect(),
        release: Vec::new(),
        leave: false,
    };
    let epoch = store.keep_leases(keep, now).await.unwrap().partitions[0].epoch;
    let key = Key::of("k");
    let lease = Lease { partition: key.partition(partitions), epoch };
    let letter = |number: u64, failure| NewLetter {
        lease,
        place: Place::new(number),
        key,
        key_text: "k".into(),
        event_id: EventId(Uuid::from_u128(number.into())),
        position: Position::new(number),
        event_name: "test.happened".into(),
        failure,
    };
    let at = Timestamp::from_micros(5);
    let failure = Failure { error: "no".into(), attempts: 3, first_at: at, last_at: at };
    let letters = vec![letter(1, Some(failure)), letter(2, None)];
    let parked = store.park_letters(ParkLetters { subscription: name.clone(), letters }, now).await;
    assert_eq!(parked, Ok(vec![]));
    let checkpoints = vec![Checkpoint { partition: 2, epoch, place: Place::new(3) }];
    let saved = store.save_checkpoints(SaveCheckpoints { subscription: name, checkpoints }).await;
    assert_eq!(saved, Ok(vec![]));
    found(store).await
}

/// Everything is as it was: also the lease, which its owner still has.
pub(crate) async fn check(store: &dyn Adapter, kept: &Kept) {
    assert_eq!(found(store).await, *kept);
    assert_eq!((kept.subscriptions.len(), kept.letters.len()), (1, 2));
}

async fn found(store: &dyn Adapter) -> Kept {
    let all = ListSubscriptions { name: None, after: None, limit: 9 };
    let letters = ListLetters { filter: LetterFilter::default(), after: None, limit: 9 };
    Kept {
        subscriptions: store.list_subscriptions(all, edge::now()).await.unwrap(),
        letters: store.list_letters(letters).await.unwrap(),
    }
}
