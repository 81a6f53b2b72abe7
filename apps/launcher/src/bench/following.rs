//! W4a as apps do it: a handler and projections that keep documents, each run by its app from the beginning of the log to its end.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use umbel_bus::{Progress, edge::fresh_id};
use umbel_core::{
    Changes, Document, EventId, Metadata, Position, Projection, RecordedEvent,
    document::Collection,
    store::{Act, Perform},
    subscription::{Start, SubscriptionName},
};
use umbel_host::{App, EventHandler, HandlerContext, HandlerStart};
use umbel_supervision::{Group, Policy, Supervisor};

use super::{
    event::{Entry, Logged},
    lab::Lab,
    rounds::{Round, Subject},
};

/// How long one round may take before something is wrong.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the handler was given. One bench runs at a time in a process.
static HANDLED: AtomicU64 = AtomicU64::new(0);

/// An app that follows a log which nothing is appended to. Each round it begins at the start.
pub(super) struct Following {
    lab: Lab,
    app: fn() -> App,
    /// The name of what follows.
    name: &'static str,
    /// Lets it begin at the start.
    again: fn() -> anyhow::Result<Act>,
    /// The last position that concerns it.
    end: Position,
    /// Events that must be met.
    events: u64,
    done: u32,
}

/// Does nothing with events but count them.
struct Counter;

/// Keeps a document of each event.
struct Copies;

/// Keeps a document of each stream.
struct Counts;

/// An event as read model.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Copy(Entry);

/// What is known of a stream.
#[derive(Debug, Serialize, Deserialize, Document)]
#[document(collection = "bench.counts")]
struct Count {
    events: u64,
    last: Entry,
}

impl Following {
    /// A handler that does nothing, on a log of so many events.
    pub(super) fn handler(lab: &Lab, events: u64) -> Self {
        let again = || {
            let subscription = SubscriptionName::new(Counter::NAME)?;
            Ok(Act::ResetSubscription { subscription, start: Start::Origin })
        };
        Self::new(lab, || App::new("bench.counter").handler::<Counter>(), Counter::NAME, again, events)
    }

    /// A projection that writes a document of each event.
    pub(super) fn copies(lab: &Lab, events: u64) -> Self {
        let again = || Ok(Act::DropProjection { projection: Copies::NAME.to_owned() });
        Self::new(lab, || App::new("bench.copies").projection::<Copies>(), Copies::NAME, again, events)
    }

    /// A projection that counts the events of each stream.
    pub(super) fn counts(lab: &Lab, events: u64) -> Self {
        let again = || Ok(Act::DropProjection { projection: Counts::NAME.to_owned() });
        Self::new(lab, || App::new("bench.counts").projection::<Counts>(), Counts::NAME, again, events)
    }

    fn new(
        lab: &Lab,
        app: fn() -> App,
        name: &'static str,
        again: fn() -> anyhow::Result<Act>,
        events: u64,
    ) -> Self {
        Self { lab: lab.clone(), app, name, again, end: Position::new(events), events, done: 0 }
    }

    async fn follow(&mut self) -> anyhow::Result<Round> {
        if self.done > 0 {
            self.begin_again().await?;
        }
        self.done += 1;
        HANDLED.store(0, Ordering::Relaxed);
        let (Lab { bus, host, .. }, former) = (&self.lab, self.progress());
        let begin = Instant::now();
        let app = (self.app)().group(bus, host, Policy::default());
        let supervisor = Supervisor::start(Group::new("bench", Policy::default()).child(app));
        let reached = timeout(PATIENCE, self.has_reached_the_end(former)).await;
        let took = begin.elapsed();
        supervisor.shut_down().await;
        reached.with_context(|| format!("{} does not come to the end of the log", self.name))?;
        let handled = HANDLED.load(Ordering::Relaxed);
        let is_handler = self.name == Counter::NAME;
        ensure!(!is_handler || handled == self.events, "{handled} events were handled, not {}", self.events);
        Ok(Round { units: self.events, took, latencies: Vec::new() })
    }

    fn progress(&self) -> Option<Progress> {
        self.lab.bus.progress().into_iter().find(|progress| progress.name == self.name)
    }

    /// Waits until it has, by what is told anew: what was told in the round before stays until then.
    async fn has_reached_the_end(&self, former: Option<Progress>) {
        let mut changes = self.lab.bus.changes_of_routes();
        loop {
            changes.mark_unchanged();
            let is_former = |one: &Progress| {
                former.as_ref().is_some_and(|former| one.stand.position.same_channel(&former.stand.position))
            };
            if let Some(mut progress) = self.progress().filter(|one| !is_former(one))
                && progress.stand.position.wait_for(|reached| *reached >= self.end).await.is_ok()
            {
                return;
            }
            drop(changes.changed().await);
        }
    }

    async fn begin_again(&self) -> anyhow::Result<()> {
        let id = fresh_id();
        let perform = Perform { id: EventId(id), act: (self.again)()?, metadata: Metadata::correlated(id) };
        self.lab.bus.store().perform(perform).await?;
        Ok(())
    }
}

impl Subject for Following {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(self.follow())
    }
}

impl EventHandler for Counter {
    const NAME: &'static str = "bench.counter";
    type Event = Logged;
    type Error = Infallible;

    async fn init(_: &HandlerStart) -> Result<Self, Infallible> {
        Ok(Self)
    }

    async fn handle(&mut self, _: Logged, _: &HandlerContext) -> Result<(), Infallible> {
        HANDLED.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Document for Copy {
    const COLLECTION: &'static str = "bench.copies";
}

impl Projection for Copies {
    const NAME: &'static str = "bench.copies";
    type Event = Logged;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<Copy>()]
    }

    fn project(event: Logged, recorded: &RecordedEvent, changes: &mut Changes) {
        changes.put(format!("{}/{}", recorded.stream, recorded.version), Copy(event.entry()));
    }
}

impl Projection for Counts {
    const NAME: &'static str = "bench.counts";
    type Event = Logged;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<Count>()]
    }

    fn project(event: Logged, recorded: &RecordedEvent, changes: &mut Changes) {
        changes.modify(recorded.stream.as_str(), |count: Option<Count>| {
            let events = count.map_or(0, |count| count.events) + 1;
            Some(Count { events, last: event.entry() })
        });
    }
}
