//! Appends through the writer's actor, while another process writes to the same log.

use std::future::Future;

use futures_util::future::join_all;
use umbel_core::{
    ExpectedVersion::Any,
    Timestamp,
    store::{Append, AppendError},
};
use umbel_testkit::conformance::{Events, exact};

use super::streamed::with_store;
use crate::{Adapter, StoreSettings};

/// AP-04: an append that was decided on another one of its group is stored behind that one; if somebody else's has come between, it is
/// not, whatever version the stream has by then.
pub(super) async fn an_append_follows_another_of_its_group(adapter: impl Adapter) {
    let events = Events::default();
    let own = |expected| events.append("s", exact(expected), 1);
    let behind = |of: &Append, expected| {
        let mut next = own(expected);
        next.streams[0].behind = Some(of.streams[0].events[0].id);
        next
    };
    let first = own(0);
    let second = behind(&first, 1);
    let third = behind(&second, 2);
    let stored = adapter.append(vec![first, second, third], Timestamp::from_micros(1)).await;
    let versions = stored.into_iter().map(|appended| appended.unwrap().versions[0].get());
    assert_eq!(versions.collect::<Vec<_>>(), [1, 2, 3]);

    let refused = own(2);
    let (others, on_refused) = (events.append("s", Any, 1), behind(&refused, 4));
    let outcomes = adapter.append(vec![refused, others, on_refused], Timestamp::from_micros(2)).await;
    assert!(matches!(outcomes[0], Err(AppendError::WrongExpectedVersion { .. })), "{outcomes:?}");
    assert_eq!(outcomes[1].as_ref().unwrap().versions[0].get(), 4);
    assert!(matches!(outcomes[2], Err(AppendError::NotBehind { .. })), "{outcomes:?}");
}

/// AP-14: given a writer whose callers are many at one time and one at the next, and somebody else who writes between its groups,
/// when nobody comes back whom it waits for, then all are answered, in the order they came.
pub(super) fn nobody_waits_long_for_who_does_not_come_back<A: Adapter, G>(
    open: impl Future<Output = (A, G)>,
) {
    with_store(open, &StoreSettings::default(), |bus, adapter| async move {
        let (store, events) = (bus.store(), Events::default());
        let mut written = 0;
        for callers in [8, 1, 9, 2, 1, 30, 1, 1] {
            let elsewhere =
                adapter.append(vec![events.append("elsewhere", Any, 1)], Timestamp::from_micros(1));
            elsewhere.await.remove(0).unwrap();
            let appends = (0..callers).map(|_| store.append(events.append("here", Any, 1)));
            for appended in join_all(appends).await {
                written += 1;
                assert_eq!(appended.unwrap().versions[0].get(), written);
            }
        }
    });
}
