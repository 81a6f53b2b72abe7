//! The fold of a stream: an aggregate's state as of a version, and how it is brought further.

use std::panic::{AssertUnwindSafe, catch_unwind};

use umbel_bus::Store;
use umbel_core::{
    Aggregate, EventId, Gap, Gaps, RecordedEvent, StreamName, Version,
    document::Direction,
    store::{ReadError, ReadStream, StreamPage},
};

use crate::deciding::Trouble;

/// Events per read.
const LOAD_PAGE: u32 = 1000;

/// The state that the events of a stream up to `version` lead to.
pub(super) struct Fold<A> {
    pub(super) stream: StreamName,
    pub(super) state: A,
    pub(super) version: Version,
    /// The event at that version, if it is known: in a stream that was removed for good and begun anew there is another one.
    pub(super) last: Option<EventId>,
}

impl<A: Aggregate> Fold<A> {
    /// The state before the first event.
    pub(super) fn new(stream: StreamName) -> Self {
        Self { stream, state: A::default(), version: Version::START, last: None }
    }

    /// Begins with the snapshot of its stream, if snapshots of it are used, there is one that is not beyond `until`, and this
    /// program can read it.
    pub(super) async fn begin_with_snapshot(&mut self, store: &Store, until: Option<Version>) {
        let snapshots = A::snapshots();
        if !snapshots.are_used() {
            return;
        }
        let found = match store.load_snapshot(self.stream.clone()).await {
            Ok(found) => found.filter(|snapshot| until.is_none_or(|until| snapshot.version <= until)),
            Err(error) => {
                tracing::warn!(stream = %self.stream, %error, "no snapshot to be had; folding the stream from its start");
                return;
            }
        };
        let Some(snapshot) = found else { return };
        match catch_unwind(AssertUnwindSafe(|| snapshots.read(&snapshot))) {
            Ok(Some(Ok(state))) => {
                (self.state, self.version, self.last) = (state, snapshot.version, None);
            }
            Ok(Some(Err(error))) => tracing::warn!(%error, "folding the stream from its start instead"),
            Ok(None) => {}
            Err(_) => {
                tracing::warn!(stream = %self.stream, "reading its snapshot panicked; folding it from its start instead");
            }
        }
    }

    /// Evolves by everything that was appended behind its version, up to `until` if that is not the end; says whether there
    /// was anything. When the stream ends before that version, holds another event there, or is not there, it was removed for good:
    /// then what was folded is the state of nothing, and it begins anew with what the stream holds by now. When it does not show all
    /// events in between, a later snapshot is looked for, which may reach across.
    pub(super) async fn catch_up(&mut self, store: &Store, until: Option<Version>) -> Result<bool, Trouble> {
        let (before, latest) = (self.version, until);
        let until = until.unwrap_or(Version::new(u64::MAX));
        let mut is_anew = false;
        while self.version < until {
            let left = until.get() - self.version.get();
            // With the event before, to see that it is the one that was folded.
            let (from, left) = match self.last {
                Some(_) => (self.version, left.saturating_add(1)),
                None => (self.version.next(), left),
            };
            let request = ReadStream {
                stream: self.stream.clone(),
                from: Some(from),
                direction: Direction::Forward,
                limit: u32::try_from(left).unwrap_or(LOAD_PAGE).min(LOAD_PAGE),
            };
            let page = match store.read_stream(request).await {
                Ok(page) => page,
                Err(ReadError::StreamNotFound(_)) => {
                    if self.version > Version::START {
                        *self = Self::new(self.stream.clone());
                        is_anew = true;
                    }
                    break;
                }
                Err(ReadError::StreamDeleted(stream)) => return Err(Trouble::Gone(stream)),
                Err(ReadError::Store(error)) => return Err(Trouble::Store(error)),
            };
            if page.version < self.version || self.is_another(&page) {
                *self = Self::new(self.stream.clone());
                is_anew = true;
                continue;
            }
            match self.take_in(&page, until) {
                Err(Trouble::Gap(_)) if self.jumps(store, latest).await => {}
                taken => taken?,
            }
            if self.version >= page.version {
                break;
            }
        }
        Ok(is_anew || self.version > before)
    }

    /// The state after one more event. A panic leaves the state before the first one: the other is lost.
    pub(super) fn evolve(&mut self, event: &A::Event) -> Result<(), Trouble> {
        let state = std::mem::take(&mut self.state);
        match catch_unwind(AssertUnwindSafe(|| state.evolve(event))) {
            Ok(state) => {
                self.state = state;
                Ok(())
            }
            Err(_) => {
                *self = Self::new(self.stream.clone());
                Err(Trouble::Failed(format!("evolving {} panicked", self.stream)))
            }
        }
    }

    /// Whether the stream holds another event than the last that was folded. One that was truncated says nothing.
    fn is_another(&self, page: &StreamPage) -> bool {
        let there = page.events.first().filter(|first| first.version_read() == self.version);
        self.last.zip(there).is_some_and(|(last, there)| last != there.id)
    }

    /// Evolves by what of the page is behind its version, as far as `until`: without a gap, or those that the aggregate bears.
    fn take_in(&mut self, page: &StreamPage, until: Version) -> Result<(), Trouble> {
        let known = self.version;
        let news: Vec<_> = page.events.iter().filter(|recorded| recorded.version_read() > known).collect();
        let shows_only_the_last = news.is_empty() && !page.events.is_empty();
        if shows_only_the_last && known < page.version {
            // It is the one that was folded, and the page had room for no other: the next begins behind it.
            self.last = None;
            return Ok(());
        }
        for recorded in news {
            let version = recorded.version_read();
            self.cross(version.get().saturating_sub(1), until)?;
            if version > until {
                return Ok(());
            }
            self.evolve_by(recorded)?;
        }
        // Without any, all up to the end are missing. Taken for the end, that would let commands be decided on a state that never was.
        if page.events.is_empty() { self.cross(page.version.get(), until) } else { Ok(()) }
    }

    /// Comes up to the version before the next event there is, or to `until`: what is missing until then is an error, unless the
    /// aggregate bears it.
    fn cross(&mut self, before_next: u64, until: Version) -> Result<(), Trouble> {
        let end = Version::new(before_next).min(until);
        if end <= self.version {
            return Ok(());
        }
        match A::GAPS {
            Gaps::Refuse => {
                let (stream, first) = (self.stream.clone(), self.version.next());
                Err(Trouble::Gap(Gap { stream, first, last: end }))
            }
            Gaps::Skip => {
                (self.version, self.last) = (end, None);
                Ok(())
            }
        }
    }

    /// Goes on from a snapshot that is later than its version, if there is one: another node may have taken it before the stream was
    /// truncated.
    async fn jumps(&mut self, store: &Store, until: Option<Version>) -> bool {
        let mut later = Self::new(self.stream.clone());
        later.begin_with_snapshot(store, until).await;
        let is_later = later.version > self.version;
        if is_later {
            *self = later;
        }
        is_later
    }

    fn evolve_by(&mut self, recorded: &RecordedEvent) -> Result<(), Trouble> {
        let events = recorded.decode::<A::Event>().map_err(|error| Trouble::Failed(error.to_string()))?;
        for event in events {
            self.evolve(&event)?;
        }
        (self.version, self.last) = (recorded.version_read(), Some(recorded.id));
        Ok(())
    }
}
