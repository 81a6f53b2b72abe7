//! Short names for what the cases about subscriptions ask.

use umbel_core::{
    Timestamp,
    store::{
        Act, CountLetters, Failure, KeepLeases, Lease, LeaseState, Leases, Letter, LetterFilter, ListLetters,
        ListSubscriptions, NewLetter, OpenSubscription, ParkLetters, Performed, SettleLetters,
        SubscriptionState, TakeLetters, VerifyStore,
    },
    subscription::{Key, NodeId, SettledLetter, Settling, Start, SubscriptionName},
    version::Place,
};
use uuid::Uuid;

use super::{Events, StoreUnderTest, position};

/// Far longer than any case takes.
pub(super) const LONG: u64 = 600_000;

/// The partitions of the subscriptions that cases make.
pub(super) const PARTITIONS: u32 = 4;

/// A subscription's name.
#[must_use]
pub(super) fn name(name: &str) -> SubscriptionName {
    SubscriptionName::new(name).unwrap()
}

/// A node.
#[must_use]
pub(super) fn node(number: u128) -> NodeId {
    NodeId(Uuid::from_u128(number))
}

/// A place.
#[must_use]
pub(super) fn place(number: u64) -> Place {
    Place::new(number)
}

/// A subscription to the log, from its origin.
#[must_use]
pub(super) fn to_log(subscription: &str) -> OpenSubscription {
    OpenSubscription {
        name: name(subscription),
        partitions: PARTITIONS,
        start: Start::Origin,
        stream: None,
        source: "log".into(),
    }
}

/// Asks for nothing but to take part in the first one of that name.
#[must_use]
pub(super) fn of_node(subscription: &str, number: u128) -> KeepLeases {
    KeepLeases {
        subscription: name(subscription),
        incarnation: 0,
        node: node(number),
        lease_ms: LONG,
        hold: Vec::new(),
        claim: Vec::new(),
        release: Vec::new(),
        leave: false,
    }
}

/// Makes the subscription `s` with a node that owns all its partitions; their leases.
pub(super) async fn owned<S: StoreUnderTest>(store: &S) -> Vec<Lease> {
    store.ask(to_log("s")).await.unwrap();
    owned_of(store, "s").await
}

/// Lets a node own all partitions of a subscription; their leases.
pub(super) async fn owned_of<S: StoreUnderTest>(store: &S, subscription: &str) -> Vec<Lease> {
    let claim = (0..PARTITIONS).collect();
    leases(&store.ask(KeepLeases { claim, ..of_node(subscription, 1) }).await.unwrap())
}

/// The leases of all partitions, whoever has them.
#[must_use]
pub(super) fn leases(leases: &Leases) -> Vec<Lease> {
    let lease = |state: &LeaseState| Lease { partition: state.partition, epoch: state.epoch };
    leases.partitions.iter().map(lease).collect()
}

/// Who owns each partition.
#[must_use]
pub(super) fn owners(leases: &Leases) -> Vec<Option<NodeId>> {
    leases.partitions.iter().map(|state| state.owner).collect()
}

/// How a subscription stands that is there.
pub(super) async fn state<S: StoreUnderTest>(store: &S, subscription: &str) -> SubscriptionState {
    let only = ListSubscriptions { name: Some(name(subscription)), after: None, limit: 9 };
    let mut found = store.ask(only).await.unwrap();
    assert_eq!(found.len(), 1, "{subscription}");
    found.remove(0)
}

/// Does an act, which must succeed; what it did.
pub(super) async fn act<S: StoreUnderTest>(store: &S, events: &Events, act: Act) -> Performed {
    store.ask(events.perform(act)).await.unwrap()
}

/// How something failed for so many times.
#[must_use]
pub(super) fn failed(error: &str, attempts: u32) -> Failure {
    let at = |micros| Timestamp::from_micros(1_000_000 + micros);
    Failure { error: error.into(), attempts, first_at: at(0), last_at: at(i64::from(attempts)) }
}

/// A letter of the log at a place, with the leases of its subscription's partitions.
#[must_use]
pub(super) fn letter(leases: &[Lease], at: u64, key: &str, failure: Option<Failure>) -> NewLetter {
    let (key, key_text) = (Key::of(key), key.to_owned());
    let lease = leases[usize::try_from(key.partition(PARTITIONS)).unwrap()];
    let event_id = umbel_core::EventId(Uuid::from_u128(u128::from(at)));
    let event_name = "test.happened".into();
    NewLetter {
        lease,
        place: place(at),
        key,
        key_text,
        event_id,
        position: position(at),
        event_name,
        failure,
    }
}

/// Parks letters of `s`, of which none may be refused.
pub(super) async fn park<S: StoreUnderTest>(store: &S, letters: impl IntoIterator<Item = NewLetter>) {
    let letters = letters.into_iter().collect();
    assert_eq!(store.ask(ParkLetters { subscription: name("s"), letters }).await, Ok(vec![]));
}

/// What became of a letter.
#[must_use]
pub(super) fn settled(letter: &NewLetter, settling: Settling) -> SettledLetter {
    let Lease { partition, epoch } = letter.lease;
    SettledLetter { partition, epoch, place: letter.place, key: letter.key, settling }
}

/// Settles a letter of `s`; whether its key has no others.
pub(super) async fn settle<S: StoreUnderTest>(store: &S, letter: &NewLetter, settling: Settling) -> bool {
    let request = SettleLetters { subscription: name("s"), settled: vec![settled(letter, settling)] };
    let done = store.ask(request).await.unwrap();
    assert!(done.refused.is_empty(), "{done:?}");
    done.free.contains(&(letter.lease.partition, letter.key))
}

/// The places of the letters of `s` that are due.
pub(super) async fn due<S: StoreUnderTest>(store: &S) -> Vec<u64> {
    let partitions = (0..PARTITIONS).collect();
    let letters = store.ask(TakeLetters { subscription: name("s"), partitions, limit: 99 }).await.unwrap();
    letters.iter().map(|letter| letter.place.get()).collect()
}

/// All letters that are meant.
pub(super) async fn listed<S: StoreUnderTest>(store: &S, filter: LetterFilter) -> Vec<Letter> {
    let count = store.ask(CountLetters { filter: filter.clone() }).await.unwrap();
    let letters = store.ask(ListLetters { filter, after: None, limit: 999 }).await.unwrap();
    assert_eq!(count, u64::try_from(letters.len()).unwrap());
    letters
}

/// The letter of `s` at a place.
pub(super) async fn letter_at<S: StoreUnderTest>(store: &S, at: u64) -> Option<Letter> {
    listed(store, at_place(at)).await.pop()
}

/// Means the letter of `s` at a place.
#[must_use]
pub(super) fn at_place(at: u64) -> LetterFilter {
    LetterFilter { subscription: Some(name("s")), place: Some(place(at)), ..LetterFilter::default() }
}

/// Nothing is wrong with the store.
pub(super) async fn healthy<S: StoreUnderTest>(store: &S) {
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]));
}
