//! The rigged store's subscriptions: as they are, until told otherwise.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures_util::future::BoxFuture;
use umbel_core::{
    Timestamp,
    store::{
        CountLetters, KeepLeases, Leases, Letter, LettersSettled, ListLetters, ListSubscriptions, Listener,
        OpenError, OpenSubscription, ParkLetters, ReadParkedKeys, SaveCheckpoints, SettleLetters, StoreError,
        SubscriptionState, TakeLetters, TellListeners,
    },
    subscription::Key,
};
use umbel_persistence::Subscriptions;

use crate::world::{Rigged, lost, take};

/// What goes wrong.
#[derive(Default)]
pub(crate) struct Rigging {
    /// While set, everything but reading is refused.
    down: AtomicBool,
    /// So many saved checkpoints to come are stored, and their answers lost.
    pub(crate) lost_saves: AtomicU32,
    /// So many parked letters to come are stored, and their answers lost.
    pub(crate) lost_parks: AtomicU32,
    /// So many settled letters to come are stored, and their answers lost.
    pub(crate) lost_settles: AtomicU32,
    /// How often stored subscriptions were looked up.
    pub(crate) lists: AtomicU32,
    /// How often checkpoints were to be saved.
    pub(crate) saves: AtomicU32,
}

impl Rigging {
    pub(crate) fn down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable { reason: "told to refuse".into() });
        }
        Ok(())
    }
}

fn answer<T>(counter: &AtomicU32, answer: Result<T, StoreError>) -> Result<T, StoreError> {
    if take(counter) { Err(lost()) } else { answer }
}

impl Subscriptions for Rigged {
    fn open_subscription(
        &self,
        request: OpenSubscription,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<SubscriptionState, OpenError>> {
        Box::pin(async move {
            self.subscriptions.check()?;
            self.inner.open_subscription(request, now).await
        })
    }

    fn keep_leases(&self, request: KeepLeases, now: Timestamp) -> BoxFuture<'_, Result<Leases, StoreError>> {
        Box::pin(async move {
            self.subscriptions.check()?;
            self.inner.keep_leases(request, now).await
        })
    }

    fn save_checkpoints(&self, request: SaveCheckpoints) -> BoxFuture<'_, Result<Vec<u32>, StoreError>> {
        Box::pin(async move {
            self.subscriptions.check()?;
            self.subscriptions.saves.fetch_add(1, Ordering::SeqCst);
            answer(&self.subscriptions.lost_saves, self.inner.save_checkpoints(request).await)
        })
    }

    fn list_subscriptions(
        &self,
        request: ListSubscriptions,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<SubscriptionState>, StoreError>> {
        self.subscriptions.lists.fetch_add(1, Ordering::SeqCst);
        self.inner.list_subscriptions(request, now)
    }

    fn tell_listeners(
        &self,
        request: TellListeners,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<Listener>, StoreError>> {
        self.inner.tell_listeners(request, now)
    }

    fn park_letters(
        &self,
        request: ParkLetters,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<u32>, StoreError>> {
        Box::pin(async move {
            self.subscriptions.check()?;
            answer(&self.subscriptions.lost_parks, self.inner.park_letters(request, now).await)
        })
    }

    fn read_parked_keys(&self, request: ReadParkedKeys) -> BoxFuture<'_, Result<Vec<Key>, StoreError>> {
        self.inner.read_parked_keys(request)
    }

    fn take_letters(&self, request: TakeLetters) -> BoxFuture<'_, Result<Vec<Letter>, StoreError>> {
        self.inner.take_letters(request)
    }

    fn settle_letters(&self, request: SettleLetters) -> BoxFuture<'_, Result<LettersSettled, StoreError>> {
        Box::pin(async move {
            self.subscriptions.check()?;
            answer(&self.subscriptions.lost_settles, self.inner.settle_letters(request).await)
        })
    }

    fn list_letters(&self, request: ListLetters) -> BoxFuture<'_, Result<Vec<Letter>, StoreError>> {
        self.inner.list_letters(request)
    }

    fn count_letters(&self, request: CountLetters) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.inner.count_letters(request)
    }
}
