//! What a clerk asks of the store. A store that is away is waited for; nothing is lost by asking twice.

use std::time::Duration;

use umbel_bus::edge;
use umbel_core::{
    Place, Position, ProcessManager,
    process_manager::{self, Decision, File, Pending, Reminder, Settled, forget, put_off, record_id, settle},
    store::{
        Append, AppendError, LetterFilter, ListLetters, ListSubscriptions, StoreError, SubscriptionState,
    },
    subscription::SubscriptionName,
};
use uuid::Uuid;

use super::{
    calls::Failed,
    clerk::{Clerk, Ended, Known},
};

/// What became of an append.
pub(super) enum Written {
    /// It is stored, and the file is as decided.
    Now,
    /// What it records was stored before: by somebody else, or by this one, whose answer was lost.
    Before,
    /// Somebody else has replaced the file since it was read.
    Moved,
    /// It cannot be stored, whatever the file is.
    Refused(String),
}

impl<E> Failed<E> {
    pub(super) const fn refused(reason: String) -> Self {
        Self::Trouble(process_manager::Trouble::Refused(reason))
    }
}

impl<P: ProcessManager> Clerk<'_, P> {
    /// What is kept of the instance.
    pub(super) async fn file(&mut self) -> Result<Option<&File>, Ended> {
        if matches!(self.known, Known::Unread) {
            self.known = Known::Read(self.read().await?);
        }
        match &self.known {
            Known::Read(file) => Ok(file.as_deref()),
            Known::Unread => Ok(None),
        }
    }

    async fn read(&self) -> Result<Option<Box<File>>, Ended> {
        let key = process_manager::key(&self.around.kept_as, self.instance);
        let mut attempt = 1;
        loop {
            let store = &self.around.store;
            let found = match store.get_documents(vec![key.clone()]).await {
                Ok(mut found) => found.pop().flatten(),
                Err(error) => {
                    self.wait_for_store(&error, &mut attempt).await?;
                    continue;
                }
            };
            let file = found.map(|body| body.decode::<File>()).transpose();
            return file.map(|file| file.map(Box::new)).map_err(|error| {
                Ended::Stopped(format!("instance {} of {} cannot be read: {error}", self.instance, P::NAME))
            });
        }
    }

    /// Whether an event or a timer is recorded as handled.
    pub(super) async fn was_handled(&self, cause: Uuid) -> Result<bool, Ended> {
        let id = record_id(&self.around.kept_as, self.instance, cause);
        let mut attempt = 1;
        loop {
            match self.around.store.find_command(id).await {
                Ok(found) => return Ok(found.is_some()),
                Err(error) => self.wait_for_store(&error, &mut attempt).await?,
            }
        }
    }

    /// Stores a decision.
    pub(super) async fn write(&mut self, decision: Decision) -> Result<Written, Ended> {
        let Decision { append, file } = decision;
        let written = self.append(append).await?;
        self.known = match written {
            Written::Now => Known::Read(file.map(Box::new)),
            Written::Before | Written::Moved | Written::Refused(_) => Known::Unread,
        };
        Ok(written)
    }

    /// Stores what became of pending commands, as they were read. False if they are not so any more: somebody else has settled them, and
    /// what was to be stored may be wrong of what is left.
    pub(super) async fn settle(&mut self, pending: &Pending, settled: &Settled<'_>) -> Result<bool, Ended> {
        let cause = pending.origin.cause;
        loop {
            let file = self.file().await?.filter(|file| file.pending_of(cause) == Some(pending));
            let Some(file) = file else { return Ok(false) };
            let revision = edge::fresh_id();
            let decision = settle(file, cause, settled, revision).map_err(Ended::Stopped)?;
            let Some(decision) = decision else { return Ok(false) };
            match self.write(decision).await? {
                Written::Now | Written::Before => return Ok(true),
                // It may be this one, whose answer was lost.
                Written::Moved if self.file().await?.is_some_and(|file| file.revision == revision) => {
                    return Ok(true);
                }
                Written::Moved => {}
                Written::Refused(reason) => return Err(Ended::Stopped(reason)),
            }
        }
    }

    /// Leaves out commands that wait with a dead letter which is gone: an operator has discarded it, and with it what it led to.
    pub(super) async fn leave_out_discarded(&mut self, cause: Uuid) -> Result<(), Ended> {
        let Some(file) = self.file().await? else { return Ok(()) };
        for pending in file.parked_but(cause).cloned().collect::<Vec<_>>() {
            let Some(letter) = pending.letter else { continue };
            if self.is_discarded(letter).await? {
                let (manager, instance, commands) = (P::NAME, self.instance, pending.orders.len());
                tracing::info!(
                    manager,
                    instance,
                    commands,
                    "commands go with their dead letter, which was discarded"
                );
                let settled = if pending.stop { Settled::Stopped } else { Settled::Done };
                self.settle(&pending, &settled).await?;
            }
        }
        Ok(())
    }

    /// Whether the event at this place has no dead letter any more. One that is about to become one has none yet: so the subscription must
    /// have passed the place before the letter is looked for.
    async fn is_discarded(&self, letter: Position) -> Result<bool, Ended> {
        let place = Place::from(letter);
        let subscription =
            SubscriptionName::new(P::NAME).map_err(|error| Ended::Stopped(error.to_string()))?;
        let filter = LetterFilter {
            subscription: Some(subscription.clone()),
            place: Some(place),
            ..LetterFilter::default()
        };
        let subscriptions = ListSubscriptions { name: Some(subscription), after: None, limit: 1 };
        let letters = ListLetters { filter, after: None, limit: 1 };
        let store = &self.around.store;
        let mut attempt = 1;
        loop {
            let looked = async {
                let found = store.list_subscriptions(subscriptions.clone()).await?;
                let passed = |found: &SubscriptionState| {
                    found.partitions.iter().all(|partition| partition.checkpoint >= place)
                };
                Ok(found.iter().any(passed) && store.list_letters(letters.clone()).await?.is_empty())
            };
            match looked.await {
                Ok(is_gone) => return Ok(is_gone),
                Err(error) => self.wait_for_store(&error, &mut attempt).await?,
            }
        }
    }

    /// Puts off a reminder while this one pauses, and a while longer, with which attempt it was that failed, and why. If that does not
    /// succeed, others only look after it earlier.
    pub(super) async fn put_off(
        &self,
        reminder: Uuid,
        timer: Option<&str>,
        pause: Duration,
        (attempt, error): (u32, &str),
    ) {
        let about = Reminder::of(self.instance.to_owned(), timer.map(ToOwned::to_owned));
        let about = about.tried(self.in_vain.saturating_add(attempt), error);
        if timer.is_some() {
            self.around.told.failing.put_off(reminder, pause + self.around.patience);
        }
        let due_at = self.around.bus.clock().now().plus(pause).plus(self.around.patience);
        let append = put_off(&self.around.kept_as, reminder, &about, due_at);
        if let Err(error) = self.around.store.append(append).await {
            tracing::warn!(manager = P::NAME, instance = self.instance, %error, "a reminder is not put off");
        }
    }

    /// Removes a reminder of something that is not there any more.
    pub(super) async fn forget(&self, reminder: Uuid) -> Result<(), Ended> {
        match self.append(forget(reminder)).await? {
            Written::Refused(reason) => Err(Ended::Stopped(reason)),
            Written::Now | Written::Before | Written::Moved => Ok(()),
        }
    }

    async fn append(&self, append: Append) -> Result<Written, Ended> {
        let mut attempt = 1;
        loop {
            let error = match self.around.store.append(append.clone()).await {
                Ok(appended) => {
                    self.around.told.failing.done(&append.done);
                    return Ok(if appended.repeated.is_some() { Written::Before } else { Written::Now });
                }
                Err(AppendError::Claimed { .. } | AppendError::NotHeld { .. }) => return Ok(Written::Moved),
                Err(AppendError::Store(error)) => error,
                Err(error) => return Ok(Written::Refused(error.to_string())),
            };
            self.wait_for_store(&error, &mut attempt).await?;
        }
    }

    /// Waits until it is worth asking again.
    async fn wait_for_store(&self, error: &StoreError, attempt: &mut u32) -> Result<(), Ended> {
        if matches!(error, StoreError::Corrupt { .. } | StoreError::Failed { .. }) {
            return Err(Ended::Stopped(error.to_string()));
        }
        let (manager, instance) = (P::NAME, self.instance);
        tracing::warn!(manager, instance, %error, attempt, "the store is waited for");
        let id = record_id(P::NAME, self.instance, Uuid::nil());
        self.pause(self.around.pauses.after(*attempt, id.0)).await?;
        *attempt = attempt.saturating_add(1);
        Ok(())
    }
}
