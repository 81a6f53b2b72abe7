//! Subscriptions.

use futures_util::future::BoxFuture;
use umbel_core::{Timestamp, store::*, subscription::Key};

use super::Postgres;
use crate::adapter::{Subscriptions, missing};

impl Subscriptions for Postgres {
    fn open_subscription(
        &self,
        _: OpenSubscription,
        _: Timestamp,
    ) -> BoxFuture<'_, Result<SubscriptionState, OpenError>> {
        Box::pin(async { missing::<SubscriptionState>().await.map_err(OpenError::from) })
    }
    fn keep_leases(&self, _: KeepLeases, _: Timestamp) -> BoxFuture<'_, Result<Leases, StoreError>> {
        missing()
    }
    fn save_checkpoints(&self, _: SaveCheckpoints) -> BoxFuture<'_, Result<Vec<u32>, StoreError>> {
        missing()
    }
    fn list_subscriptions(
        &self,
        _: ListSubscriptions,
        _: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<SubscriptionState>, StoreError>> {
        missing()
    }
    fn park_letters(&self, _: ParkLetters, _: Timestamp) -> BoxFuture<'_, Result<Vec<u32>, StoreError>> {
        missing()
    }
    fn read_parked_keys(&self, _: ReadParkedKeys) -> BoxFuture<'_, Result<Vec<Key>, StoreError>> {
        missing()
    }
    fn take_letters(&self, _: TakeLetters) -> BoxFuture<'_, Result<Vec<Letter>, StoreError>> {
        missing()
    }
    fn settle_letters(&self, _: SettleLetters) -> BoxFuture<'_, Result<LettersSettled, StoreError>> {
        missing()
    }
    fn list_letters(&self, _: ListLetters) -> BoxFuture<'_, Result<LetterPage, StoreError>> {
        missing()
    }
}
