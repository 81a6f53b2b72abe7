//! The load: callers that append, each waiting for its answer before the next.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures_util::future::{LocalBoxFuture, try_join_all};
use umbel_bus::Store;
use umbel_core::{ExpectedVersion, NewEvent, StreamName, Version, store::Append};
use umbel_persistence::floor::{Floor, Row};

use super::{
    event::posted,
    rounds::{Round, Subject},
};

/// Who appends how much to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Begins the names of the streams.
    pub(super) prefix: String,
    /// Callers at once.
    pub(super) concurrency: u32,
    /// Streams, shared out among the callers, each at least one.
    pub(super) streams: Streams,
    /// Events per append.
    pub(super) batch: u32,
    /// Appends in one round.
    pub(super) appends: u64,
}

/// Who owns the streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Streams {
    /// So many, each of one caller, who knows its version exactly.
    Own(u32),
    /// One for all, whatever its version.
    Hot,
}

/// What is appended to.
#[derive(Clone)]
pub(super) enum Target {
    Store(Store),
    Floor(Floor),
}

/// A target with its callers.
pub(super) struct Appends {
    target: Target,
    callers: Vec<Caller>,
    batch: u32,
    appends: u64,
}

/// Appends to its streams in turns.
struct Caller {
    streams: Vec<Stream>,
    next: usize,
    latencies: Vec<Duration>,
}

#[derive(Clone)]
struct Stream {
    name: StreamName,
    /// The number that floors know it by.
    id: i64,
    /// Events in it, or on their way.
    length: Arc<AtomicU64>,
    hot: bool,
}

impl Plan {
    /// Single events to 1,000 streams, unless there are more callers.
    pub(super) fn single(prefix: &str, concurrency: u32, appends: u64) -> Self {
        Self { prefix: prefix.to_owned(), concurrency, streams: Streams::Own(1000), batch: 1, appends }
    }
}

impl Appends {
    pub(super) fn new(target: Target, plan: &Plan) -> Self {
        let mut callers: Vec<_> = (0..plan.concurrency)
            .map(|_| Caller { streams: Vec::new(), next: 0, latencies: Vec::new() })
            .collect();
        match plan.streams {
            Streams::Hot => {
                let stream = Stream::new(&plan.prefix, 0, true);
                callers.iter_mut().for_each(|caller| caller.streams.push(stream.clone()));
            }
            Streams::Own(streams) => {
                let numbers = 0..streams.max(plan.concurrency);
                for (number, caller) in numbers.zip((0..callers.len()).cycle()) {
                    let stream = Stream::new(&plan.prefix, number, false);
                    callers.get_mut(caller).expect("the cycle is over the callers").streams.push(stream);
                }
            }
        }
        Self { target, callers, batch: plan.batch, appends: plan.appends }
    }

    /// All callers at once, until so many appends are done among them.
    pub(super) async fn append(&mut self, count: u64) -> anyhow::Result<Round> {
        let left = Arc::new(AtomicU64::new(count));
        let (batch, begin) = (self.batch, Instant::now());
        let callers = self.callers.drain(..).map(|mut caller| {
            let (target, left) = (self.target.clone(), Arc::clone(&left));
            tokio::spawn(async move {
                while take_one(&left) {
                    let begin = caller.append(&target, batch).await?;
                    caller.latencies.push(begin.elapsed());
                }
                anyhow::Ok(caller)
            })
        });
        let callers: Vec<_> = try_join_all(callers).await?;
        let took = begin.elapsed();
        self.callers = callers.into_iter().collect::<Result<_, _>>()?;
        let latencies = self.callers.iter_mut().flat_map(|caller| caller.latencies.drain(..)).collect();
        Ok(Round { units: count * u64::from(batch), took, latencies })
    }

    /// One append of the first caller, without a task of its own: the moment of the call, whose answer there is by now.
    pub(super) async fn append_one(&mut self) -> anyhow::Result<Instant> {
        self.callers.first_mut().context("there is a caller")?.append(&self.target, self.batch).await
    }
}

impl Subject for Appends {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(self.append(self.appends))
    }
}

impl Caller {
    /// The moment of the call, whose answer there is by now.
    async fn append(&mut self, target: &Target, batch: u32) -> anyhow::Result<Instant> {
        let turn = self.next;
        self.next = (turn + 1) % self.streams.len();
        let stream = self.streams.get(turn).context("every caller has a stream")?;
        let before = stream.length.fetch_add(u64::from(batch), Ordering::Relaxed);
        let events = stream.events(before, batch)?;
        let begin = Instant::now();
        match target {
            Target::Store(store) => stream.append_to_store(store, before, events).await?,
            Target::Floor(floor) => stream.append_to_floor(floor, before, events).await?,
        }
        Ok(begin)
    }
}

impl Stream {
    fn new(prefix: &str, number: u32, hot: bool) -> Self {
        let name = StreamName::from_store(format!("{prefix}-{number}"));
        Self { name, id: i64::from(number), length: Arc::default(), hot }
    }

    async fn append_to_store(&self, store: &Store, before: u64, events: Vec<NewEvent>) -> anyhow::Result<()> {
        let expected = match before {
            _ if self.hot => ExpectedVersion::Any,
            0 => ExpectedVersion::NoStream,
            before => ExpectedVersion::Exact(Version::new(before)),
        };
        let reached = Version::new(before).plus(u64::try_from(events.len())?);
        let appended = store.append(Append::to_stream(self.name.clone(), expected, events)).await?;
        let as_expected = self.hot || appended.versions == [reached];
        ensure!(as_expected, "{} is at {:?}, not {reached}", self.name, appended.versions);
        Ok(())
    }

    async fn append_to_floor(&self, floor: &Floor, before: u64, events: Vec<NewEvent>) -> anyhow::Result<()> {
        let versions = i64::try_from(before)? + 1..;
        let rows = events.into_iter().zip(versions);
        let rows = rows.map(|(event, version)| Row { stream_id: self.id, version, event }).collect();
        Ok(floor.append(rows).await?)
    }

    fn events(&self, before: u64, count: u32) -> anyhow::Result<Vec<NewEvent>> {
        (1..=u64::from(count)).map(|offset| posted(self.name.as_str(), before + offset)).collect()
    }
}

/// Counts down, and says whether there was one left.
pub(super) fn take_one(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appends(concurrency: u32, streams: Streams) -> Appends {
        let bus = umbel_bus::Bus::new(umbel_bus::BusSettings::default());
        let plan = Plan { streams, ..Plan::single("t", concurrency, 1) };
        Appends::new(Target::Store(bus.store()), &plan)
    }

    fn ids(appends: &Appends) -> Vec<i64> {
        assert!(appends.callers.iter().all(|caller| !caller.streams.is_empty()));
        appends.callers.iter().flat_map(|caller| &caller.streams).map(|stream| stream.id).collect()
    }

    #[test]
    fn no_two_callers_share_a_stream_and_each_has_one() {
        for (concurrency, streams) in [(3, 10), (4, 2)] {
            let mut ids = ids(&appends(concurrency, Streams::Own(streams)));
            let count = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!((ids.len(), count), (count, streams.max(concurrency) as usize));
        }
    }

    #[test]
    fn all_callers_share_a_hot_stream() {
        let hot = appends(3, Streams::Hot);
        assert_eq!(ids(&hot), [0, 0, 0]);
        let [first, second, _] = &hot.callers[..] else { unreachable!() };
        assert!(Arc::ptr_eq(&first.streams[0].length, &second.streams[0].length));
    }
}
