//! Durable subscriptions: which there are, who owns their partitions, how far each has come, and their dead letters.
//!
//! Leases run out by one clock for all nodes. A database that serves several of them uses its own; `now` is for those that live in
//! one process.

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

/// Keeps subscriptions. The acts that pause, reset or delete them, and those about dead letters, are
/// [`Upkeep::perform`](super::Upkeep::perform)'s.
pub trait Subscriptions: Send + Sync + 'static {
    /// Makes a subscription unless it is there; what is there afterwards. Of several that ask at once, one makes it and all get the
    /// same answer.
    fn open_subscription(
        &self,
        request: OpenSubscription,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<SubscriptionState, OpenError>>;

    /// Gives back, renews and claims leases, in this order and in one transaction; how they stand afterwards.
    fn keep_leases(&self, request: KeepLeases, now: Timestamp) -> BoxFuture<'_, Result<Leases, StoreError>>;

    /// Moves checkpoints forward; the partitions that were refused, in order, each once.
    fn save_checkpoints(&self, request: SaveCheckpoints) -> BoxFuture<'_, Result<Vec<u32>, StoreError>>;

    /// Notes what the owner of a partition has begun and not ended; whether it is the owner still.
    fn note_begun(&self, request: NoteBegun) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Notes how many resets were told, never fewer than before nor more than there were; how many are noted then.
    fn note_resets_told(&self, request: NoteResetsTold) -> BoxFuture<'_, Result<Option<u64>, StoreError>>;

    /// A page of the subscriptions, by name.
    fn list_subscriptions(
        &self,
        request: ListSubscriptions,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<SubscriptionState>, StoreError>>;

    /// Keeps for a time what a process tells of itself, in place of what was kept of it; what other processes tell.
    fn tell_process(
        &self,
        request: TellProcess,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<Process>, StoreError>>;

    /// Keeps dead letters, each once; the partitions that were refused, in order, each once.
    fn park_letters(
        &self,
        request: ParkLetters,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<u32>, StoreError>>;

    /// The keys of a partition that have dead letters, each once, in no order.
    fn read_parked_keys(&self, request: ReadParkedKeys) -> BoxFuture<'_, Result<Vec<Key>, StoreError>>;

    /// Dead letters that are due, by place.
    fn take_letters(&self, request: TakeLetters) -> BoxFuture<'_, Result<Vec<Letter>, StoreError>>;

    /// Removes dead letters that are done, and records how the others failed; what that led to, each in order and once.
    fn settle_letters(&self, request: SettleLetters) -> BoxFuture<'_, Result<LettersSettled, StoreError>>;

    /// A page of the dead letters, by subscription and place.
    fn list_letters(&self, request: ListLetters) -> BoxFuture<'_, Result<Vec<Letter>, StoreError>>;

    /// How many dead letters are meant.
    fn count_letters(&self, request: CountLetters) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Removes so many dead letters at most that were lost when their subscription was deleted or reset; how many. Fewer than that:
    /// there are no more. The act itself only notes that they are lost, so that appends do not wait for it, however many there are;
    /// from then on nothing else of the store knows of them.
    fn sweep_letters(&self, limit: u32) -> BoxFuture<'_, Result<u64, StoreError>>;
}
