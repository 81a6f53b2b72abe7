//! The load: callers that append to streams of their own, one append after the other.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use serde::Serialize;
use umbel_bus::{Store, edge::fresh_id};
use umbel_core::{
    EventId, EventType, ExpectedVersion, Json, Metadata, NewEvent, StreamName, Version, store::Append,
};
use umbel_persistence::floor::{Floor, Row};

/// How much is appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    /// Events per append.
    pub(super) batch: u32,
    /// Appends in one round.
    pub(super) appends_per_round: u64,
    /// Events in all rounds.
    pub(super) events: u64,
}

/// What is appended to.
#[derive(Clone)]
pub(super) enum Target {
    Store(Store),
    Floor(Floor),
}

/// A target with its callers, and what they have measured.
pub(super) struct Subject {
    target: Target,
    callers: Vec<Caller>,
    /// Events per second, of each round.
    pub(super) rates: Vec<f64>,
    /// From call to answer, of each append.
    pub(super) latencies: Vec<Duration>,
}

/// Appends to its own streams in turns, so that it knows every version exactly.
struct Caller {
    streams: Vec<Stream>,
    next: usize,
    latencies: Vec<Duration>,
}

struct Stream {
    name: StreamName,
    /// The number that floors know it by.
    id: i64,
    version: u64,
}

/// Data of an event, about 200 bytes as JSON.
#[derive(Serialize)]
struct Posted<'a> {
    stream: &'a str,
    number: u64,
    author: &'a str,
    title: &'a str,
    body: &'a str,
}

const BODY: &str =
    "The entries of a log, in order, each with its place: what was said stays said, to be read again later.";

impl Load {
    /// Events rounded up to whole appends, at least one in each round.
    pub(super) fn new(events: u64, batch: u32, rounds: u32) -> Self {
        let per_round = events.div_ceil(u64::from(batch)).div_ceil(u64::from(rounds));
        let events = per_round.saturating_mul(u64::from(rounds)).saturating_mul(u64::from(batch));
        Self { batch, appends_per_round: per_round, events }
    }
}

impl Subject {
    pub(super) fn new(target: Target, concurrency: u32, streams: u32) -> Self {
        let mut callers: Vec<_> = (0..concurrency)
            .map(|_| Caller { streams: Vec::new(), next: 0, latencies: Vec::new() })
            .collect();
        for (number, caller) in (0..streams.max(concurrency)).zip((0..callers.len()).cycle()) {
            let name = StreamName::from_store(format!("bench-{number}"));
            let stream = Stream { name, id: i64::from(number), version: 0 };
            callers.get_mut(caller).expect("the cycle is over the callers").streams.push(stream);
        }
        Self { target, callers, rates: Vec::new(), latencies: Vec::new() }
    }

    /// A round that does not count.
    pub(super) async fn warm_up(&mut self, load: &Load) -> anyhow::Result<()> {
        self.appends(load.appends_per_round.div_ceil(2), load.batch).await?;
        self.latencies.clear();
        Ok(())
    }

    /// A round that counts.
    pub(super) async fn round(&mut self, load: &Load) -> anyhow::Result<()> {
        let took = self.appends(load.appends_per_round, load.batch).await?;
        let events = Duration::from_secs(load.appends_per_round * u64::from(load.batch));
        self.rates.push(events.div_duration_f64(took));
        Ok(())
    }

    /// All callers at once, until so many appends are done among them.
    async fn appends(&mut self, count: u64, batch: u32) -> anyhow::Result<Duration> {
        let left = Arc::new(AtomicU64::new(count));
        let begin = Instant::now();
        let callers = self.callers.drain(..).map(|mut caller| {
            let (target, left) = (self.target.clone(), Arc::clone(&left));
            tokio::spawn(async move {
                while take_one(&left) {
                    caller.append(&target, batch).await?;
                }
                anyhow::Ok(caller)
            })
        });
        let callers: Vec<_> = try_join_all(callers).await?;
        let took = begin.elapsed();
        self.callers = callers.into_iter().collect::<Result<_, _>>()?;
        self.latencies.extend(self.callers.iter_mut().flat_map(|caller| caller.latencies.drain(..)));
        Ok(took)
    }
}

impl Caller {
    async fn append(&mut self, target: &Target, batch: u32) -> anyhow::Result<()> {
        let turn = self.next;
        self.next = (turn + 1) % self.streams.len();
        let stream = self.streams.get_mut(turn).context("every caller has a stream")?;
        let events = stream.next_events(batch)?;
        let begin = Instant::now();
        match target {
            Target::Store(store) => stream.append_to_store(store, events).await?,
            Target::Floor(floor) => stream.append_to_floor(floor, events).await?,
        }
        self.latencies.push(begin.elapsed());
        stream.version += u64::from(batch);
        Ok(())
    }
}

impl Stream {
    async fn append_to_store(&self, store: &Store, events: Vec<NewEvent>) -> anyhow::Result<()> {
        let expected = match self.version {
            0 => ExpectedVersion::NoStream,
            version => ExpectedVersion::Exact(Version::new(version)),
        };
        let reached = Version::new(self.version).plus(u64::try_from(events.len())?);
        let appended = store.append(Append::to_stream(self.name.clone(), expected, events)).await?;
        ensure!(appended.versions == [reached], "{} is at {:?}, not {reached}", self.name, appended.versions);
        Ok(())
    }

    async fn append_to_floor(&self, floor: &Floor, events: Vec<NewEvent>) -> anyhow::Result<()> {
        let versions = i64::try_from(self.version)? + 1..;
        let rows = events.into_iter().zip(versions);
        let rows = rows.map(|(event, version)| Row { stream_id: self.id, version, event }).collect();
        Ok(floor.append(rows).await?)
    }

    fn next_events(&self, count: u32) -> anyhow::Result<Vec<NewEvent>> {
        (1..=u64::from(count)).map(|offset| event(self.name.as_str(), self.version + offset)).collect()
    }
}

fn event(stream: &str, number: u64) -> anyhow::Result<NewEvent> {
    let id = fresh_id();
    let data = Posted { stream, number, author: "ada@example.org", title: "On keeping a log", body: BODY };
    Ok(NewEvent {
        id: EventId(id),
        event_type: EventType { name: Cow::Borrowed("bench.posted"), schema: 1 },
        data: Json::encode(&data)?,
        metadata: Metadata::correlated(id).caused_by(id),
    })
}

/// Counts down, and says whether there was one left.
fn take_one(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_whole_appends_in_every_round() {
        let load = |events, batch| Load::new(events, batch, 5);
        assert_eq!(load(600, 1), Load { batch: 1, appends_per_round: 120, events: 600 });
        assert_eq!(load(1, 1), Load { batch: 1, appends_per_round: 1, events: 5 });
        assert_eq!(load(1001, 100), Load { batch: 100, appends_per_round: 3, events: 1500 });
    }

    #[test]
    fn an_event_is_about_200_bytes() {
        let size = event("bench-123", 45).unwrap().data.len_bytes();
        assert!((190..=210).contains(&size), "{size}");
    }

    #[test]
    fn no_two_callers_share_a_stream_and_each_has_one() {
        let bus = umbel_bus::Bus::new(umbel_bus::BusSettings::default());
        for (concurrency, streams) in [(3, 10), (4, 2)] {
            let subject = Subject::new(Target::Store(bus.store()), concurrency, streams);
            let mut ids: Vec<_> =
                subject.callers.iter().flat_map(|caller| &caller.streams).map(|stream| stream.id).collect();
            assert!(subject.callers.iter().all(|caller| !caller.streams.is_empty()));
            let count = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!((ids.len(), count), (count, streams.max(concurrency) as usize));
        }
    }
}
