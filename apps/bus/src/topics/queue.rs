//! What waits for one subscriber: a bounded queue, and what becomes of what does not fit. Pure.
//!
//! What is lost leaves a gap, and gaps are handed out in their places: at any time everything that was
//! offered has been handed out, waits, was withdrawn, is counted by a gap, or is left to the log, in the order it was offered.

use std::{collections::VecDeque, mem, sync::Arc};

use umbel_core::{Position, Timestamp, store::ListNotices};

use super::behind::{Behind, Share};

/// What a subscriber's queue does with what does not fit. Publishers never wait, whatever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest that waits is lost: for subscribers that want what is newest.
    #[default]
    DropOldest,
    /// What comes is lost: for subscribers that began something and want to end it.
    DropNewest,
    /// The subscriber is disconnected: what waits is lost, and nothing comes until it subscribes again.
    Disconnect,
    /// What waits is kept, and what comes is lost until all that waits has been taken; so there is one gap,
    /// with a beginning and an end, instead of many. Then the subscriber is told of it, and goes on with what
    /// comes from then on. For subscribers that read what they missed elsewhere, such as kept notices from the
    /// store (see [`Gap::kept`]).
    DropUntilDrained,
    /// Nothing is lost: what comes is left to the log. When all that waits has been taken, the bus goes on with
    /// what it reads from the log, in order, until the subscriber has what was published last; then it is live
    /// again. Only for topics of the log, see [`Topics::register_log`](super::Topics::register_log).
    CatchUp,
}

/// What a subscriber missed between the event before and the one after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// How many events.
    pub missed: u64,
    /// When the first of them occurred, by its publisher's clock.
    pub since: Timestamp,
    /// When the last of them occurred.
    pub until: Timestamp,
}

/// What happened to the events that were offered to one subscriber, each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Handed out to the subscriber.
    pub delivered: u64,
    /// Lost because the subscriber was slow.
    pub dropped: u64,
    /// Taken back before they were handed out: they had expired, or their topic was unregistered.
    pub withdrawn: u64,
    /// Still in the queue.
    pub waiting: usize,
    /// Left to the log by [`Overflow::CatchUp`], and not read from there yet.
    pub left: u64,
    /// How many were read from the log after they had been left to it. They are among the others, too.
    pub caught_up: u64,
    /// How often the subscriber fell behind, so that events were left to the log. This counts no events.
    pub fell_behind: u64,
    /// How often the subscriber was disconnected. Unlike the others, this counts no events.
    pub disconnected: u64,
}

/// The queue of one subscriber.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    entries: VecDeque<Entry<T>>,
    /// What was lost behind the last entry.
    tail: Option<Gap>,
    capacity: usize,
    overflow: Overflow,
    disconnected: Option<Gap>,
    behind: Behind,
    counters: Counters,
}

#[derive(Debug)]
struct Entry<T> {
    at: Timestamp,
    item: T,
    /// What was lost between the entry before and this one.
    before: Option<Gap>,
}

/// What became of an offer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Offered<T> {
    pub(crate) accepted: bool,
    /// What was lost by it.
    pub(crate) lost: Vec<T>,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<T> {
    Item(T),
    Lagged(Gap),
    Nothing,
    /// Nothing waits, and something was left to the log: so many events of this topic are to be read behind this position, and to be
    /// [fed](Queue::feed).
    Behind {
        topic: Arc<str>,
        after: Position,
        room: usize,
    },
    /// The subscriber was disconnected, and lost this.
    Disconnected(Gap),
}

impl Gap {
    /// The request for the first page of the kept notices of a topic that occurred in this gap or later: what
    /// a subscriber reads to catch up, where the topic is recorded. It gets all that were missed, as soon as
    /// they are stored, and maybe some that it has: those who catch up take things at least once.
    #[must_use]
    pub fn kept(&self, topic: &str, limit: u32) -> ListNotices {
        ListNotices {
            topic: Some(topic.to_owned()),
            since: Some(self.since),
            limit,
            ..ListNotices::default()
        }
    }

    pub(super) fn of(at: Timestamp) -> Self {
        Self { missed: 1, since: at, until: at }
    }
}

/// Two gaps side by side are one.
pub(super) fn joined(before: Option<Gap>, after: Option<Gap>) -> Option<Gap> {
    match (before, after) {
        (Some(before), Some(after)) => Some(Gap {
            missed: before.missed + after.missed,
            since: before.since.min(after.since),
            until: before.until.max(after.until),
        }),
        (gap, None) | (None, gap) => gap,
    }
}

impl<T> Queue<T> {
    pub(crate) fn new(capacity: usize, overflow: Overflow) -> Self {
        Self {
            entries: VecDeque::new(),
            tail: None,
            capacity: capacity.max(1),
            overflow,
            disconnected: None,
            behind: Behind::default(),
            counters: Counters::default(),
        }
    }

    /// Changes bound and policy from the next offer on, and connects the subscriber if it was disconnected. What was left to the log is
    /// lost if it is not to catch up any more.
    pub(crate) fn reopen(&mut self, capacity: usize, overflow: Overflow) {
        if overflow != Overflow::CatchUp {
            let lost = self.behind.give_up();
            self.counters.dropped += lost.map_or(0, |gap| gap.missed);
            self.tail = joined(self.tail, lost);
        }
        (self.capacity, self.overflow, self.disconnected) = (capacity.max(1), overflow, None);
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters { waiting: self.entries.len(), left: self.behind.left(), ..self.counters }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.disconnected.is_none()
    }

    /// Takes an item that occurred at this moment, if there is room or room is made.
    pub(crate) fn offer(&mut self, at: Timestamp, item: T) -> Offered<T> {
        if self.disconnected.is_some() {
            self.disconnected = joined(self.disconnected, Some(Gap::of(at)));
            return self.refuse(item);
        }
        let full = self.is_full();
        let behind = match self.overflow {
            Overflow::DropUntilDrained => self.tail.is_some(),
            Overflow::CatchUp => self.behind.is_behind(),
            Overflow::DropOldest | Overflow::DropNewest | Overflow::Disconnect => false,
        };
        match self.overflow {
            Overflow::DropNewest | Overflow::DropUntilDrained | Overflow::CatchUp if full || behind => {
                self.tail = joined(self.tail, Some(Gap::of(at)));
                self.refuse(item)
            }
            Overflow::Disconnect if full => self.disconnect(at, item),
            Overflow::DropOldest if full => {
                let lost = self.make_room();
                self.accept(at, item, lost)
            }
            _ => self.accept(at, item, Vec::new()),
        }
    }

    /// Takes an item of the log, if it is new and there is room; else it is left to the log, or the policy decides. Those of one topic come in
    /// the order of their positions.
    pub(crate) fn offer_of_log(
        &mut self,
        topic: &Arc<str>,
        position: Position,
        at: Timestamp,
        item: T,
    ) -> Offered<T> {
        if self.overflow != Overflow::CatchUp {
            return self.offer(at, item);
        }
        let (full, was_behind) = (self.is_full(), self.behind.is_behind());
        match self.behind.offer(topic, position, at, full) {
            Share::Next => self.accept(at, item, Vec::new()),
            Share::Known => Offered { accepted: true, lost: Vec::new() },
            Share::Left => {
                self.counters.fell_behind += u64::from(!was_behind);
                Offered { accepted: true, lost: Vec::new() }
            }
        }
    }

    /// What was read of a topic of the log behind one position up to another, see [`Next::Behind`]. It is put into the queue, if it is still
    /// wanted.
    pub(crate) fn feed(
        &mut self,
        topic: &str,
        span: (Position, Position),
        found: Vec<(Position, Timestamp, T)>,
    ) {
        let positions = found.iter().map(|(position, ..)| *position);
        let Some(progress) = self.behind.read(topic, span, positions) else { return };
        self.counters.caught_up += progress.caught_up;
        self.counters.withdrawn += progress.vanished;
        for (_, at, item) in found {
            self.accept(at, item, Vec::new());
        }
    }

    /// The subscriber is to have nothing more of the topics that are meant: what was left to the log of these stays there.
    pub(crate) fn forget(&mut self, meant: impl FnMut(&str) -> bool) {
        self.counters.withdrawn += self.behind.forget(meant);
    }

    /// What comes next. An item that is handed out counts as delivered; see [`Queue::withdraw_last`].
    pub(crate) fn next(&mut self) -> Next<T> {
        if let Some(gap) = self.disconnected {
            return Next::Disconnected(gap);
        }
        let gap = match self.entries.front_mut() {
            Some(front) => front.before.take(),
            None => self.tail.take(),
        };
        if let Some(gap) = gap {
            return Next::Lagged(gap);
        }
        match self.entries.pop_front() {
            Some(entry) => {
                self.counters.delivered += 1;
                Next::Item(entry.item)
            }
            None => match self.behind.next() {
                Some((topic, after)) => Next::Behind { topic, after, room: self.capacity },
                None => Next::Nothing,
            },
        }
    }

    /// The item that was handed out last is not for the subscriber after all.
    pub(crate) fn withdraw_last(&mut self) {
        self.counters.delivered -= 1;
        self.counters.withdrawn += 1;
    }

    /// Takes back those that wait and are meant; gaps stay in their places.
    pub(crate) fn withdraw(&mut self, mut meant: impl FnMut(&T) -> bool) -> Vec<T> {
        let (mut withdrawn, mut gap) = (Vec::new(), None);
        for mut entry in mem::take(&mut self.entries) {
            let before = joined(gap.take(), entry.before.take());
            if meant(&entry.item) {
                withdrawn.push(entry.item);
                gap = before;
            } else {
                self.entries.push_back(Entry { before, ..entry });
            }
        }
        self.tail = joined(gap, self.tail);
        self.counters.withdrawn += count(withdrawn.len());
        withdrawn
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= self.capacity
    }

    fn accept(&mut self, at: Timestamp, item: T, lost: Vec<T>) -> Offered<T> {
        self.entries.push_back(Entry { at, item, before: self.tail.take() });
        Offered { accepted: true, lost }
    }

    fn refuse(&mut self, item: T) -> Offered<T> {
        self.counters.dropped += 1;
        Offered { accepted: false, lost: vec![item] }
    }

    /// Drops the oldest until there is room for one more.
    fn make_room(&mut self) -> Vec<T> {
        let (mut lost, mut gap) = (Vec::new(), None);
        while self.entries.len() >= self.capacity
            && let Some(oldest) = self.entries.pop_front()
        {
            gap = joined(joined(gap, oldest.before), Some(Gap::of(oldest.at)));
            lost.push(oldest.item);
        }
        match self.entries.front_mut() {
            Some(front) => front.before = joined(gap, front.before),
            None => self.tail = joined(gap, self.tail),
        }
        self.counters.dropped += count(lost.len());
        lost
    }

    fn disconnect(&mut self, at: Timestamp, item: T) -> Offered<T> {
        let (mut lost, mut gap) = (Vec::new(), None);
        for entry in mem::take(&mut self.entries) {
            gap = joined(joined(gap, entry.before), Some(Gap::of(entry.at)));
            lost.push(entry.item);
        }
        gap = joined(gap, self.tail.take());
        lost.push(item);
        self.disconnected = joined(gap, Some(Gap::of(at)));
        self.counters.dropped += count(lost.len());
        self.counters.disconnected += 1;
        Offered { accepted: false, lost }
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
