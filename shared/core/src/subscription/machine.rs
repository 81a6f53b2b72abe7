//! The machine: inputs in, effects out.

mod feeding;
mod owning;
mod parking;
mod saving;
mod sending;
mod settling;
mod stopping;

use std::collections::BTreeMap;

use super::{
    Effect, Input, Millis, NodeId, Options,
    consumers::Consumers,
    letters::Letters,
    partition::Partition,
    pending::{Pauses, Pending},
    queue::Queue,
};
use crate::{
    store::{Checkpoint, LEASE_MAX_MS, Lease},
    version::Place,
};
use stopping::Stopping;

/// The protocol of one subscription on one node. It does nothing by itself: begin with an [`Input::Tick`], carry out every effect
/// and report what became of it.
///
/// It strives for its share of the partitions whether or not it has consumers: keep one only where there are some, and stop it when
/// the last one has left for good.
///
/// Times are those of the caller's clock, which only moves forward; one that is behind an earlier one counts as that.
#[derive(Debug)]
pub struct Machine<E> {
    options: Options,
    node: NodeId,
    /// Which subscription of its name it is, see [`KeepLeases::incarnation`](crate::store::KeepLeases).
    incarnation: u64,
    now: Millis,
    /// Counts the inputs.
    step: u64,
    out: Vec<Effect<E>>,

    /// By number; `None` where somebody else is the owner.
    partitions: Vec<Option<Partition>>,
    lease: Pending<owning::Asked>,
    next_ask: Millis,
    /// Leases that were given back, with their epochs, until the store says that they are nobody's or another one's.
    returned: BTreeMap<u32, u64>,
    /// Partitions to claim with the next request.
    claims: Vec<u32>,
    /// Whether the store may know of this node.
    member: bool,
    paused: bool,
    /// How often the subscription was reset.
    resets: u64,
    /// The first moment at which a partition that may send may do so no longer.
    expires: Millis,
    /// Whether some partition wants more than to be read and saved. Mostly none does, and none is asked then.
    chores: bool,

    queue: Queue<E>,
    consumers: Consumers,
    letters: Letters<E>,

    /// With the place behind which is being read.
    fetch: Pending<Place>,
    /// Whether that, or the read before, is for partitions that are behind others.
    read_behind: bool,
    /// The last place that is known to be there.
    head: Place,
    /// The last place that was announced since the last read began.
    announced: Place,
    /// Whether to read although nothing is known to be there.
    look: bool,
    /// Whether some partition may stand before what is known to be there.
    behind: bool,
    /// Whether something of some key may have been left in the log.
    leaves: bool,

    save: Pending<Vec<Checkpoint>>,
    /// Events that were done since checkpoints were saved.
    unsaved: u32,
    /// Since when a checkpoint may have moved.
    unsaved_since: Option<Millis>,

    park: Pending<Vec<parking::Batch>>,
    /// With the step in which it began.
    take: Pending<(u64, Vec<Lease>)>,
    /// With the step in which it began.
    settle: Pending<(u64, Vec<Place>)>,
    /// Whether it is unknown what became of a settling, so that keys may be free without a word.
    settle_unsure: bool,

    stopping: Stopping,
    /// What failed that is waited for while stopping.
    stop_failures: u32,
    wake: Option<Millis>,
    counters: Counters,
    #[cfg(test)]
    pub(super) bug: Option<super::tests::Bug>,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events and dead letters that were sent, each time counted.
    pub delivered: u64,
    /// Those that consumers acknowledged.
    pub acknowledged: u64,
    /// Those that failed and were to be tried again.
    pub retried: u64,
    /// Those that failed and were to be skipped.
    pub skipped: u64,
    /// Events that became dead letters, those included that only wait behind one.
    pub parked: u64,
}

impl<E: Clone> Machine<E> {
    /// A machine for a durable subscription, the one that was opened:
    /// [`SubscriptionState::incarnation`](crate::store::SubscriptionState::incarnation) says which. With options that say it is not
    /// durable, it begins with the first event there is; see [`Self::transient`].
    #[must_use]
    pub fn new(options: Options, node: NodeId, incarnation: u64) -> Self {
        if options.durable {
            Self { incarnation, ..Self::build(options, node) }
        } else {
            Self::transient(options, node, Place::START)
        }
    }

    /// A machine for a subscription without checkpoints, leases and dead letters, which begins behind a place. It owns all
    /// partitions at once; an event that is to be parked is skipped, for there is nowhere to keep it.
    #[must_use]
    pub fn transient(options: Options, node: NodeId, after: Place) -> Self {
        let mut machine = Self::build(Options { durable: false, ..options }, node);
        for (number, partition) in (0..).zip(&mut machine.partitions) {
            *partition =
                Some(Partition::new(Lease { partition: number, epoch: 0 }, Millis::MAX, after, true));
        }
        machine.activate();
        machine
    }

    fn build(mut options: Options, node: NodeId) -> Self {
        for bound in [
            &mut options.partitions,
            &mut options.batch_max,
            &mut options.buffer_max,
            &mut options.consumers_max,
            &mut options.checkpoint_after,
        ] {
            *bound = (*bound).max(1);
        }
        // No longer than the store lets one last, whatever was asked for.
        options.lease_ms = options.lease_ms.clamp(3, LEASE_MAX_MS);
        options.store_retry_min_ms = options.store_retry_min_ms.max(1);
        options.store_retry_max_ms = options.store_retry_max_ms.max(options.store_retry_min_ms);
        Self {
            partitions: (0..options.partitions).map(|_| None).collect(),
            options,
            node,
            incarnation: 0,
            now: 0,
            step: 0,
            out: Vec::new(),
            lease: Pending::default(),
            next_ask: 0,
            returned: BTreeMap::new(),
            claims: Vec::new(),
            member: false,
            paused: false,
            resets: 0,
            expires: Millis::MAX,
            chores: false,
            queue: Queue::default(),
            consumers: Consumers::default(),
            letters: Letters::default(),
            fetch: Pending::default(),
            read_behind: false,
            head: Place::START,
            announced: Place::START,
            look: false,
            behind: false,
            leaves: false,
            save: Pending::default(),
            unsaved: 0,
            unsaved_since: None,
            park: Pending::default(),
            take: Pending::default(),
            settle: Pending::default(),
            settle_unsure: false,
            stopping: Stopping::No,
            stop_failures: 0,
            wake: None,
            counters: Counters::default(),
            #[cfg(test)]
            bug: None,
        }
    }

    /// Takes in what happened and says what is to be done.
    pub fn step(&mut self, now: Millis, input: Input<E>) -> Vec<Effect<E>> {
        if self.stopping == Stopping::Over {
            return Vec::new();
        }
        self.now = self.now.max(now);
        self.step += 1;
        if self.now >= self.expires {
            self.activate();
        }
        self.take_in(input);
        self.go_on();
        std::mem::take(&mut self.out)
    }

    fn take_in(&mut self, input: Input<E>) {
        match input {
            Input::Tick => {}
            Input::Changed => self.next_ask = self.now,
            Input::Head(place) => self.announced(place),
            Input::Leased(leases) => self.leased(&leases),
            Input::LeaseFailed => self.lease_failed(),
            Input::ParkedKeys { partition, epoch, keys } => self.parked_keys(partition, epoch, &keys),
            Input::ParkedKeysFailed { partition, epoch } => self.parked_keys_failed(partition, epoch),
            Input::Fetched { items, scanned_to, head } => self.fetched(items, scanned_to, head),
            Input::FetchFailed => self.fetch_failed(),
            Input::Join { consumer, capacity } => self.join(consumer, capacity),
            Input::Leave { consumer } => self.leave(consumer),
            Input::Ack { consumer, place } => self.acknowledge(consumer, place),
            Input::AckEach { consumer, places } => {
                places.into_iter().for_each(|place| self.acknowledge_one(consumer, place));
            }
            Input::Fail { consumer, place, verdict, error, at } => {
                self.fail(consumer, place, verdict, error, at);
            }
            Input::Saved { refused } => self.saved(&refused),
            Input::SaveFailed => self.save_failed(),
            Input::Parked { refused } => self.parked(&refused),
            Input::ParkFailed => self.park_failed(),
            Input::Letters { due, free, more } => self.letters_due(due, &free, more),
            Input::LettersFailed => self.letters_failed(),
            Input::Settled { free, refused } => self.settled(&free, &refused),
            Input::SettleFailed => self.settle_failed(),
            Input::Stop => self.stop(false),
            Input::StopNow => self.stop(true),
        }
    }

    /// Everything that is due now, whatever it was that happened. Done once it leaves nothing to do: what gives up something comes
    /// before what can use the room.
    fn go_on(&mut self) {
        self.queue.open_retries(self.now);
        self.open_letters();
        self.look_up_parked();
        self.park_more();
        self.settle_more();
        self.save_more();
        self.end();
        self.ask_for_leases();
        self.take_letters();
        self.send();
        self.fetch_more();
        self.set_wake();
        self.chores = self.chores && self.owned_partitions().any(Partition::has_chores);
    }

    /// Says when to look again, if nothing happens before. An earlier moment replaces a later one; a later one need not be told:
    /// the earlier comes, and then it is.
    fn set_wake(&mut self) {
        if self.stopping == Stopping::Over {
            return;
        }
        if self.wake.is_some_and(|wake| wake <= self.now) {
            self.wake = None;
        }
        let wanted = [
            self.ask_at(),
            self.fetch.pause_ends(self.now),
            self.save_at(),
            self.park.pause_ends(self.now),
            self.take.pause_ends(self.now),
            self.settle.pause_ends(self.now),
            self.queue.next_retry(),
            self.letters.next_retry(),
            self.batch_at(),
            self.load_at(),
        ];
        let next = wanted.into_iter().flatten().filter(|at| *at > self.now).min();
        let Some(next) = next.filter(|next| self.wake.is_none_or(|wake| *next < wake)) else { return };
        self.wake = Some(next);
        self.out.push(Effect::Wake { at: next });
    }

    /// How long to wait after a failure of the store.
    fn pauses(&self) -> Pauses {
        Pauses { first: self.options.store_retry_min_ms, most: self.options.store_retry_max_ms }
    }

    /// The same for leases. They are asked for as often as they are renewed at least: a store that was away for a moment only, with
    /// long pauses, would cost the partitions.
    fn lease_pauses(&self) -> Pauses {
        let Pauses { first, most } = self.pauses();
        Pauses { first, most: most.min(self.options.lease_ms / 3) }
    }

    fn partition(&self, number: u32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(number).ok()?)?.as_ref()
    }

    fn partition_mut(&mut self, number: u32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(number).ok()?)?.as_mut()
    }

    /// The partition, if the lease is still this one.
    fn under(&mut self, number: u32, epoch: u64) -> Option<&mut Partition> {
        self.partition_mut(number).filter(|partition| partition.epoch == epoch)
    }

    fn owned_partitions(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.iter().flatten()
    }

    /// The leases it holds, as far as it knows. One that has run out is among them until the store says whose it is.
    pub fn owned(&self) -> impl Iterator<Item = Lease> {
        self.owned_partitions().map(Partition::lease)
    }

    /// For each partition it owns the place up to which everything is handled, skipped or parked. What a lease that has run out
    /// covered may have been handled by somebody else, too.
    pub fn settled_to(&self) -> impl Iterator<Item = (u32, Place)> {
        self.owned_partitions().map(|partition| (partition.number, partition.settled_to()))
    }

    /// Whether it has read everything that is known to be there, for all partitions it owns (and it owns one).
    #[must_use]
    pub fn is_live(&self) -> bool {
        let mut owned = self.owned_partitions().peekable();
        let has_read = |one: &Partition| one.active && one.seen >= self.head && one.left.is_empty();
        owned.peek().is_some() && owned.all(has_read) && !self.look
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Events that wait here or are being handled.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.queue.len()
    }

    /// Dead letters that are being handled again.
    #[must_use]
    pub fn letters_in_hand(&self) -> usize {
        self.letters.len()
    }

    /// Whether an operator has paused it, as far as it knows.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether it has stopped: it takes nothing in any more.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.stopping == Stopping::Over
    }
}

/// A bound of the options as a count of what is in memory.
fn count(bound: u32) -> usize {
    usize::try_from(bound).unwrap_or(usize::MAX)
}
