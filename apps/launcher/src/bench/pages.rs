//! Reading through the store as applications do: lazily, a page ahead.

use std::{error::Error, pin::pin};

use anyhow::ensure;
use futures_util::{Stream, TryStreamExt};
use umbel_bus::Store;
use umbel_core::{
    EventSet, Position, RecordedEvent, StreamName,
    document::Direction,
    store::{AllPage, ReadAll, ReadStream, Selector},
};

/// All events of the log that are selected, in pages of so many.
pub(super) async fn read_all(
    store: &Store,
    selector: &Selector,
    limit: u32,
    work: impl FnMut(&RecordedEvent) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    each(store.stream_all(request(Position::START, selector, limit)), work).await
}

/// All events of a stream, in pages of so many.
pub(super) async fn read_stream(
    store: &Store,
    stream: &StreamName,
    limit: u32,
    work: impl FnMut(&RecordedEvent) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (stream, direction) = (stream.clone(), Direction::Forward);
    each(store.stream_events(ReadStream { stream, from: None, direction, limit }), work).await
}

/// The page of the log behind a position.
pub(super) async fn page(
    store: &Store,
    behind: Position,
    selector: &Selector,
    limit: u32,
) -> anyhow::Result<AllPage> {
    Ok(store.read_all(request(behind, selector, limit)).await?)
}

fn request(behind: Position, selector: &Selector, limit: u32) -> ReadAll {
    let (from, selector) = (Some(behind.next()), selector.clone());
    ReadAll { from, direction: Direction::Forward, limit, selector }
}

async fn each<E: Error + Send + Sync + 'static>(
    events: impl Stream<Item = Result<RecordedEvent, E>>,
    mut work: impl FnMut(&RecordedEvent) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut events = pin!(events);
    while let Some(event) = events.try_next().await? {
        work(&event)?;
    }
    Ok(())
}

/// Makes a typed value of an event, which must be one of these.
pub(super) fn decode<E: EventSet>(event: &RecordedEvent) -> anyhow::Result<()> {
    let typed = event.decode::<E>()?;
    ensure!(std::hint::black_box(typed).len() == 1, "{} is not of this log", event.event_type);
    Ok(())
}
