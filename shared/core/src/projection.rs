//! Projections: events in, documents and rows of tables out, each event's effect exactly once.

use crate::{
    document::{Changes, Collection},
    event::{EventSet, RecordedEvent},
    tables::Table,
};

/// When the changes of an event are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Behind the append, by whoever follows the log: it costs those who append nothing.
    #[default]
    Following,
    /// In the transaction that appends the event: whoever gets an answer finds what it led to, by any read. Commands that lead to its events
    /// take turns on the documents that these change, and fail where the rule does. While it is built, and behind events that were appended
    /// by somebody who does not know it, it follows the log.
    Inline,
}

/// What becomes of an event that cannot be projected: it does not decode, the rule or a change panics, a document has another shape, or the
/// database refuses a statement. Nothing of such an event is ever applied. A store that is away is waited for, whatever is said here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Failing {
    /// The projection is held up at this place, says so, and tries again: what follows rests on what comes before.
    #[default]
    HoldUp,
    /// It is named in the log of the process and passed over, for read models that may lack something. A later version of the rule
    /// sees it again.
    Skip,
}

/// What becomes of one event that cannot be projected, after one attempt at it: what [`Projection::on_error`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The projection is held up at this place and tries again, with growing pauses.
    Retry,
    /// The event is named in the log of the process and passed over. A later version of the rule sees it again.
    Skip,
    /// The projection is held up at this place and does not try again until its process starts anew, or another generation of it takes
    /// its place: for what only other code cures.
    Stop,
}

impl Failing {
    /// What it says of each event.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::HoldUp => Verdict::Retry,
            Self::Skip => Verdict::Skip,
        }
    }
}

/// A read model's rule: how each event changes the documents.
///
/// The host reads the log, loads the documents that the rule touches, applies the changes and commits them,
/// with the statements over tables of its own, together with the checkpoint. A rule is pure and sees every event once, in log order.
pub trait Projection: Send + Sync + 'static {
    /// Stable name, `app.model`; its checkpoints are kept under `name/version`.
    const NAME: &'static str;
    /// Raised when the rule changes, so that the read model is built anew: every event is projected again from the start of the log, into
    /// documents beside those that there are. Readers get the old ones until the new ones have caught up, and then these at once. Nodes
    /// of the old version go on with the old documents until then; afterwards they say that they are superseded. It never goes down.
    const VERSION: u32 = 1;
    /// When the changes of an event are written. Whoever changes this raises [`Self::VERSION`].
    const MODE: Mode = Mode::Following;
    /// What becomes of an event that cannot be projected, unless [`Self::on_error`] says otherwise.
    const FAILING: Failing = Failing::HoldUp;
    /// The events it wants. Others are not even read.
    type Event: EventSet;

    /// The collections it owns; nobody else writes them. They are empty when its rule sees the first event.
    fn collections() -> Vec<Collection>;

    /// The SQL tables it keeps beside them, or instead: on PostgreSQL only. Each generation has its own, empty when its rule sees the first
    /// event. Whoever changes what is declared here raises [`Self::VERSION`].
    #[must_use]
    fn tables() -> Vec<Table> {
        Vec::new()
    }

    /// The changes an event makes. `recorded` is the event's place, time and metadata. Where [`Self::MODE`] is [`Mode::Inline`], its position
    /// in the log is not known yet, and is [`Position::START`](crate::Position::START), also when the same is projected later.
    fn project(event: Self::Event, recorded: &RecordedEvent, changes: &mut Changes);

    /// What becomes of this event, which could not be projected for this reason. `attempt` is 1 for the first since the process began with
    /// it. Nodes that run the same projection are asked each on its own, so it depends on nothing else: an event is passed over as
    /// soon as one of them says so. When it panics, [`Self::FAILING`] counts.
    #[must_use]
    fn on_error(error: &str, event: &RecordedEvent, attempt: u32) -> Verdict {
        let _unused = (error, event, attempt);
        Self::FAILING.verdict()
    }
}
