//! Appends through the writer's actor, while another process writes to the same log.

use std::future::Future;

use futures_util::future::join_all;
use umbel_core::{ExpectedVersion::Any, Timestamp};
use umbel_testkit::conformance::Events;

use super::streamed::with_store;
use crate::{Adapter, StoreSettings};

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
