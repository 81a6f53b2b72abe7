//! Pages in parts: events are handed over while the rest of their page is still being read, so that reading them and working on
//! them go on at the same time.

use std::{fmt, sync::Arc};

use crate::{
    event::RecordedEvent,
    message::Request,
    store::{ReadAll, ReadStream},
};

/// Reads a page and hands its events over in parts. A store may hand over what it likes, nothing included: the answer is the page
/// with those events that were not. What was handed over counts even when the answer is an error.
#[derive(Clone, Debug)]
pub struct ReadInParts<R> {
    /// The page.
    pub page: R,
    /// Where its events go.
    pub parts: Parts,
}

/// Where the events of a page go before the page is whole: its first ones, in the order asked for, each once.
#[derive(Clone)]
pub struct Parts(Arc<dyn Fn(Vec<RecordedEvent>) + Send + Sync>);

impl Parts {
    /// Takes parts by a function that neither waits nor fails: what it takes is as large as a page at most.
    pub fn new(take: impl Fn(Vec<RecordedEvent>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// Hands over the next events of the page.
    pub fn hand_over(&self, events: Vec<RecordedEvent>) {
        (self.0)(events);
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl Request for ReadInParts<ReadStream> {
    const NAME: &'static str = "store.read_stream_in_parts";
    type Answer = <ReadStream as Request>::Answer;
    type Error = <ReadStream as Request>::Error;
}

impl Request for ReadInParts<ReadAll> {
    const NAME: &'static str = "store.read_all_in_parts";
    type Answer = <ReadAll as Request>::Answer;
    type Error = <ReadAll as Request>::Error;
}
