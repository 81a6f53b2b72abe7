//! The tail: what this process has committed lately, for those who follow the log at its live edge.
//!
//! Their next page is answered from here, in their own thread, without a message to the store or a read of the database. It
//! is what the store would have answered a moment ago; only what another process has committed since may be missing, and
//! whoever follows is woken for that.
//!
//! Invariants:
//! - the events in it have adjacent positions: nobody sees n+1 before n, nor passes over one that is not here. Where one is
//!   missing, the tail begins anew behind it;
//! - what this process removes for good is gone from it before the removal is answered; what another one removes is shown for
//!   [`FRESH`] at most;
//! - it is bounded in events and bytes; an append that does not fit is not in it, nor anything before it.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use umbel_core::{
    Position, RecordedEvent,
    document::Direction,
    store::{AllPage, ReadAll, Selector},
};

/// How long an event is served from here. A follower that is later than this is not at the live edge.
const FRESH: Duration = Duration::from_secs(1);

/// What the store answers with at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageBounds {
    /// Events in one page.
    pub events: u32,
    /// Bytes of data and metadata in one page; an event that is larger is a page of its own.
    pub bytes: usize,
}

/// A moment before a group of appends is stored; see [`Tail::keep`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(u64);

/// Events that this process has committed lately.
#[derive(Debug)]
pub struct Tail {
    max_events: usize,
    max_bytes: usize,
    ring: Mutex<Ring>,
}

/// While it is there, something is removed for good: the tail was emptied when it was made, and is again when it goes.
#[derive(Debug)]
#[must_use = "the tail is emptied again when this is dropped"]
pub struct Removing<'a>(&'a Tail);

#[derive(Debug, Default)]
struct Ring {
    /// Each group is adjacent to the one before it.
    groups: VecDeque<Arc<Group>>,
    events: usize,
    bytes: usize,
    /// Counts the times that it was emptied because of a removal.
    removals: u64,
    /// `None` before the store has told: nothing is answered then.
    bounds: Option<PageBounds>,
}

/// Adjacent events that were committed together. Shared, so that nobody is held up while they are copied.
#[derive(Debug)]
struct Group {
    events: Vec<RecordedEvent>,
    first: Position,
    last: Position,
    bytes: usize,
    since: Instant,
}

impl Tail {
    /// An empty one with these bounds; one without events is off.
    pub(crate) fn new(max_events: usize, max_bytes: usize) -> Self {
        Self { max_events, max_bytes, ring: Mutex::default() }
    }

    /// Whether it keeps anything at all.
    pub(crate) fn is_on(&self) -> bool {
        self.max_events > 0 && self.max_bytes > 0
    }

    /// The store tells once how large its pages are; pages from here are no larger.
    pub fn bound_pages(&self, bounds: PageBounds) {
        self.ring().bounds = Some(bounds);
    }

    /// This moment.
    pub(crate) fn moment(&self) -> Moment {
        Moment(self.ring().removals)
    }

    /// Keeps what one group of appends has committed, in order of positions. Positions may be missing: what is behind the
    /// last gap is kept. Nothing is, if something was removed since the moment before the group was begun: perhaps one of
    /// these.
    pub fn keep(&self, before: Moment, events: impl IntoIterator<Item = RecordedEvent>) {
        let Some(group) = Group::new(events) else { return };
        let mut ring = self.ring();
        if ring.removals == before.0 {
            ring.push(group, self.max_events, self.max_bytes);
        }
    }

    /// Something is about to be removed for good.
    pub fn removing(&self) -> Removing<'_> {
        self.ring().removed();
        Removing(self)
    }

    /// The store's answer, if it can be known from here. `head` is how far the log goes by what this process knows.
    #[must_use]
    pub fn page(&self, request: &ReadAll, head: Position) -> Option<AllPage> {
        let first = request.from.unwrap_or_default().max(Position::START.next());
        // Mostly it is enough to know the head: nobody waits for the lock in vain.
        if request.direction == Direction::Backward || request.limit == 0 || first > head || !self.is_on() {
            return None;
        }
        let (groups, bounds) = self.ring().from(first)?;
        let last = groups.last()?.last;
        let limit = request.limit.min(bounds.events);
        let events = groups.iter().flat_map(|group| &group.events).skip_while(|event| event.position < first);
        let (events, is_whole) = fill(events, &request.selector, limit, bounds.bytes);
        let seen = events.last().map(|event| event.position).filter(|_| !is_whole);
        Some(AllPage { events, scanned_to: seen.unwrap_or(last), head: head.max(last) })
    }

    /// Each change to it is whole, whoever died.
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The events of a page, and whether there was room for all that are selected and for one more.
fn fill<'a>(
    events: impl Iterator<Item = &'a RecordedEvent>,
    selector: &Selector,
    limit: u32,
    max_bytes: usize,
) -> (Vec<RecordedEvent>, bool) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut page, mut left) = (Vec::new(), max_bytes);
    for event in events.filter(|event| selector.matches(event)) {
        let bytes = event.len_bytes();
        if page.len() == limit || !page.is_empty() && bytes > left {
            return (page, false);
        }
        left = left.saturating_sub(bytes);
        page.push(event.clone());
    }
    let is_whole = page.len() < limit;
    (page, is_whole)
}

impl Ring {
    fn push(&mut self, group: Group, max_events: usize, max_bytes: usize) {
        let end = self.groups.back().map(|group| group.last);
        // Groups may be told in another order than they were stored in; the earlier one is too late.
        if end.is_some_and(|end| group.last <= end) {
            return;
        }
        if end.is_some_and(|end| group.first != end.next()) {
            self.clear();
        }
        self.events += group.events.len();
        self.bytes = self.bytes.saturating_add(group.bytes);
        self.groups.push_back(Arc::new(group));
        while self.events > max_events || self.bytes > max_bytes {
            let Some(oldest) = self.groups.pop_front() else { break };
            self.events -= oldest.events.len();
            self.bytes = self.bytes.saturating_sub(oldest.bytes);
        }
    }

    /// The groups from that of a position on, if it is here and fresh.
    fn from(&self, first: Position) -> Option<(Vec<Arc<Group>>, PageBounds)> {
        let index = self.groups.partition_point(|group| group.last < first);
        let found = self.groups.get(index).filter(|group| group.first <= first)?;
        let is_fresh = found.since.elapsed() <= FRESH;
        let groups = is_fresh.then(|| self.groups.range(index..).cloned().collect())?;
        Some((groups, self.bounds?))
    }

    fn removed(&mut self) {
        self.removals += 1;
        self.clear();
    }

    fn clear(&mut self) {
        let &mut Self { removals, bounds, .. } = self;
        drop(mem::replace(self, Self { removals, bounds, ..Self::default() }));
    }
}

impl Group {
    /// What is behind the last gap of these; `None` if that is nothing.
    fn new(events: impl IntoIterator<Item = RecordedEvent>) -> Option<Self> {
        let mut adjacent = Vec::<RecordedEvent>::new();
        for event in events {
            if adjacent.last().is_some_and(|last| last.position.next() != event.position) {
                adjacent.clear();
            }
            adjacent.push(event);
        }
        let (first, last) = (adjacent.first()?.position, adjacent.last()?.position);
        let bytes = adjacent.iter().map(RecordedEvent::len_bytes).sum();
        Some(Self { events: adjacent, first, last, bytes, since: Instant::now() })
    }
}

impl Drop for Removing<'_> {
    fn drop(&mut self) {
        self.0.ring().removed();
    }
}

#[cfg(test)]
pub(crate) mod tests;
