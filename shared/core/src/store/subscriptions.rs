//! What the store keeps of subscriptions: which there are, who owns which partition until when, and how far each has come.
//!
//! Time is the store's: a lease runs out by the clock of the database, the same for all nodes.

use serde::{Deserialize, Serialize};

use crate::{
    message::Request,
    store::{StoreError, letters::cut},
    subscription::{Abandoned, Begun, NodeId, Start, SubscriptionName},
    time::Timestamp,
    version::Place,
};

/// Partitions that a subscription may have.
pub const PARTITIONS_MAX: u32 = 1024;

/// Bytes that are kept of what a subscription follows, in words; a longer text is cut.
pub const SOURCE_MAX_BYTES: usize = 1024;

/// Milliseconds that a lease may last, a day; a longer one lasts so long. A node that died keeps its partitions for that time.
pub const LEASE_MAX_MS: u64 = 86_400_000;

/// Opens a subscription: makes it if it is not there yet. What is stored of one that is there stays as it is: another start is
/// an operator's to ask for ([`Act::ResetSubscription`](crate::store::Act)).
#[derive(Clone, Debug)]
pub struct OpenSubscription {
    /// Its name.
    pub name: SubscriptionName,
    /// Its partitions, from 1 to [`PARTITIONS_MAX`].
    pub partitions: u32,
    /// Where it begins. [`Start::Current`] is resolved against the log's head, or that of `stream`, when it is made.
    pub start: Start,
    /// The stream that its places are versions of; `None` when they are positions of the log.
    pub stream: Option<crate::StreamName>,
    /// What it follows, for operators to read.
    pub source: String,
}

/// Asks for leases of a subscription's partitions, in one transaction: `release` are given back, `hold` are renewed, `claim` are
/// taken if nobody has them or the lease of whoever has them has run out; which of both is [counted](LeaseState::abandoned).
/// The node counts as one of the subscription's members for as long as a lease lasts, whether or not it gets one.
///
/// A lease that has run out is renewed all the same as long as nobody has taken the partition. A partition that the node itself
/// holds is not claimed anew, unless the same request gives it back: after a lost answer, the next one says which epoch the node has. A
/// subscription that is not there any more, or is there in another incarnation, is [gone](Leases::gone): nothing changes, and nothing is granted.
///
/// A node that leaves gives back all it holds, whether or not `release` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepLeases {
    /// Of which subscription.
    pub subscription: SubscriptionName,
    /// Which one of that name: what [`SubscriptionState::incarnation`] said when it was opened.
    pub incarnation: u64,
    /// For whom.
    pub node: NodeId,
    /// How long from now on, [`LEASE_MAX_MS`] at most.
    pub lease_ms: u64,
    /// Leases to renew. One whose epoch is not that of the partition any more was lost and is left alone.
    pub hold: Vec<Lease>,
    /// Partitions to take. Each gets the next epoch.
    pub claim: Vec<u32>,
    /// Leases to give back.
    pub release: Vec<Lease>,
    /// Whether the node is leaving: then it is no member any more, and nothing is its own.
    pub leave: bool,
}

/// A lease: the right to move a partition's checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which partition, from 0.
    pub partition: u32,
    /// Counts the leases of this partition, also over the subscription's deletion. Whoever comes with an older one is refused.
    pub epoch: u64,
}

/// How the leases of a subscription stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leases {
    /// Whether the subscription that was asked about is there no more: it was deleted, and may have been made anew in another shape.
    /// Then nothing else is told.
    pub gone: bool,
    /// Whether an operator has paused it.
    pub paused: bool,
    /// How often it was reset. Whoever handles its events begins anew each time.
    pub resets: u64,
    /// Nodes that take part, the one that asked included (unless it left).
    pub members: u32,
    /// Every partition, in order.
    pub partitions: Vec<LeaseState>,
}

/// How one partition stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseState {
    /// Which partition, from 0.
    pub partition: u32,
    /// Counts its leases; one that nobody holds before the first. Rises also when all leases are taken away.
    pub epoch: u64,
    /// Who holds it. `None` when nobody does, or the lease has run out.
    pub owner: Option<NodeId>,
    /// How far it has come.
    pub checkpoint: Place,
    /// How far it had come at most, as far as that was saved: a reset moves the checkpoint back and leaves this. What comes again up to
    /// here is a replay.
    pub handled: Place,
    /// Its dead letters.
    pub letters: u64,
    /// Whether some of them are to be handled now.
    pub due: bool,
    /// What is known of owners that gave nothing back.
    pub abandoned: Abandoned,
}

/// Notes what an owner of a partition has begun and not ended, in place of what was noted before.
#[derive(Clone, Debug)]
pub struct NoteBegun {
    /// Of which subscription.
    pub subscription: SubscriptionName,
    /// Of which partition, by which lease.
    pub lease: Lease,
    /// What.
    pub begun: Begun,
}

/// Moves checkpoints forward. One whose epoch is not its partition's any more is refused, the others are saved. One that would move
/// backwards changes nothing and is not refused.
#[derive(Clone, Debug)]
pub struct SaveCheckpoints {
    /// Of which subscription.
    pub subscription: SubscriptionName,
    /// The checkpoints.
    pub checkpoints: Vec<Checkpoint>,
}

/// How far a partition has come: everything up to this place was handled, skipped or parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which partition.
    pub partition: u32,
    /// Of which lease.
    pub epoch: u64,
    /// The place.
    pub place: Place,
}

/// Notes how many resets of a subscription those who handle its events were told of: never fewer than are noted, nor more than there were.
/// With 0 it only asks. One that is made begins with none of either; where both differ, somebody is still to be told.
#[derive(Clone, Debug)]
pub struct NoteResetsTold {
    /// Of which subscription.
    pub subscription: SubscriptionName,
    /// Which one of that name, see [`KeepLeases::incarnation`].
    pub incarnation: u64,
    /// How many they were told of.
    pub told: u64,
}

/// Reads what is kept of subscriptions, in the order of their names.
#[derive(Clone, Debug)]
pub struct ListSubscriptions {
    /// Only this one.
    pub name: Option<SubscriptionName>,
    /// Only those behind this name.
    pub after: Option<SubscriptionName>,
    /// How many at most.
    pub limit: u32,
}

/// What is kept of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubscriptionState {
    /// Its name.
    pub name: SubscriptionName,
    /// The name that what follows from its events is kept under: ids of commands, and instances, timers and reminders of a process manager.
    /// It is the one that it was first opened under, and stays when it is renamed. What is opened under a name that was given up so has
    /// another one than that, so that it shares nothing with what is gone on with elsewhere.
    pub kept_as: String,
    /// What it follows, for operators to read.
    pub source: String,
    /// The stream that its places are versions of, if not of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<crate::StreamName>,
    /// Where it began, or was reset to; never [`Start::Current`], but what that was.
    pub start: Start,
    /// Whether an operator has paused it.
    pub paused: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Which one of this name it is: rises with each deletion. Whoever runs it asks for leases of this one.
    #[serde(skip)]
    pub incarnation: u64,
    /// Nodes that take part.
    pub members: u32,
    /// Its partitions, in order.
    pub partitions: Vec<PartitionState>,
}

impl SubscriptionState {
    /// The checkpoint that it began with, or was reset to.
    #[must_use]
    pub const fn began_at(&self) -> Place {
        match self.start {
            Start::After(place) => place,
            Start::Origin | Start::Current => Place::START,
        }
    }

    /// Whether all of it stands where it began, or was reset to: nothing that was done since then is stored.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        let began_at = self.began_at();
        self.partitions.iter().all(|one| one.checkpoint == began_at)
    }
}

/// What is kept of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionState {
    /// Which, from 0.
    pub partition: u32,
    /// How far it has come.
    pub checkpoint: Place,
    /// How far it had come at most, see [`LeaseState::handled`].
    pub handled: Place,
    /// Counts its leases.
    pub epoch: u64,
    /// Who holds it; `None` when nobody does.
    pub owner: Option<NodeId>,
    /// Its dead letters.
    pub letters: u64,
    /// When the oldest of them was parked.
    pub oldest_letter_at: Option<Timestamp>,
}

/// Why a subscription cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It was made with another number of partitions. Events would change theirs, and their order with it.
    #[error(
        "subscription {name} has {stored} partitions, not {asked}; delete it to begin anew with another number"
    )]
    PartitionsDiffer {
        /// Which.
        name: SubscriptionName,
        /// What is stored.
        stored: u32,
        /// What was asked for.
        asked: u32,
    },
    /// It follows something else, whose places mean something else.
    #[error("subscription {name} follows {stored}, not {asked}; delete it to let it follow something else")]
    FollowsOther {
        /// Which.
        name: SubscriptionName,
        /// What is stored: a stream, or the log.
        stored: String,
        /// What was asked for.
        asked: String,
    },
    /// It asks for none, or for more than are possible.
    #[error("a subscription has from 1 to {PARTITIONS_MAX} partitions, not {asked}")]
    WrongPartitions {
        /// What was asked for.
        asked: u32,
    },
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OpenSubscription {
    /// Checks what is asked for by itself.
    ///
    /// # Errors
    /// When no subscription can have so many partitions.
    pub fn check(&self) -> Result<(), OpenError> {
        if (1..=PARTITIONS_MAX).contains(&self.partitions) {
            Ok(())
        } else {
            Err(OpenError::WrongPartitions { asked: self.partitions })
        }
    }

    /// With its text as stores keep it.
    #[must_use]
    pub fn cut(self) -> Self {
        Self { source: cut(self.source, SOURCE_MAX_BYTES), ..self }
    }

    /// Compares what is asked for with what is there afterwards.
    ///
    /// # Errors
    /// When something else is kept under this name.
    pub fn compare(&self, state: SubscriptionState) -> Result<SubscriptionState, OpenError> {
        let what = |stream: &Option<crate::StreamName>| {
            stream.as_ref().map_or_else(|| "the log".to_owned(), |stream| format!("stream {stream}"))
        };
        if state.stream != self.stream {
            let (stored, asked) = (what(&state.stream), what(&self.stream));
            return Err(OpenError::FollowsOther { name: state.name, stored, asked });
        }
        match u32::try_from(state.partitions.len()).unwrap_or(u32::MAX) {
            stored if stored == self.partitions => Ok(state),
            stored => Err(OpenError::PartitionsDiffer { name: state.name, stored, asked: self.partitions }),
        }
    }
}

impl Request for OpenSubscription {
    const NAME: &'static str = "store.open_subscription";
    type Answer = SubscriptionState;
    type Error = OpenError;
}

impl Request for KeepLeases {
    const NAME: &'static str = "store.keep_leases";
    type Answer = Leases;
    type Error = StoreError;
}

/// The answer says whether it is noted: not if this is not the last lease of the partition any more.
impl Request for NoteBegun {
    const NAME: &'static str = "store.note_begun";
    type Answer = bool;
    type Error = StoreError;
}

/// The answer names the partitions that were refused.
impl Request for SaveCheckpoints {
    const NAME: &'static str = "store.save_checkpoints";
    type Answer = Vec<u32>;
    type Error = StoreError;
}

/// The answer says how many are noted then. `None`: the subscription is there no more.
impl Request for NoteResetsTold {
    const NAME: &'static str = "store.note_resets_told";
    type Answer = Option<u64>;
    type Error = StoreError;
}

impl Request for ListSubscriptions {
    const NAME: &'static str = "store.list_subscriptions";
    type Answer = Vec<SubscriptionState>;
    type Error = StoreError;
}
