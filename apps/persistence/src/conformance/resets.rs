//! What is noted of resets, and how often that is written.

use umbel_core::{
    Timestamp,
    store::{Act, NoteResetsTold, OpenSubscription},
    subscription::{Start, SubscriptionName},
};
use umbel_testkit::conformance::Events;

use crate::Adapter;

const NOW: Timestamp = Timestamp::from_micros(7);

/// EH-12: of how many resets was told is written when it is more than is noted, and not when somebody asks or says it once more. What the
/// mark is of changes with each write.
pub(crate) async fn only_news_is_written(store: &dyn Adapter, mark: impl AsyncFn() -> String) {
    let (events, name) = (Events::default(), SubscriptionName::new("s").unwrap());
    let (start, source) = (Start::Origin, "log".to_owned());
    let open = OpenSubscription { name: name.clone(), partitions: 1, start, stream: None, source };
    let incarnation = store.open_subscription(open, NOW).await.unwrap().incarnation;
    for _ in 0..2 {
        let reset = Act::ResetSubscription { subscription: name.clone(), start };
        store.perform(events.perform(reset), NOW).await.unwrap();
    }
    for (told, noted, writes) in [(0, 0, false), (1, 1, true), (1, 1, false), (0, 1, false), (9, 2, true)] {
        let before = mark().await;
        let note = NoteResetsTold { subscription: name.clone(), incarnation, told };
        assert_eq!(store.note_resets_told(note).await, Ok(Some(noted)));
        assert_eq!(mark().await != before, writes, "{told}");
    }
}
