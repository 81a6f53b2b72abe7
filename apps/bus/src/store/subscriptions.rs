//! Requests about durable subscriptions and their dead letters. The acts that change them are
//! [`perform`](Store::perform)'s.

use umbel_core::{
    store::{
        CountLetters, KeepLeases, Leases, Letter, LettersSettled, ListLetters, ListSubscriptions, NoteBegun,
        NoteResetsTold, OpenError, OpenSubscription, ParkLetters, ReadParkedKeys, SaveCheckpoints,
        SettleLetters, StoreError, SubscriptionState, TakeLetters,
    },
    subscription::Key,
};

use super::Store;

impl Store {
    /// Makes a subscription unless it is there; what is kept of it.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open_subscription(&self, request: OpenSubscription) -> Result<SubscriptionState, OpenError> {
        self.write(request).await
    }

    /// Gives back, renews and claims leases of a subscription's partitions; how they stand afterwards.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn keep_leases(&self, request: KeepLeases) -> Result<Leases, StoreError> {
        self.write(request).await
    }

    /// Moves checkpoints forward; the partitions that were refused.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn save_checkpoints(&self, request: SaveCheckpoints) -> Result<Vec<u32>, StoreError> {
        self.write(request).await
    }

    /// Notes what the owner of a partition has begun and not ended; whether it is the owner still.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn note_begun(&self, request: NoteBegun) -> Result<bool, StoreError> {
        self.write(request).await
    }

    /// Notes how many resets of a subscription its handlers were told of; how many are noted then, if it is there.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn note_resets_told(&self, request: NoteResetsTold) -> Result<Option<u64>, StoreError> {
        self.write(request).await
    }

    /// A page of what is kept of subscriptions.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn list_subscriptions(
        &self,
        request: ListSubscriptions,
    ) -> Result<Vec<SubscriptionState>, StoreError> {
        self.read(request).await
    }

    /// Keeps dead letters; the partitions that were refused.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn park_letters(&self, request: ParkLetters) -> Result<Vec<u32>, StoreError> {
        self.write(request).await
    }

    /// The keys of a partition that have dead letters.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn read_parked_keys(&self, request: ReadParkedKeys) -> Result<Vec<Key>, StoreError> {
        self.read(request).await
    }

    /// Dead letters that are due.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn take_letters(&self, request: TakeLetters) -> Result<Vec<Letter>, StoreError> {
        self.read(request).await
    }

    /// Records what became of dead letters that were tried again.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn settle_letters(&self, request: SettleLetters) -> Result<LettersSettled, StoreError> {
        self.write(request).await
    }

    /// A page of the dead letters.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn list_letters(&self, request: ListLetters) -> Result<Vec<Letter>, StoreError> {
        self.read(request).await
    }

    /// How many dead letters are meant.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn count_letters(&self, request: CountLetters) -> Result<u64, StoreError> {
        self.read(request).await
    }
}
