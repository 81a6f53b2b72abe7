//! A log to read from.

use std::ops::Range;

use futures_util::{StreamExt, TryStreamExt, stream};
use umbel_bus::Store;
use umbel_core::{ExpectedVersion, NewEvent, StreamName, Version, store::Append};

use super::event::{MARKED_EVERY, logged};

/// Events in every stream.
pub(super) const STREAM_EVENTS: u64 = 1000;

/// Events in one append: large, for filling is not what is measured.
const BATCH: u64 = 100;

/// Appends at once.
const IN_FLIGHT: usize = 16;

/// A log of streams that were written to in turns.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) streams: u64,
}

/// What the event is of this number in the stream of that number and name.
type Make = fn(u64, &str, u64) -> anyhow::Result<NewEvent>;

/// Appends at least so many events, in whole streams.
pub(super) async fn fill(store: &Store, events: u64) -> anyhow::Result<Filled> {
    fill_with(store, events, |_, name, number| logged(name, number)).await
}

/// The same with other events.
pub(super) async fn fill_with(store: &Store, events: u64, make: Make) -> anyhow::Result<Filled> {
    let streams = events.div_ceil(STREAM_EVENTS);
    for batch in 0..STREAM_EVENTS / BATCH {
        let numbers = batch * BATCH + 1..(batch + 1) * BATCH + 1;
        let appends = (0..streams).map(|stream| append(store, stream, numbers.clone(), make));
        // One stream after the other, and all of them before any gets more: they lie in the log in turns.
        stream::iter(appends).buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
    }
    Ok(Filled { streams })
}

async fn append(store: &Store, stream: u64, numbers: Range<u64>, make: Make) -> anyhow::Result<()> {
    let name = name(stream);
    let expected = match numbers.start - 1 {
        0 => ExpectedVersion::NoStream,
        before => ExpectedVersion::Exact(Version::new(before)),
    };
    let events = numbers.map(|number| make(stream, name.as_str(), number)).collect::<Result<_, _>>()?;
    store.append(Append::to_stream(name, expected, events)).await?;
    Ok(())
}

fn name(stream: u64) -> StreamName {
    StreamName::from_store(format!("log-{stream}"))
}

impl Filled {
    /// How many events there are.
    pub(super) const fn events(&self) -> u64 {
        self.streams * STREAM_EVENTS
    }

    /// How many of them are of the rare kind, or of those that take its turns.
    pub(super) const fn marked(&self) -> u64 {
        self.events() / MARKED_EVERY
    }

    /// The first so many streams.
    pub(super) fn names(&self, count: u64) -> Vec<StreamName> {
        (0..self.streams.min(count)).map(name).collect()
    }
}
