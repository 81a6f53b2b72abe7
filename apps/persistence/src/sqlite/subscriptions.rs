//! Durable subscriptions and their dead letters. What changes them does so on the writer's thread, each request in one transaction.

mod acts;
mod leases;
mod letters;
mod meant;

use futures_util::future::BoxFuture;
use umbel_core::{
    Timestamp,
    store::{
        CountLetters, KeepLeases, Leases, Letter, LettersSettled, ListLetters, ListSubscriptions, NoteBegun,
        NoteResetsTold, OpenError, OpenSubscription, ParkLetters, Process, ReadParkedKeys, SaveCheckpoints,
        SettleLetters, StoreError, SubscriptionState, TakeLetters, TellProcess,
    },
    subscription::Key,
};

pub(super) use self::acts::{act, reset_followers};
#[cfg(test)]
pub(super) use self::meant::Meant;
use super::Sqlite;
use crate::adapter::Subscriptions;

impl Subscriptions for Sqlite {
    fn open_subscription(
        &self,
        request: OpenSubscription,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<SubscriptionState, OpenError>> {
        Box::pin(async move {
            let asked = request.clone();
            let state = self.write(move |writer| leases::open(writer, &asked, now)).await?;
            let missing =
                || StoreError::Corrupt { reason: format!("subscription {} has no partitions", request.name) };
            request.compare(state.ok_or_else(missing)?)
        })
    }

    fn keep_leases(&self, request: KeepLeases, now: Timestamp) -> BoxFuture<'_, Result<Leases, StoreError>> {
        Box::pin(self.write(move |writer| leases::keep(writer, &request, now)))
    }

    fn save_checkpoints(&self, request: SaveCheckpoints) -> BoxFuture<'_, Result<Vec<u32>, StoreError>> {
        Box::pin(self.write(move |writer| leases::save_checkpoints(writer, &request)))
    }

    fn note_begun(&self, request: NoteBegun) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.write(move |writer| leases::note_begun(writer, &request)))
    }

    fn note_resets_told(&self, request: NoteResetsTold) -> BoxFuture<'_, Result<Option<u64>, StoreError>> {
        // Who only asks takes no turn from those who write.
        if request.told == 0 {
            return Box::pin(self.read(move |connection| leases::resets_told(connection, &request)));
        }
        Box::pin(self.write(move |writer| leases::note_resets_told(writer, &request)))
    }

    fn list_subscriptions(
        &self,
        request: ListSubscriptions,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<SubscriptionState>, StoreError>> {
        Box::pin(self.read(move |connection| leases::list(connection, &request, now)))
    }

    fn tell_process(
        &self,
        request: TellProcess,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<Process>, StoreError>> {
        Box::pin(async move { Ok(self.told.tell(request, now)) })
    }

    fn park_letters(
        &self,
        request: ParkLetters,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<u32>, StoreError>> {
        Box::pin(self.write(move |writer| letters::park(writer, &request, now)))
    }

    fn read_parked_keys(&self, request: ReadParkedKeys) -> BoxFuture<'_, Result<Vec<Key>, StoreError>> {
        Box::pin(self.read(move |connection| letters::parked_keys(connection, &request)))
    }

    fn take_letters(&self, request: TakeLetters) -> BoxFuture<'_, Result<Vec<Letter>, StoreError>> {
        Box::pin(self.read(move |connection| letters::take(connection, &request)))
    }

    fn settle_letters(&self, request: SettleLetters) -> BoxFuture<'_, Result<LettersSettled, StoreError>> {
        Box::pin(self.write(move |writer| letters::settle(writer, &request)))
    }

    fn list_letters(&self, request: ListLetters) -> BoxFuture<'_, Result<Vec<Letter>, StoreError>> {
        Box::pin(self.read(move |connection| letters::list(connection, &request)))
    }

    fn count_letters(&self, request: CountLetters) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.read(move |connection| letters::count(connection, &request.filter)))
    }

    fn sweep_letters(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.write(move |writer| letters::sweep(writer, limit)))
    }
}

/// A number as columns have it. None that is healthy is beyond.
fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
