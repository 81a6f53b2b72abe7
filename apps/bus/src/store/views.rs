//! Subscriptions as operators want to see them: with how far each is behind, and what it could not handle.

use std::{collections::BTreeSet, fmt};

use serde::Serialize;
use umbel_core::{
    Position, Timestamp, Version,
    document::Direction,
    store::{
        ListSubscriptions, ReadAll, ReadError, ReadStream, Selector, StoreError, StreamPage,
        SubscriptionState,
    },
    version::Place,
};

use super::Store;
use crate::edge;

/// A subscription and how far it is behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubscriptionView {
    /// What is kept of it.
    #[serde(flatten)]
    pub state: SubscriptionState,
    /// Where what it follows ends; its lowest checkpoint when that is a stream that is not there.
    pub end: Place,
    /// Events behind its lowest checkpoint, also those that it does not select.
    pub lag_events: u64,
    /// Seconds since the first of them was recorded.
    pub lag_seconds: u64,
    /// How far it is with what comes again since a reset; `None` when nothing does.
    pub replay: Option<Replay>,
    /// Nodes that hold partitions.
    pub owners: usize,
    /// Partitions that somebody holds.
    pub owned: usize,
    /// Its dead letters.
    pub dead_letters: u64,
    /// When the oldest of them was parked.
    pub oldest_letter_at: Option<Timestamp>,
    /// Seconds since then; 0 when there is none.
    pub oldest_letter_seconds: u64,
}

/// What comes again since a reset. Places count, also those of events that the subscription does not select.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Replay {
    /// Where it was reset to.
    pub from: Place,
    /// How far all partitions are that still replay.
    pub reached: Place,
    /// Up to where events were done with before.
    pub to: Place,
}

impl Replay {
    /// Of partitions that have been further than they are.
    fn of(state: &SubscriptionState) -> Option<Self> {
        let behind = || state.partitions.iter().filter(|one| one.checkpoint < one.handled);
        let reached = behind().map(|one| one.checkpoint).min()?;
        let from = state.began_at().min(reached);
        Some(Self { from, reached, to: behind().map(|one| one.handled).max()? })
    }

    /// How many places of what comes again are done.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.reached.get().saturating_sub(self.from.get())
    }

    /// How many places come again.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.to.get().saturating_sub(self.from.get())
    }
}

/// Such as `1200 of 5000`.
impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.done(), self.all())
    }
}

impl Store {
    /// A page of the subscriptions, each with how far it is behind: as many small reads more as the page has subscriptions.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn view_subscriptions(
        &self,
        request: ListSubscriptions,
    ) -> Result<Vec<SubscriptionView>, StoreError> {
        let mut views = Vec::new();
        for state in self.list_subscriptions(request).await? {
            views.push(self.view(state).await?);
        }
        Ok(views)
    }

    async fn view(&self, state: SubscriptionState) -> Result<SubscriptionView, StoreError> {
        let lowest = lowest(&state);
        let (end, first_at) = match &state.stream {
            None => self.behind_in_log(lowest).await?,
            Some(_) => self.behind_in_stream(&state, lowest).await?,
        };
        Ok(SubscriptionView::of(state, end, first_at, edge::now()))
    }

    /// The end of the log, and when the first event behind this place was recorded.
    async fn behind_in_log(&self, lowest: Place) -> Result<(Place, Option<Timestamp>), StoreError> {
        let from = Some(Position::new(lowest.get()).next());
        let request = ReadAll { from, direction: Direction::Forward, limit: 1, selector: Selector::all() };
        let page = self.read_all(request).await?;
        Ok((page.head.into(), page.events.first().map(|event| event.recorded_at)))
    }

    /// The same for a stream, which may not be there (any more).
    async fn behind_in_stream(
        &self,
        state: &SubscriptionState,
        lowest: Place,
    ) -> Result<(Place, Option<Timestamp>), StoreError> {
        let Some(stream) = state.stream.clone() else { return Ok((lowest, None)) };
        let from = Some(Version::new(lowest.get()).next());
        let request = ReadStream { stream, from, direction: Direction::Forward, limit: 1 };
        match self.read_stream(request).await {
            Ok(StreamPage { version, events, .. }) => {
                Ok((version.into(), events.first().map(|event| event.recorded_at)))
            }
            Err(ReadError::StreamNotFound(_) | ReadError::StreamDeleted(_)) => Ok((lowest, None)),
            Err(ReadError::Store(error)) => Err(error),
        }
    }
}

fn lowest(state: &SubscriptionState) -> Place {
    state.partitions.iter().map(|one| one.checkpoint).min().unwrap_or_default()
}

impl SubscriptionView {
    fn of(state: SubscriptionState, end: Place, first_at: Option<Timestamp>, now: Timestamp) -> Self {
        let since = |at: Option<Timestamp>| {
            let passed = at.map_or(0, |at| now.as_micros().saturating_sub(at.as_micros()) / 1_000_000);
            u64::try_from(passed).unwrap_or(0)
        };
        let owners = state.partitions.iter().filter_map(|one| one.owner);
        let (owned, owners) = (owners.clone().count(), owners.collect::<BTreeSet<_>>().len());
        let oldest_letter_at = state.partitions.iter().filter_map(|one| one.oldest_letter_at).min();
        Self {
            end,
            lag_events: end.get().saturating_sub(lowest(&state).get()),
            lag_seconds: since(first_at),
            replay: Replay::of(&state),
            owners,
            owned,
            dead_letters: state.partitions.iter().map(|one| one.letters).sum(),
            oldest_letter_at,
            oldest_letter_seconds: since(oldest_letter_at),
            state,
        }
    }

    /// What it does, in a word.
    #[must_use]
    pub fn doing(&self) -> &'static str {
        if self.state.partitions.iter().any(|one| one.checkpoint > self.end) {
            // It passes over all that comes before that: there is nothing worse.
            return "beyond the end";
        }
        match (self.state.paused, self.owned) {
            (true, _) => "paused",
            (false, 0) => "nobody is there",
            (false, _) => "running",
        }
    }
}

#[cfg(test)]
mod tests {
    use umbel_core::{
        store::PartitionState,
        subscription::{NodeId, Start, SubscriptionName},
    };
    use uuid::Uuid;

    use super::*;

    /// Lag is told in events and in time, letters by how many and how old; a clock that went back is no lag.
    #[test]
    fn a_view_is_made_of_all_partitions() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let partition = |partition: u32, letters, oldest: Option<i64>| PartitionState {
            partition,
            checkpoint: Place::new(7),
            handled: Place::new(7),
            epoch: 1,
            owner: (partition < 2).then(|| NodeId(Uuid::nil())),
            letters,
            oldest_letter_at: oldest.map(at),
        };
        let mut state = SubscriptionState {
            name: SubscriptionName::new("s").unwrap(),
            kept_as: "s".into(),
            source: "log".into(),
            stream: None,
            start: Start::Origin,
            paused: false,
            created_at: at(0),
            incarnation: 0,
            members: 1,
            partitions: vec![partition(0, 2, Some(50)), partition(1, 1, Some(40)), partition(2, 0, None)],
        };
        let view = SubscriptionView::of(state.clone(), Place::new(10), Some(at(90)), at(100));
        assert_eq!((view.lag_events, view.lag_seconds), (3, 10));
        assert_eq!((view.owned, view.owners, view.doing(), view.replay), (2, 1, "running", None));
        assert_eq!(
            (view.dead_letters, view.oldest_letter_at, view.oldest_letter_seconds),
            (3, Some(at(40)), 60)
        );
        let beyond = SubscriptionView::of(state.clone(), Place::new(6), None, at(100));
        assert_eq!((beyond.lag_events, beyond.doing()), (0, "beyond the end"));
        state.paused = true;
        state.partitions.truncate(0);
        let view = SubscriptionView::of(state, Place::default(), None, at(100));
        assert_eq!((view.lag_seconds, view.dead_letters, view.oldest_letter_seconds), (0, 0, 0));
        assert_eq!(view.doing(), "paused");
        let view = SubscriptionView::of(view.state, Place::new(1), Some(at(101)), at(100));
        assert_eq!(view.lag_seconds, 0);
    }

    /// A replay goes from where it was reset to, to the furthest that a partition had come; those that were passed over by the reset, or
    /// are where they were, have no part in it.
    #[test]
    fn a_replay_is_told_by_its_partitions() {
        let partition = |(checkpoint, handled)| PartitionState {
            partition: 0,
            checkpoint: Place::new(checkpoint),
            handled: Place::new(handled),
            epoch: 1,
            owner: None,
            letters: 0,
            oldest_letter_at: None,
        };
        let told = |start, partitions: &[(u64, u64)]| {
            let state = SubscriptionState {
                name: SubscriptionName::new("s").unwrap(),
                kept_as: "s".into(),
                source: "log".into(),
                stream: None,
                start,
                paused: false,
                created_at: Timestamp::from_micros(0),
                incarnation: 0,
                members: 0,
                partitions: partitions.iter().copied().map(partition).collect(),
            };
            Replay::of(&state).map(|replay| replay.to_string())
        };
        let after = |place| Start::After(Place::new(place));
        assert_eq!(told(Start::Origin, &[(7, 7), (0, 0)]), None);
        assert_eq!(told(after(9), &[(9, 7), (12, 12)]), None);
        assert_eq!(told(Start::Origin, &[(1200, 5000), (5001, 5001)]).as_deref(), Some("1200 of 5000"));
        assert_eq!(told(after(10), &[(30, 40), (20, 60), (12, 12)]).as_deref(), Some("10 of 50"));
    }
}
