//! Recorded commands are forgotten once nobody can send them again.

use std::time::Duration;

use umbel_bus::edge;
use umbel_core::{
    ExpectedVersion, Json, Timestamp,
    schedule::FAILED_QUEUE,
    store::{
        Append, Appended, Checkpoint, ClearOutbox, LetterFilter, ListLetters, ListSubscriptions,
        OpenSubscription, OutboxEntry, SaveCheckpoints, SettleLetters,
    },
    subscription::{SettledLetter, Settling, Start, SubscriptionName},
    version::Place,
};
use umbel_testkit::conformance::{Events, command, stream};
use uuid::Uuid;

use crate::{Adapter, sweeper::forget_commands};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// So many days after the beginning.
fn day(number: u32) -> Timestamp {
    Timestamp::from_micros(1_769_860_800_000_000).plus(DAY * number)
}

async fn store(adapter: &impl Adapter, append: Append, at: Timestamp) -> Appended {
    adapter.append(vec![append], at).await.remove(0).unwrap()
}

/// Carries out a command on a day; whether it was known.
async fn is_known(adapter: &impl Adapter, events: &Events, number: u64, at: Timestamp) -> bool {
    let append = events.append("s", ExpectedVersion::Any, 1);
    let append = Append { command: Some(command(number, "\"first\"")), ..append };
    store(adapter, append, at).await.repeated.is_some()
}

/// UX-20: a command that comes again gets its first reply for as long as it is kept, and is carried out anew after that.
pub(super) async fn a_command_is_forgotten_in_its_time(adapter: impl Adapter) {
    let events = Events::default();
    for number in 0..5 {
        assert!(!is_known(&adapter, &events, number, day(u32::try_from(number).unwrap())).await);
    }
    assert_eq!(forget_commands(&adapter, day(10), DAY * 10).await, Ok(0));
    assert_eq!(forget_commands(&adapter, day(10), DAY * 8).await, Ok(2));
    assert_eq!(forget_commands(&adapter, day(10), DAY * 8).await, Ok(0));
    for number in 0..5 {
        assert_eq!(is_known(&adapter, &events, number, day(10)).await, number >= 2, "{number}");
    }
    let append = events.append("s", ExpectedVersion::Any, 1);
    let append = || Append { command: Some(command(9, "0")), for_good: true, ..append.clone() };
    assert_eq!(store(&adapter, append(), day(0)).await.repeated, None);
    assert_eq!(forget_commands(&adapter, day(30), DAY).await, Ok(5));
    assert!(store(&adapter, append(), day(30)).await.repeated.is_some(), "it is kept for good");
    assert_eq!(adapter.verify().await, Ok(vec![]));
}

/// UX-21: while work waits that may come again under the same ids, nothing is forgotten that it could rely on, however long
/// everything stood still: an entry of the outbox that is due, an event that a subscription has not passed, a dead letter.
pub(super) async fn no_command_is_forgotten_that_may_come_again(adapter: impl Adapter) {
    let events = Events::default();
    let entry = |number: u128, queue: &str, due_at| OutboxEntry {
        id: Uuid::from_u128(number),
        queue: queue.to_owned(),
        body: Json::from_store("0"),
        due_at: Some(due_at),
    };
    for number in 0..4 {
        assert!(!is_known(&adapter, &events, number, day(u32::try_from(number).unwrap())).await);
    }
    // What is planned for later has not been begun, and what was given up will not be begun again.
    let outbox = vec![
        entry(1, "schedule.a", day(3)),
        entry(2, "schedule.b", day(200)),
        entry(3, FAILED_QUEUE, day(1)),
        entry(4, "schedule.c", day(5)),
    ];
    store(&adapter, Append { outbox, ..Append::default() }, day(1)).await;
    assert_eq!(adapter.oldest_work(day(2)).await, Ok(None));
    assert_eq!(adapter.oldest_work(day(90)).await, Ok(Some(day(3))));
    assert_eq!(forget_commands(&adapter, day(90), DAY * 3).await, Ok(0));
    assert_eq!(forget_commands(&adapter, day(90), DAY * 2).await, Ok(1));
    adapter.clear_outbox(ClearOutbox { numbers: vec![1] }).await.unwrap();
    assert_eq!(adapter.oldest_work(day(90)).await, Ok(Some(day(5))));
    adapter.clear_outbox(ClearOutbox { numbers: vec![4] }).await.unwrap();
    assert_eq!(adapter.oldest_work(day(90)).await, Ok(None));

    // The first event was recorded on day 0, the fourth on day 3.
    let open = |name: &str, stream, start| OpenSubscription {
        name: SubscriptionName::new(name).unwrap(),
        partitions: 2,
        start,
        stream,
        source: "test".to_owned(),
    };
    for (name, stream, start, oldest) in [
        ("at the end", None, Start::Current, None),
        ("of a stream", Some(stream("s")), Start::After(Place::new(2)), Some(day(2))),
        ("of all", None, Start::After(Place::new(1)), Some(day(1))),
    ] {
        adapter.open_subscription(open(name, stream, start), day(90)).await.unwrap();
        assert_eq!(adapter.oldest_work(day(90)).await, Ok(oldest), "{name}");
    }
    assert_eq!(forget_commands(&adapter, day(90), DAY).await, Ok(0));
    assert!(is_known(&adapter, &events, 1, day(90)).await);
}

/// UX-21: the same for a dead letter, whose event may be handled once more.
pub(super) async fn a_dead_letter_keeps_commands(adapter: impl Adapter) {
    let (events, now) = (Events::default(), edge::now());
    for (number, at) in [(0, day(0)), (1, day(0)), (2, now), (3, now)] {
        assert!(!is_known(&adapter, &events, number, at).await);
    }
    super::kept::fill(&adapter).await;
    let all = ListSubscriptions { name: None, after: None, limit: 9 };
    let kept = adapter.list_subscriptions(all, day(0)).await.unwrap().remove(0);
    let epoch = kept.partitions[0].epoch;
    let checkpoints = kept.partitions.iter().zip(0..);
    let checkpoints = checkpoints.map(|(state, partition)| Checkpoint {
        partition,
        epoch: state.epoch,
        place: Place::new(4),
    });
    let save = SaveCheckpoints { subscription: kept.name.clone(), checkpoints: checkpoints.collect() };
    assert_eq!(adapter.save_checkpoints(save).await, Ok(vec![]));
    let letters = ListLetters { filter: LetterFilter::default(), after: None, limit: 9 };
    let letters = adapter.list_letters(letters).await.unwrap();
    let oldest = letters.iter().map(|letter| letter.parked_at).min();
    assert!(oldest.is_some());
    let later = now.plus(DAY * 90);
    assert_eq!(adapter.oldest_work(later).await, Ok(oldest));
    assert_eq!(forget_commands(&adapter, later, DAY).await, Ok(2), "those that no letter can send again");

    let settled = letters.into_iter().map(|letter| SettledLetter {
        partition: letter.partition,
        epoch,
        place: letter.place,
        key: letter.key,
        settling: Settling::Done,
    });
    let settle = SettleLetters { subscription: kept.name, settled: settled.collect() };
    assert!(adapter.settle_letters(settle).await.unwrap().refused.is_empty());
    assert_eq!(forget_commands(&adapter, later, DAY).await, Ok(2));
}
