//! Subscriptions of the rigged store: those of the one behind it.

use futures_util::future::BoxFuture;
use umbel_core::{
    Timestamp,
    store::{
        KeepLeases, Leases, Letter, LetterPage, LettersSettled, ListLetters, ListSubscriptions, OpenError,
        OpenSubscription, ParkLetters, ReadParkedKeys, SaveCheckpoints, SettleLetters, StoreError,
        SubscriptionState, TakeLetters,
    },
    subscription::Key,
};
use umbel_persistence::Subscriptions;

use super::Rigged;

impl Subscriptions for Rigged {
    fn open_subscription(
        &self,
        request: OpenSubscription,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<SubscriptionState, OpenError>> {
        self.inner.open_subscription(request, now)
    }

    fn keep_leases(&self, request: KeepLeases, now: Timestamp) -> BoxFuture<'_, Result<Leases, StoreError>> {
        self.inner.keep_leases(request, now)
    }

    fn save_checkpoints(&self, request: SaveCheckpoints) -> BoxFuture<'_, Result<Vec<u32>, StoreError>> {
        self.inner.save_checkpoints(request)
    }

    fn list_subscriptions(
        &self,
        request: ListSubscriptions,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<SubscriptionState>, StoreError>> {
        self.inner.list_subscriptions(request, now)
    }

    fn park_letters(
        &self,
        request: ParkLetters,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<u32>, StoreError>> {
        self.inner.park_letters(request, now)
    }

    fn read_parked_keys(&self, request: ReadParkedKeys) -> BoxFuture<'_, Result<Vec<Key>, StoreError>> {
        self.inner.read_parked_keys(request)
    }

    fn take_letters(&self, request: TakeLetters) -> BoxFuture<'_, Result<Vec<Letter>, StoreError>> {
        self.inner.take_letters(request)
    }

    fn settle_letters(&self, request: SettleLetters) -> BoxFuture<'_, Result<LettersSettled, StoreError>> {
        self.inner.settle_letters(request)
    }

    fn list_letters(&self, request: ListLetters) -> BoxFuture<'_, Result<LetterPage, StoreError>> {
        self.inner.list_letters(request)
    }
}
