//! Durable subscriptions and their dead letters. Each request is one statement; leases run out by the server's clock.

mod acts;
mod leases;
mod letters;

use futures_util::future::BoxFuture;
use umbel_core::{
    Timestamp,
    store::{
        CountLetters, KeepLeases, Leases, Letter, LettersSettled, ListLetters, ListSubscriptions, NoteBegun,
        NoteResetsTold, OpenError, OpenSubscription, ParkLetters, Process, ReadParkedKeys, SaveCheckpoints,
        SettleLetters, StoreError, SubscriptionState, TakeLetters, TellProcess,
    },
    subscription::{Change, Key, Start},
};

pub(super) use self::acts::{Asked, Meant};
use super::Postgres;
use crate::adapter::Subscriptions;

impl Subscriptions for Postgres {
    fn open_subscription(
        &self,
        request: OpenSubscription,
        _now: Timestamp,
    ) -> BoxFuture<'_, Result<SubscriptionState, OpenError>> {
        Box::pin(self.reader.open_subscription(request))
    }

    fn keep_leases(&self, request: KeepLeases, _now: Timestamp) -> BoxFuture<'_, Result<Leases, StoreError>> {
        Box::pin(async move {
            let change = Change::by_leases(&request);
            let kept = self.reader.keep_leases(request).await?;
            self.tell_change(change).await;
            Ok(kept)
        })
    }

    fn save_checkpoints(&self, request: SaveCheckpoints) -> BoxFuture<'_, Result<Vec<u32>, StoreError>> {
        Box::pin(self.reader.save_checkpoints(request))
    }

    fn note_begun(&self, request: NoteBegun) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.reader.note_begun(request))
    }

    fn note_resets_told(&self, request: NoteResetsTold) -> BoxFuture<'_, Result<Option<u64>, StoreError>> {
        Box::pin(self.reader.note_resets_told(request))
    }

    fn list_subscriptions(
        &self,
        request: ListSubscriptions,
        _now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<SubscriptionState>, StoreError>> {
        Box::pin(self.reader.list_subscriptions(request))
    }

    fn tell_process(
        &self,
        request: TellProcess,
        _now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<Process>, StoreError>> {
        Box::pin(self.reader.tell_process(request))
    }

    fn park_letters(
        &self,
        request: ParkLetters,
        _now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<u32>, StoreError>> {
        Box::pin(self.reader.park_letters(request))
    }

    fn read_parked_keys(&self, request: ReadParkedKeys) -> BoxFuture<'_, Result<Vec<Key>, StoreError>> {
        Box::pin(self.reader.read_parked_keys(request))
    }

    fn take_letters(&self, request: TakeLetters) -> BoxFuture<'_, Result<Vec<Letter>, StoreError>> {
        Box::pin(self.reader.take_letters(request))
    }

    fn settle_letters(&self, request: SettleLetters) -> BoxFuture<'_, Result<LettersSettled, StoreError>> {
        Box::pin(self.reader.settle_letters(request))
    }

    fn list_letters(&self, request: ListLetters) -> BoxFuture<'_, Result<Vec<Letter>, StoreError>> {
        Box::pin(self.reader.list_letters(request))
    }

    fn count_letters(&self, request: CountLetters) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.reader.count_letters(request))
    }

    fn sweep_letters(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.reader.sweep_letters(limit))
    }
}

/// A count, or an epoch, as columns have it. None that is healthy is beyond.
fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn to_u32(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The place behind which a start is, and whether that is the end of what is followed.
fn start_columns(start: Start) -> (Option<i64>, bool) {
    match start {
        Start::Origin => (None, false),
        Start::Current => (None, true),
        Start::After(place) => (Some(place.to_i64()), false),
    }
}
