//! Subscriptions: their leases and checkpoints.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    time::Duration,
};

use futures_util::future::BoxFuture;
use umbel_core::{
    Position, StreamName, Timestamp, Version,
    store::{
        Act, Checkpoint, CountLetters, KeepLeases, LeaseState, Leases, Letter, LettersSettled, ListLetters,
        ListSubscriptions, NoteBegun, NoteResetsTold, OpenError, OpenSubscription, ParkLetters,
        PartitionState, PerformError, Process, ReadParkedKeys, SaveCheckpoints, SettleLetters, StoreError,
        SubscriptionState, TakeLetters, TellProcess,
    },
    subscription::{Abandoned, Key, NodeId, Start, SubscriptionName},
    version::Place,
};

use super::{Memory, count, size, state::State};
use crate::adapter::Subscriptions;

/// A subscription as it is kept.
#[derive(Debug)]
pub(super) struct Subscription {
    source: String,
    kept_as: String,
    pub(super) stream: Option<StreamName>,
    start: Start,
    paused: bool,
    /// How often it was reset.
    resets: u64,
    /// How many resets were told.
    resets_told: u64,
    created_at: Timestamp,
    /// The epoch that its partitions began with, which no earlier one of its name had.
    incarnation: u64,
    /// Nodes that take part, and until when.
    members: BTreeMap<NodeId, Timestamp>,
    pub(super) partitions: Vec<Partition>,
    pub(super) letters: BTreeMap<Place, Letter>,
}

/// What is kept of a name that a subscription has given up.
#[derive(Debug)]
pub(super) struct Past {
    /// The first epoch that no lease under it had.
    epoch: u64,
    /// What the next one of this name is kept as.
    kept_as: String,
}

/// A partition as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    pub(super) epoch: u64,
    /// Who had the last lease, unless it was given back or taken away, and until when.
    owner: Option<(NodeId, Timestamp)>,
    pub(super) checkpoint: Place,
    /// The furthest checkpoint that was saved, which a reset leaves.
    pub(super) handled: Place,
    abandoned: Abandoned,
}

impl Subscriptions for Memory {
    fn open_subscription(
        &self,
        request: OpenSubscription,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<SubscriptionState, OpenError>> {
        Box::pin(async move { request.compare(self.state().open_subscription(&request, now)) })
    }

    fn keep_leases(&self, request: KeepLeases, now: Timestamp) -> BoxFuture<'_, Result<Leases, StoreError>> {
        Box::pin(async move {
            let mut state = self.state();
            let gone = || Leases { gone: true, ..Leases::default() };
            let subscription = state.subscriptions.get_mut(&request.subscription);
            let asked = subscription.filter(|there| there.incarnation == request.incarnation);
            Ok(asked.map_or_else(gone, |subscription| subscription.keep_leases(&request, now)))
        })
    }

    fn save_checkpoints(&self, request: SaveCheckpoints) -> BoxFuture<'_, Result<Vec<u32>, StoreError>> {
        Box::pin(async move {
            let mut state = self.state();
            let mut refused = BTreeSet::new();
            for Checkpoint { partition, epoch, place } in request.checkpoints {
                match state.leased(&request.subscription, partition, epoch) {
                    Some(leased) => leased.save(place),
                    None => drop(refused.insert(partition)),
                }
            }
            Ok(refused.into_iter().collect())
        })
    }

    fn note_begun(&self, request: NoteBegun) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            let NoteBegun { subscription, lease, begun } = request;
            let mut state = self.state();
            let leased = state.leased(&subscription, lease.partition, lease.epoch);
            Ok(leased.map(|leased| leased.abandoned.begun = begun).is_some())
        })
    }

    fn note_resets_told(&self, request: NoteResetsTold) -> BoxFuture<'_, Result<Option<u64>, StoreError>> {
        Box::pin(async move {
            let mut state = self.state();
            let subscription = state.subscriptions.get_mut(&request.subscription);
            let asked = subscription.filter(|there| there.incarnation == request.incarnation);
            Ok(asked.map(|subscription| {
                subscription.resets_told =
                    subscription.resets_told.max(request.told.min(subscription.resets));
                subscription.resets_told
            }))
        })
    }

    fn list_subscriptions(
        &self,
        request: ListSubscriptions,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<SubscriptionState>, StoreError>> {
        Box::pin(async move {
            let state = self.state();
            let after = request.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let behind = state.subscriptions.range::<SubscriptionName, _>((after, Bound::Unbounded));
            let wanted = behind.filter(|(name, _)| request.name.as_ref().is_none_or(|asked| asked == *name));
            let page = wanted.take(size(request.limit));
            Ok(page.map(|(name, subscription)| subscription.state(name, now)).collect())
        })
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
        Box::pin(async move { Ok(self.state().park_letters(request, now)) })
    }

    fn read_parked_keys(&self, request: ReadParkedKeys) -> BoxFuture<'_, Result<Vec<Key>, StoreError>> {
        Box::pin(async move {
            let state = self.state();
            let subscription = state.subscriptions.get(&request.subscription).into_iter();
            let letters = subscription.flat_map(Subscription::heads);
            let here = letters.filter(|letter| letter.partition == request.partition);
            Ok(here.map(|letter| letter.key).collect())
        })
    }

    fn take_letters(&self, request: TakeLetters) -> BoxFuture<'_, Result<Vec<Letter>, StoreError>> {
        Box::pin(async move {
            let state = self.state();
            let subscription = state.subscriptions.get(&request.subscription).into_iter();
            let heads = subscription.flat_map(Subscription::heads);
            let due = heads
                .filter(|letter| letter.is_wanted() && request.partitions.contains(&letter.partition))
                .take(size(request.limit));
            Ok(due.cloned().collect())
        })
    }

    fn settle_letters(&self, request: SettleLetters) -> BoxFuture<'_, Result<LettersSettled, StoreError>> {
        Box::pin(async move { Ok(self.state().settle_letters(request)) })
    }

    fn list_letters(&self, request: ListLetters) -> BoxFuture<'_, Result<Vec<Letter>, StoreError>> {
        Box::pin(async move { Ok(self.state().list_letters(&request)) })
    }

    fn count_letters(&self, request: CountLetters) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { Ok(self.state().count_letters(&request.filter)) })
    }

    /// They go with their subscription.
    fn sweep_letters(&self, _limit: u32) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async { Ok(0) })
    }
}

impl State {
    fn open_subscription(&mut self, request: &OpenSubscription, now: Timestamp) -> SubscriptionState {
        let (start, checkpoint) = self.resolved(request.start, request.stream.as_ref());
        let past = self.past.get(&request.name);
        let epoch = past.map_or(0, |past| past.epoch);
        let kept_as = past.map_or_else(|| request.name.as_str().to_owned(), |past| past.kept_as.clone());
        let make = || Subscription {
            source: request.source.clone(),
            kept_as,
            stream: request.stream.clone(),
            start,
            paused: false,
            resets: 0,
            resets_told: 0,
            created_at: now,
            incarnation: epoch,
            members: BTreeMap::new(),
            partitions: vec![Partition::new(epoch, checkpoint); size(request.partitions)],
            letters: BTreeMap::new(),
        };
        let kept = self.subscriptions.entry(request.name.clone()).or_insert_with(make);
        kept.state(&request.name, now)
    }

    /// What a start means now, and the checkpoint that leads there.
    fn resolved(&self, start: Start, stream: Option<&StreamName>) -> (Start, Place) {
        let at = match start {
            Start::Origin => return (start, Place::START),
            Start::After(place) => place,
            Start::Current => self.end_of(stream),
        };
        (Start::After(at), at)
    }

    /// Where what a subscription follows ends: a stream, or the log.
    fn end_of(&self, followed: Option<&StreamName>) -> Place {
        let version = |name| self.streams.get(name).map_or(Version::START, |stream| stream.version);
        followed.map_or_else(|| self.head.into(), |name| version(name).into())
    }

    /// The partition, if this is the epoch of its last lease.
    pub(super) fn leased(
        &mut self,
        name: &SubscriptionName,
        partition: u32,
        epoch: u64,
    ) -> Option<&mut Partition> {
        let partition = self.subscriptions.get_mut(name)?.partitions.get_mut(size(partition))?;
        (partition.epoch == epoch).then_some(partition)
    }

    /// Does an act about subscriptions or their dead letters; how many letters it was about, or `None` when it is another act.
    pub(super) fn act_on_subscription(&mut self, act: &Act) -> Result<Option<u64>, PerformError> {
        let unknown = |name: &SubscriptionName| PerformError::SubscriptionNotFound(name.clone());
        let letters = match act {
            Act::PauseSubscription { subscription: name }
            | Act::ResumeSubscription { subscription: name } => {
                let kept = self.subscriptions.get_mut(name).ok_or_else(|| unknown(name))?;
                kept.paused = matches!(act, Act::PauseSubscription { .. });
                0
            }
            Act::ResetSubscription { subscription: name, start } => {
                let stream = self.subscriptions.get(name).ok_or_else(|| unknown(name))?.stream.clone();
                act.check_start(stream.as_ref(), self.end_of(stream.as_ref()))?;
                let (start, checkpoint) = self.resolved(*start, stream.as_ref());
                self.subscriptions.get_mut(name).ok_or_else(|| unknown(name))?.reset(start, checkpoint)
            }
            Act::RenameSubscription { subscription, to } => self.rename_subscription(subscription, to)?,
            Act::DeleteSubscription { subscription: name } => {
                let deleted = self.subscriptions.remove(name).ok_or_else(|| unknown(name))?;
                let last = deleted.partitions.iter().map(|partition| partition.epoch).max();
                let past = Past { epoch: last.unwrap_or(0) + 1, kept_as: deleted.kept_as };
                self.past.insert(name.clone(), past);
                count(deleted.letters.len())
            }
            Act::RetryLetters { filter, limit } => self.retry_letters(filter, *limit)?,
            Act::CancelRetries { filter, limit } => self.cancel_retries(filter, *limit)?,
            Act::DiscardLetters { filter, limit } => self.discard_letters(filter, *limit)?,
            Act::EditLetter { subscription, place, data } => {
                self.edit_letter(subscription, *place, data.clone())?
            }
            _ => return Ok(None),
        };
        Ok(Some(letters))
    }

    /// How many dead letters go along. No lease of either name, past ones included, has the epoch that it has then.
    fn rename_subscription(
        &mut self,
        name: &SubscriptionName,
        to: &SubscriptionName,
    ) -> Result<u64, PerformError> {
        if !self.subscriptions.contains_key(name) {
            return Err(PerformError::SubscriptionNotFound(name.clone()));
        }
        if self.subscriptions.contains_key(to) {
            return Err(PerformError::SubscriptionExists(to.clone()));
        }
        let Some(mut kept) = self.subscriptions.remove(name) else { return Ok(0) };
        let last = kept.partitions.iter().map(|partition| partition.epoch).max();
        let past = last.unwrap_or(0) + 1;
        self.past.insert(name.clone(), Past { epoch: past, kept_as: format!("{name}@{past}") });
        let epoch = past.max(self.past.get(to).map_or(0, |past| past.epoch));
        kept.incarnation = epoch;
        kept.members.clear();
        for partition in &mut kept.partitions {
            (partition.epoch, partition.owner) = (epoch, None);
        }
        for letter in kept.letters.values_mut() {
            letter.subscription = to.clone();
        }
        let letters = count(kept.letters.len());
        self.subscriptions.insert(to.clone(), kept);
        Ok(letters)
    }

    /// A stream is gone for good, and one of its name begins with version 1 again: so does whatever follows it.
    pub(super) fn reset_followers(&mut self, stream: &StreamName) {
        for kept in self.subscriptions.values_mut().filter(|kept| kept.stream.as_ref() == Some(stream)) {
            kept.reset(Start::Origin, Place::START);
            // What was handled was of the stream that is gone.
            kept.partitions.iter_mut().for_each(|partition| partition.handled = Place::START);
        }
    }

    /// What is kept for places that cannot be, and that do not go together.
    pub(super) fn wrong_checkpoints(&self) -> Vec<String> {
        let wrong = |(name, subscription): (&SubscriptionName, &Subscription)| {
            let beyond = |at: Place| subscription.stream.is_none() && at > Place::from(self.head);
            let partitions = subscription.partitions.iter().enumerate();
            let beyond = partitions.filter(|(_, partition)| beyond(partition.checkpoint)).map(
                |(number, Partition { checkpoint, .. })| {
                    format!(
                        "subscription {name} has partition {number} at {checkpoint}, the log ends at {}",
                        self.head
                    )
                },
            );
            beyond.collect::<Vec<_>>()
        };
        self.subscriptions.iter().flat_map(wrong).collect()
    }

    /// Dead letters of partitions that their subscription does not have, or of events that the log has not come to.
    pub(super) fn wrong_letters(&self) -> Vec<String> {
        let wrong = |(name, subscription): (&SubscriptionName, &Subscription)| {
            let is_wrong = |letter: &&Letter| {
                let partition =
                    letter.key.partition(u32::try_from(subscription.partitions.len()).unwrap_or(0));
                letter.partition != partition
                    || letter.position > self.head
                    || letter.position == Position::START
            };
            let letters = subscription.letters.values().filter(is_wrong);
            let tell = |letter: &Letter| {
                let Letter { place, partition, position, .. } = letter;
                format!(
                    "subscription {name} has a dead letter at {place} of partition {partition}, of position {position}"
                )
            };
            letters.map(tell).collect::<Vec<_>>()
        };
        self.subscriptions.iter().flat_map(wrong).collect()
    }
}

impl Subscription {
    /// Lets it begin elsewhere; how many dead letters it had.
    fn reset(&mut self, start: Start, checkpoint: Place) -> u64 {
        self.start = start;
        self.resets += 1;
        for partition in &mut self.partitions {
            let handled = partition.handled;
            *partition = Partition { handled, ..Partition::new(partition.epoch + 1, checkpoint) };
        }
        count(std::mem::take(&mut self.letters).len())
    }

    fn keep_leases(&mut self, request: &KeepLeases, now: Timestamp) -> Leases {
        let until = now.plus(Duration::from_millis(request.lease_ms));
        self.members.retain(|node, until| *until > now && *node != request.node);
        if !request.leave {
            self.members.insert(request.node, until);
        }
        let mine = |partition: &Partition, epoch| {
            partition.epoch == epoch && partition.owner.is_some_and(|(owner, _)| owner == request.node)
        };
        for (leases, owner) in [(&request.release, None), (&request.hold, Some((request.node, until)))] {
            for lease in leases {
                let partition = self.partitions.get_mut(size(lease.partition));
                if let Some(partition) = partition.filter(|partition| mine(partition, lease.epoch)) {
                    partition.owner = owner;
                }
            }
        }
        if request.leave {
            let own =
                |partition: &&mut Partition| partition.owner.is_some_and(|(owner, _)| owner == request.node);
            self.partitions.iter_mut().filter(own).for_each(|partition| partition.owner = None);
        }
        for number in &request.claim {
            let partition = self.partitions.get_mut(size(*number));
            if let Some(partition) = partition.filter(|partition| partition.owner(now).is_none()) {
                partition.epoch += 1;
                // Who gave it back has ended what it began.
                match partition.owner.replace((request.node, until)) {
                    Some(_) => partition.abandoned.leases += 1,
                    None => partition.abandoned = Abandoned::default(),
                }
            }
        }
        self.leases(now)
    }

    fn leases(&self, now: Timestamp) -> Leases {
        let state = |(partition, kept): (u32, &Partition)| LeaseState {
            partition,
            epoch: kept.epoch,
            owner: kept.owner(now),
            checkpoint: kept.checkpoint,
            handled: kept.handled,
            letters: count(self.letters_of(partition).count()),
            due: self.heads().any(|letter| letter.partition == partition && letter.is_wanted()),
            abandoned: kept.abandoned.clone(),
        };
        let partitions = (0..).zip(&self.partitions).map(state).collect();
        let Self { paused, resets, .. } = *self;
        Leases { gone: false, paused, resets, members: self.members(now), partitions }
    }

    fn state(&self, name: &SubscriptionName, now: Timestamp) -> SubscriptionState {
        let state = |(partition, kept): (u32, &Partition)| PartitionState {
            partition,
            checkpoint: kept.checkpoint,
            handled: kept.handled,
            epoch: kept.epoch,
            owner: kept.owner(now),
            letters: count(self.letters_of(partition).count()),
            oldest_letter_at: self.letters_of(partition).map(|letter| letter.parked_at).min(),
        };
        SubscriptionState {
            name: name.clone(),
            kept_as: self.kept_as.clone(),
            source: self.source.clone(),
            stream: self.stream.clone(),
            start: self.start,
            paused: self.paused,
            created_at: self.created_at,
            incarnation: self.incarnation,
            members: self.members(now),
            partitions: (0..).zip(&self.partitions).map(state).collect(),
        }
    }

    fn members(&self, now: Timestamp) -> u32 {
        let there = self.members.values().filter(|until| **until > now).count();
        u32::try_from(there).unwrap_or(u32::MAX)
    }
}

impl Partition {
    fn new(epoch: u64, checkpoint: Place) -> Self {
        Self { epoch, owner: None, checkpoint, handled: Place::START, abandoned: Abandoned::default() }
    }

    fn save(&mut self, place: Place) {
        if place > self.checkpoint {
            self.abandoned.leases = 0;
        }
        self.checkpoint = self.checkpoint.max(place);
        self.handled = self.handled.max(place);
    }

    /// Who holds it.
    fn owner(&self, now: Timestamp) -> Option<NodeId> {
        self.owner.filter(|(_, until)| *until > now).map(|(owner, _)| owner)
    }
}
