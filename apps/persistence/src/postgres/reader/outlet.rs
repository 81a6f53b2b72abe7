//! Where the first events of a page go while the server is still sending the others: making them and working on them go on at
//! the same time.
//!
//! What was handed over cannot be taken back. So it begins only once it is certain that the rows are those of the page, and goes on as
//! long as they come in order and the names of their streams and kinds are known without asking. What is left comes with the page.

use tokio_postgres::Row;
use umbel_core::{RecordedEvent, store::Parts};

use super::pace::Size;

/// Events that are handed over together: enough that waking who waits for them costs little beside making them.
const PART: usize = 128;

/// Hands over what is read of one page, and remembers what that was.
#[derive(Debug)]
pub(super) struct Outlet {
    parts: Parts,
    pub(super) handed: Size,
    /// The last place that was handed over: a position in the log, or a version in the stream that is read.
    pub(super) last: Option<u64>,
}

/// An outlet for the rows of one statement.
pub(super) struct Tap<'a> {
    outlet: &'a mut Outlet,
    place: fn(&RecordedEvent) -> u64,
    is_page: IsPage<'a>,
    state: State,
    handed_over: bool,
}

/// Whether the rows of a statement are those of the page, by the first one and its event.
type IsPage<'a> = Box<dyn Fn(&Row, &RecordedEvent) -> bool + Send + Sync + 'a>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Undecided,
    Open,
    Shut,
}

impl Outlet {
    pub(super) const fn new(parts: Parts) -> Self {
        Self { parts, handed: Size { events: 0, bytes: 0 }, last: None }
    }
}

impl<'a> Tap<'a> {
    /// For statements whose events come by this place.
    pub(super) fn new(outlet: &'a mut Outlet, place: fn(&RecordedEvent) -> u64) -> Self {
        Self { outlet, place, is_page: Box::new(|_, _| false), state: State::Shut, handed_over: false }
    }

    /// For a statement whose rows are the page if this says so.
    pub(super) fn if_page(self, is_page: impl Fn(&Row, &RecordedEvent) -> bool + Send + Sync + 'a) -> Self {
        Self { is_page: Box::new(is_page), state: State::Undecided, handed_over: false, ..self }
    }

    /// Whether these events, the next ones of a statement with this first row, are to be handed over now.
    pub(super) fn takes(&mut self, first: &Row, events: &[RecordedEvent]) -> bool {
        if self.state == State::Shut || events.len() < PART {
            return false;
        }
        let is_page = || events.first().is_some_and(|event| (self.is_page)(first, event));
        let goes_on = (self.state == State::Open || is_page()) && self.follow(events);
        self.state = if goes_on { State::Open } else { State::Shut };
        goes_on
    }

    /// Whether these come in order behind what was handed over.
    pub(super) fn follow(&self, events: &[RecordedEvent]) -> bool {
        let places = events.iter().map(self.place);
        self.outlet.last.into_iter().chain(places).is_sorted_by(|one, next| one < next)
    }

    /// Whether something of this statement was handed over.
    pub(super) const fn has_handed_over(&self) -> bool {
        self.handed_over
    }

    /// From now on everything is left to the page.
    pub(super) const fn shut(&mut self) {
        self.state = State::Shut;
    }

    pub(super) fn hand_over(&mut self, events: Vec<RecordedEvent>) {
        self.handed_over = true;
        self.outlet.handed = self.outlet.handed.and(Size::of(&events));
        self.outlet.last = events.last().map(self.place).or(self.outlet.last);
        self.outlet.parts.hand_over(events);
    }

    /// The last place that was handed over.
    pub(super) const fn last(&self) -> Option<u64> {
        self.outlet.last
    }
}
