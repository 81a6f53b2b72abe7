//! Dead letters of subscriptions that were deleted or reset: nobody's at once, and removed in steps.

use umbel_bus::edge;
use umbel_core::{
    EventId, ExpectedVersion, Position, Timestamp,
    store::{
        Act, CountLetters, Failure, KeepLeases, Lease, LetterFilter, NewLetter, OpenSubscription,
        ParkLetters, ReadParkedKeys,
    },
    subscription::{Key, NodeId, Start, SubscriptionName},
    version::Place,
};
use umbel_testkit::conformance::Events;
use uuid::Uuid;

use crate::Adapter;

/// Leases last longer than any test.
const LEASE_MS: u64 = 3_600_000;
const PARTITIONS: u32 = 4;

fn name(name: &str) -> SubscriptionName {
    SubscriptionName::new(name).unwrap()
}

/// Opens a subscription, takes its leases, and parks so many of the first events of the log, three to a key.
pub(crate) async fn park_many(store: &dyn Adapter, subscription: &str, count: u64) {
    let (now, name, partitions) = (edge::now(), name(subscription), PARTITIONS);
    let (start, source) = (Start::Origin, "log".to_owned());
    let open = OpenSubscription { name: name.clone(), partitions, start, stream: None, source };
    let incarnation = store.open_subscription(open, now).await.unwrap().incarnation;
    let keep = KeepLeases {
        subscription: name.clone(),
        incarnation,
        node: NodeId(Uuid::from_u128(7)),
        lease_ms: LEASE_MS,
        hold: Vec::new(),
        claim: (0..partitions).collect(),
        release: Vec::new(),
        leave: false,
    };
    let leases = store.keep_leases(keep, now).await.unwrap().partitions;
    let at = Timestamp::from_micros(5);
    let letter = |number: u64| {
        let text = format!("key-{}", number / 3);
        let key = Key::of(&text);
        let partition = key.partition(partitions);
        NewLetter {
            lease: Lease { partition, epoch: leases[usize::try_from(partition).unwrap()].epoch },
            place: Place::new(number),
            key,
            key_text: text,
            event_id: EventId(Uuid::from_u128(number.into())),
            position: Position::new(number),
            event_name: "test.happened".into(),
            failure: Some(Failure { error: "no".into(), attempts: 3, first_at: at, last_at: at }),
        }
    };
    let letters = (1..=count).map(letter).collect();
    assert_eq!(store.park_letters(ParkLetters { subscription: name, letters }, now).await, Ok(vec![]));
}

async fn count(store: &dyn Adapter, subscription: Option<&str>) -> u64 {
    let filter = LetterFilter { subscription: subscription.map(name), ..LetterFilter::default() };
    store.count_letters(CountLetters { filter }).await.unwrap()
}

/// SU-27: what was lost is in nobody's way, however long it takes to remove it: the same places have letters anew, another takes the name, and
/// what was renamed keeps its own. Steps are no larger than asked for, and leave all others alone.
pub(super) async fn lost_letters_are_nobodys_and_go_in_steps(store: impl Adapter) {
    let events = Events::default();
    let log = events.append("s", ExpectedVersion::Any, 40);
    store.append(vec![log], edge::now()).await.remove(0).unwrap();
    for subscription in ["a", "b", "c"] {
        park_many(&store, subscription, 40).await;
    }
    for act in [
        Act::ResetSubscription { subscription: name("a"), start: Start::Origin },
        Act::DeleteSubscription { subscription: name("b") },
        Act::RenameSubscription { subscription: name("c"), to: name("b") },
    ] {
        assert_eq!(store.perform(events.perform(act), edge::now()).await.unwrap().events, 40);
    }
    let counts =
        async || (count(&store, Some("a")).await, count(&store, Some("b")).await, count(&store, None).await);
    assert_eq!(counts().await, (0, 40, 40));
    for partition in 0..PARTITIONS {
        let keys = ReadParkedKeys { subscription: name("a"), partition };
        assert_eq!(store.read_parked_keys(keys).await, Ok(vec![]));
    }
    park_many(&store, "a", 3).await;
    assert_eq!(counts().await, (3, 40, 43));

    // Nothing at once where the act itself is nothing to be waited for.
    let (mut removed, mut steps) = (0, 0);
    loop {
        assert_eq!(store.verify().await, Ok(vec![]));
        let of_one = store.sweep_letters(7).await.unwrap();
        (removed, steps) = (removed + of_one, steps + 1);
        assert!(of_one <= 7, "{of_one}");
        assert_eq!(counts().await, (3, 40, 43));
        if of_one < 7 {
            break;
        }
    }
    assert!([(0, 1), (80, 12)].contains(&(removed, steps)), "{removed} in {steps}");
    assert_eq!(store.sweep_letters(7).await, Ok(0));
    assert_eq!(store.verify().await, Ok(vec![]));
}
