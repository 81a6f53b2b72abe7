//! What goes into the machine and what comes out of it.

use super::Key;
use crate::{
    store::{Checkpoint, Failure, KeepLeases, Leases},
    time::Timestamp,
    version::Place,
};

/// Milliseconds of a clock that only moves forward; where it began does not matter.
pub type Millis = u64;

/// A consumer of a subscription in this process, as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConsumerId(pub u64);

/// An event as the machine sees it: `E` is whatever is handed to consumers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<E> {
    /// Its place in what the subscription follows.
    pub place: Place,
    /// Its key.
    pub key: Key,
    /// What is handed over.
    pub event: E,
}

/// A dead letter that is to be handled now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due<E> {
    /// The partition it belongs to.
    pub partition: u32,
    /// The event; its place is that of the letter.
    pub item: Item<E>,
    /// How often it was tried before.
    pub attempts: u32,
    /// When it failed first, if it did.
    pub first_at: Option<Timestamp>,
    /// Whether it is a replay: [`Letter::replay`](crate::store::Letter::replay).
    pub replay: bool,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<E> {
    /// Time has passed. Wanted at the latest when [`Effect::Wake`] says so; more often does no harm.
    Tick,
    /// Events may be there up to this place. Announcements may be lost, doubled or late.
    Head(Place),
    /// How the subscription stands may have changed: a lease was given back, an operator paused or resumed it, or wants letters to
    /// be tried again. The store is asked at once instead of with the next renewal. May be lost; many at once are one.
    Changed,
    /// [`Effect::Lease`] was answered.
    Leased(Leases),
    /// [`Effect::Lease`] failed, or it is unknown whether it did.
    LeaseFailed,
    /// [`Effect::LoadParked`] was answered: the keys of this partition that have dead letters.
    ParkedKeys {
        /// Which partition.
        partition: u32,
        /// Of which lease.
        epoch: u64,
        /// The keys.
        keys: Vec<Key>,
    },
    /// [`Effect::LoadParked`] failed.
    ParkedKeysFailed {
        /// Which partition.
        partition: u32,
        /// Of which lease.
        epoch: u64,
    },
    /// [`Effect::Fetch`] was answered.
    Fetched {
        /// What was selected, in order; all behind the place from which it was asked for.
        items: Vec<Item<E>>,
        /// Everything up to here was looked at.
        scanned_to: Place,
        /// The last place there is.
        head: Place,
    },
    /// [`Effect::Fetch`] failed. Asked again after a pause.
    FetchFailed,
    /// A consumer wants events.
    Join {
        /// Which.
        consumer: ConsumerId,
        /// Events it holds at a time, at most. 0 counts as 1.
        capacity: u32,
    },
    /// A consumer is gone, crashed or not; what it held goes to others, in order.
    Leave {
        /// Which.
        consumer: ConsumerId,
    },
    /// A consumer has handled this event and all others that it holds before it. A dead letter is acknowledged by its own place
    /// only.
    Ack {
        /// Which consumer.
        consumer: ConsumerId,
        /// Which event.
        place: Place,
    },
    /// A consumer has handled these events, whatever else it holds. What it holds may have been sent again and not have reached it yet:
    /// whoever answers for one over a queue says of each event that it was handled.
    AckEach {
        /// Which consumer.
        consumer: ConsumerId,
        /// Which events.
        places: Vec<Place>,
    },
    /// A consumer could not handle this event; it has handled nothing of the same key behind it, and will not. From now on it
    /// holds nothing of the key: what it had and did not acknowledge, before this event or behind it, is sent again in order.
    Fail {
        /// Which consumer.
        consumer: ConsumerId,
        /// Which event.
        place: Place,
        /// What shall become of it.
        verdict: Verdict,
        /// Why, in words.
        error: String,
        /// When, by the wall clock.
        at: Timestamp,
    },
    /// [`Effect::Save`] was answered.
    Saved {
        /// The partitions whose lease is no longer ours: their checkpoints did not move.
        refused: Vec<u32>,
    },
    /// [`Effect::Save`] failed, or it is unknown whether it did.
    SaveFailed,
    /// [`Effect::Park`] was answered.
    Parked {
        /// The partitions whose lease is no longer ours: nothing of them was parked.
        refused: Vec<u32>,
    },
    /// [`Effect::Park`] failed, or it is unknown whether it did. Parking again is safe.
    ParkFailed,
    /// [`Effect::TakeLetters`] was answered.
    Letters {
        /// What is due, with one letter of a key at most.
        due: Vec<Due<E>>,
        /// Keys that have no dead letters any more: the event of the last one was gone, and it was settled without being handled.
        free: Vec<(u32, Key)>,
        /// Whether asking again may bring others: there were as many as were asked for, or some were settled whose events are gone.
        more: bool,
    },
    /// [`Effect::TakeLetters`] failed.
    LettersFailed,
    /// [`Effect::Settle`] was answered.
    Settled {
        /// Keys that have no dead letters any more.
        free: Vec<(u32, Key)>,
        /// The partitions whose lease is no longer ours.
        refused: Vec<u32>,
    },
    /// [`Effect::Settle`] failed, or it is unknown whether it did. Settling again is safe.
    SettleFailed,
    /// Stop in order: send nothing more, wait for what consumers hold, save, give the leases back.
    Stop,
    /// Stop now: what consumers hold counts as not handled.
    StopNow,
}

/// What shall become of an event that could not be handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is sent again after this time; its key waits.
    Retry {
        /// Milliseconds.
        after_ms: Millis,
    },
    /// It counts as handled.
    Skip,
    /// It becomes a dead letter, and so does what comes behind it of the same key. In a transient subscription it is skipped.
    Park,
}

/// Something to do. Whoever does it answers with the input that belongs to it. Of each kind that has an answer, one at a time is
/// under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect<E> {
    /// Ask the store for leases. Answered by [`Input::Leased`] or [`Input::LeaseFailed`].
    Lease(KeepLeases),
    /// Look up which keys of a partition have dead letters (each partition on its own).
    LoadParked {
        /// Which partition.
        partition: u32,
        /// Of which lease.
        epoch: u64,
    },
    /// Read what comes behind a place. Answered by [`Input::Fetched`] or [`Input::FetchFailed`].
    Fetch {
        /// The last place that is known.
        after: Place,
        /// Events at most.
        limit: u32,
    },
    /// Hand events, or dead letters, to a consumer; never both at once. Not answered; each event ends in an [`Input::Ack`],
    /// [`Input::Fail`] or [`Input::Leave`].
    Deliver {
        /// To whom.
        consumer: ConsumerId,
        /// The events, those of one key in order.
        batch: Vec<Delivery<E>>,
    },
    /// Tell a consumer that what it holds of these places is somebody else's now. It need not stop; its answers change nothing.
    Revoke {
        /// Whom.
        consumer: ConsumerId,
        /// What.
        places: Vec<Place>,
    },
    /// Tell a consumer that it may not join.
    Refuse {
        /// Whom.
        consumer: ConsumerId,
        /// Why.
        error: JoinError,
    },
    /// Tell a consumer that it acknowledged something, or failed at something, that it does not hold. Nothing changed.
    NotHeld {
        /// Whom.
        consumer: ConsumerId,
        /// What it named.
        place: Place,
    },
    /// Save checkpoints. Answered by [`Input::Saved`] or [`Input::SaveFailed`].
    Save(Vec<Checkpoint>),
    /// Keep dead letters. Answered by [`Input::Parked`] or [`Input::ParkFailed`].
    Park(Vec<Parking<E>>),
    /// Look up which dead letters of these partitions are to be handled now. Answered by [`Input::Letters`] or
    /// [`Input::LettersFailed`].
    TakeLetters {
        /// The partitions.
        partitions: Vec<u32>,
        /// Letters at most.
        limit: u32,
    },
    /// Record what became of dead letters. Answered by [`Input::Settled`] or [`Input::SettleFailed`].
    Settle(Vec<SettledLetter>),
    /// Give an [`Input::Tick`] at this moment at the latest. A later one replaces it.
    Wake {
        /// When.
        at: Millis,
    },
    /// The subscription is there no more: it was deleted, and may have been made anew, in whatever shape. Nothing is owned any more,
    /// and [`Self::Stopped`] follows at once. Whoever wants to go on opens it again.
    Gone,
    /// It has stopped: everything is saved that could be, and nothing further will be asked for.
    Stopped,
}

/// An event on its way to a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery<E> {
    /// The event.
    pub item: Item<E>,
    /// Which attempt this is: 1 for the first.
    pub attempt: u32,
    /// Whether it is a dead letter that is tried again.
    pub letter: bool,
    /// Whether it is a replay: the subscription was done with it before, by the furthest checkpoint that the store had when the owner
    /// of its partition last asked for its leases. True of every event up to that one, and of none that nobody was done with. What is
    /// saved between that answer and this delivery under the same lease, late, by an owner of before, does not count yet.
    pub replay: bool,
    /// How often the subscription was reset before: who is given a higher number than before begins anew.
    pub resets: u64,
}

/// An event that becomes a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parking<E> {
    /// Of which partition.
    pub partition: u32,
    /// Of which lease.
    pub epoch: u64,
    /// The event.
    pub item: Item<E>,
    /// Why; `None` when nothing is wrong with it but that it waits behind another one of its key.
    pub failure: Option<Failure>,
}

/// What became of a dead letter that was tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledLetter {
    /// Of which partition.
    pub partition: u32,
    /// Of which lease.
    pub epoch: u64,
    /// Which.
    pub place: Place,
    /// Its key, for the answer: the letter itself may be gone when the same is settled again.
    pub key: Key,
    /// How it went.
    pub settling: Settling,
}

/// How trying a dead letter again went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settling {
    /// It was handled, or skipped: it is no dead letter any more.
    Done,
    /// It failed again.
    Failed(Failure),
}

/// Why a consumer may not join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// It has joined already.
    #[error("this consumer has joined already")]
    AlreadyJoined,
    /// There are as many as are allowed.
    #[error("the subscription takes {max} consumers and has as many")]
    TooMany {
        /// How many are allowed.
        max: u32,
    },
    /// The subscription is stopping.
    #[error("the subscription is stopping")]
    Stopping,
}
