//! A subscription as operators want to see it: with how far it is behind.

use std::collections::BTreeSet;

use serde::Serialize;
use umbel_bus::edge;
use umbel_core::{
    Position, Timestamp, Version,
    document::Direction,
    store::{ReadAll, ReadError, ReadStream, Selector, SubscriptionState},
    version::Place,
};

use crate::tool::{Done, Tool};

/// A subscription and how far it is behind.
#[derive(Serialize)]
pub(super) struct Seen {
    #[serde(flatten)]
    pub(super) state: SubscriptionState,
    /// Events behind its lowest checkpoint, also those that it does not select.
    pub(super) lag_events: u64,
    /// Seconds since the first of them was recorded.
    pub(super) lag_seconds: u64,
    /// Nodes that hold partitions.
    pub(super) owners: usize,
    /// Partitions that somebody holds.
    pub(super) owned: usize,
    pub(super) dead_letters: u64,
}

impl Seen {
    pub(super) async fn of(tool: &Tool, state: SubscriptionState) -> Done<Self> {
        let lowest = state.partitions.iter().map(|one| one.checkpoint).min().unwrap_or_default();
        let (end, first_at) = match &state.stream {
            None => behind_in_log(tool, lowest).await?,
            Some(_) => behind_in_stream(tool, &state, lowest).await?,
        };
        let since = |at: Timestamp| edge::now().as_micros().saturating_sub(at.as_micros()) / 1_000_000;
        let owners = state.partitions.iter().filter_map(|one| one.owner);
        Ok(Self {
            lag_events: end.get().saturating_sub(lowest.get()),
            lag_seconds: first_at.map_or(0, |at| u64::try_from(since(at)).unwrap_or(0)),
            owners: owners.clone().collect::<BTreeSet<_>>().len(),
            owned: owners.count(),
            dead_letters: state.partitions.iter().map(|one| one.letters).sum(),
            state,
        })
    }

    /// What it does, in a word.
    pub(super) const fn doing(&self) -> &'static str {
        match (self.state.paused, self.owned) {
            (true, _) => "paused",
            (false, 0) => "nobody is there",
            (false, _) => "running",
        }
    }
}

/// The end of the log, and when the first event behind this place was recorded.
async fn behind_in_log(tool: &Tool, lowest: Place) -> Done<(Place, Option<Timestamp>)> {
    let from = Some(Position::new(lowest.get()).next());
    let request = ReadAll { from, direction: Direction::Forward, limit: 1, selector: Selector::all() };
    let page = tool.store().read_all(request).await?;
    Ok((page.head.into(), page.events.first().map(|event| event.recorded_at)))
}

/// The same for a stream, which may not be there (any more).
async fn behind_in_stream(
    tool: &Tool,
    state: &SubscriptionState,
    lowest: Place,
) -> Done<(Place, Option<Timestamp>)> {
    let Some(stream) = state.stream.clone() else { return Ok((lowest, None)) };
    let from = Some(Version::new(lowest.get()).next());
    match tool.store().read_stream(ReadStream { stream, from, direction: Direction::Forward, limit: 1 }).await
    {
        Ok(page) => Ok((page.version.into(), page.events.first().map(|event| event.recorded_at))),
        Err(ReadError::StreamNotFound(_) | ReadError::StreamDeleted(_)) => Ok((lowest, None)),
        Err(error) => Err(error.into()),
    }
}
