//! The fold of a stream: an aggregate's state as of a version, and how it is brought further.

use std::panic::{AssertUnwindSafe, catch_unwind};

use umbel_bus::Store;
use umbel_core::{
    Aggregate, EventId, StreamName, Version,
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
    /// then what was folded is the state of nothing, and it begins anew with what the stream holds by now.
    pub(super) async fn catch_up(&mut self, store: &Store, until: Option<Version>) -> Result<bool, Trouble> {
        let (before, until) = (self.version, until.unwrap_or(Version::new(u64::MAX)));
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
                Err(error @ ReadError::StreamDeleted(_)) => return Err(Trouble::Failed(error.to_string())),
                Err(ReadError::Store(error)) => return Err(Trouble::Store(error)),
            };
            if page.version < self.version || self.is_another(&page) {
                *self = Self::new(self.stream.clone());
                is_anew = true;
                continue;
            }
            self.take_in(&page, until)?;
            if self.version >= page.version {
                break;
            }
            // Taken for the end, this would let commands be decided on a state that never was.
            if page.events.is_empty() {
                let (stream, at, end) = (&self.stream, self.version, page.version);
                return Err(Trouble::Failed(format!(
                    "the store has no events of {stream} after version {at}, though it is at version {end}"
                )));
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

    fn take_in(&mut self, page: &StreamPage, until: Version) -> Result<(), Trouble> {
        let news = page.events.iter().filter(|recorded| recorded.version_read() > self.version);
        let news: Vec<_> = news.take_while(|recorded| recorded.version_read() <= until).collect();
        for recorded in news {
            let events = recorded.decode::<A::Event>().map_err(|error| Trouble::Failed(error.to_string()))?;
            for event in events {
                self.evolve(&event)?;
            }
            (self.version, self.last) = (recorded.version_read(), Some(recorded.id));
        }
        Ok(())
    }
}
