//! How many events to ask for where events are large. A page has no room for most of what a usual request would make the
//! server send, and the next page again; so who goes on behind a page of large events is asked for about as many as fit.
//!
//! It is remembered by the place where such a page ended: whoever reads elsewhere asks for as many as ever.

use std::sync::{Mutex, PoisonError};

use umbel_core::{Position, RecordedEvent, StreamName, Version, document::Direction};

use crate::postgres::recent::Recent;

/// Places in each of the two generations: far more than there are readers of large events at the same time.
const GENERATION_MAX: usize = 256;

/// A page with less than this part of its bytes is a usual one.
const LARGE: usize = 4;

/// What is remembered.
#[derive(Debug)]
pub(super) struct Pace {
    page_max_bytes: usize,
    known: Mutex<Recent<Place, u32>>,
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) events: usize,
    /// Bytes of their data.
    pub(super) bytes: usize,
}

/// Where a page begins.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// The log when there is none.
    stream: Option<StreamName>,
    backward: bool,
    /// `None` is the end where reading begins.
    from: Option<u64>,
}

impl Pace {
    pub(super) fn new(page_max_bytes: usize) -> Self {
        Self { page_max_bytes, known: Mutex::new(Recent::new(GENERATION_MAX)) }
    }

    /// How many events to ask for at a place where so many are wanted.
    pub(super) fn limit(&self, here: &Place, wanted: u32) -> u32 {
        self.with(|known| known.get(here).map_or(wanted, |fit| wanted.min(*fit)))
    }

    /// Remembers how large the events of a page were for who goes on behind them, if that matters to who wanted so many.
    pub(super) fn learn(&self, read: Size, wanted: u32, next: impl FnOnce() -> Place) {
        let Size { events, bytes } = read;
        if bytes < self.page_max_bytes / LARGE {
            return;
        }
        // Some more than their mean size suggests: what does not fit is thrown away, what is missing costs another request.
        let fit = events.saturating_mul(self.page_max_bytes) / bytes.max(1);
        let fit = u32::try_from(fit + fit / 4).unwrap_or(u32::MAX).max(1);
        if fit < wanted {
            self.with(|known| known.insert(next(), fit));
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Recent<Place, u32>) -> T) -> T {
        // Nothing can be half done, and a lost place only makes one page slower.
        act(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Size {
    pub(super) fn of(events: &[RecordedEvent]) -> Self {
        Self { events: events.len(), bytes: events.iter().map(|event| event.data.len_bytes()).sum() }
    }

    /// With what was read besides.
    pub(super) const fn and(self, other: Self) -> Self {
        Self { events: self.events + other.events, bytes: self.bytes + other.bytes }
    }
}

impl Place {
    pub(super) fn in_log(from: Option<Position>, direction: Direction) -> Self {
        Self::new(None, from.map(Position::get), direction)
    }

    /// Behind the part of the log that a page looked at.
    pub(super) fn behind(scanned_to: Position, direction: Direction) -> Self {
        Self::new(None, Some(beyond(scanned_to.get(), direction)), direction)
    }

    pub(super) fn in_stream(stream: &StreamName, from: Option<Version>, direction: Direction) -> Self {
        Self::new(Some(stream.clone()), from.map(Version::get), direction)
    }

    /// Behind a page of a stream.
    pub(super) fn behind_version(stream: &StreamName, last: Version, direction: Direction) -> Self {
        Self::new(Some(stream.clone()), Some(beyond(last.get(), direction)), direction)
    }

    fn new(stream: Option<StreamName>, from: Option<u64>, direction: Direction) -> Self {
        Self { stream, backward: direction == Direction::Backward, from }
    }
}

fn beyond(place: u64, direction: Direction) -> u64 {
    match direction {
        Direction::Forward => place.saturating_add(1),
        Direction::Backward => place.saturating_sub(1),
    }
}

#[cfg(test)]
mod tests {
    use umbel_testkit::conformance::{position, stream, version};

    use super::*;

    fn events(events: usize, each: usize) -> Size {
        Size { events, bytes: events * each }
    }

    /// Behind a page of large events fewer are asked for, there and nowhere else.
    #[test]
    fn fewer_are_asked_for_behind_a_page_of_large_events() {
        let pace = Pace::new(1000);
        let at = |place| Place::in_log(Some(position(place)), Direction::Forward);
        let behind = |place| Place::behind(position(place), Direction::Forward);
        pace.learn(events(8, 100), 500, || behind(8));
        assert_eq!(pace.limit(&at(9), 500), 12);
        assert_eq!(pace.limit(&at(9), 3), 3);
        for elsewhere in [
            at(8),
            Place::in_log(None, Direction::Forward),
            Place::in_log(Some(position(9)), Direction::Backward),
            Place::in_stream(&stream("s"), Some(version(9)), Direction::Forward),
        ] {
            assert_eq!(pace.limit(&elsewhere, 500), 500, "{elsewhere:?}");
        }
        // The largest still leads on.
        pace.learn(events(1, 5000), 500, || behind(20));
        assert_eq!(pace.limit(&at(21), 500), 1);
        // Usual pages, and such as hold all that was wanted, change nothing.
        pace.learn(events(20, 10), 500, || behind(30));
        pace.learn(events(9, 100), 9, || behind(40));
        assert_eq!((pace.limit(&at(31), 500), pace.limit(&at(41), 500)), (500, 500));
    }
}
