//! What a domain app is made of, as a declaration.

use std::{fmt, future::Future, sync::Arc};

use umbel_bus::{
    AskError, Bus, DispatchError,
    topics::{SubscriberId, Subscription, TopicHandler, topic_worker},
};
use umbel_core::{Aggregate, Command, Projection, Query, store::Recorded};
use umbel_supervision::{Group, Policy, Worker};

use crate::{
    aggregate,
    event_handler::{self, BatchHandler, EventHandler},
    handler::{command_worker, query_worker},
    handling::Handling,
    projection,
    read_models::ReadModels,
    recorder,
    settings::HostSettings,
};

type Start = Arc<dyn Fn(&str, Bus, &HostSettings) -> Worker + Send + Sync>;

/// A domain app: a name and the components it declares. Each becomes a supervised actor on the app's own thread.
///
/// Recorders and subscribers of topics start first, then projections, then aggregates, then handlers of commands and queries, then
/// handlers of events, each in the order declared, and they stop in reverse: what a handler dispatches to its own app finds its
/// owner until the last handler is done, projections can be waited for by whoever can write, and what they publish at the very end
/// is recorded.
#[derive(Clone)]
pub struct App {
    name: &'static str,
    /// Recorders and subscribers of topics.
    listeners: Vec<Start>,
    projections: Vec<Start>,
    aggregates: Vec<Start>,
    /// Handlers of commands and queries.
    handlers: Vec<Start>,
    event_handlers: Vec<Start>,
}

impl App {
    /// An app without components.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            listeners: Vec::new(),
            projections: Vec::new(),
            event_handlers: Vec::new(),
            aggregates: Vec::new(),
            handlers: Vec::new(),
        }
    }

    /// The app's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Commands in, events out, under an optimistic lock.
    #[must_use]
    pub fn aggregate<A: Aggregate + Unpin>(mut self) -> Self {
        self.aggregates.push(Arc::new(|app, bus, settings| aggregate::worker::<A>(app, bus, settings)));
        self
    }

    /// Events in, documents out, exactly once.
    #[must_use]
    pub fn projection<P: Projection>(mut self) -> Self {
        self.projections.push(Arc::new(|app, bus, settings| projection::worker::<P>(app, bus, settings)));
        self
    }

    /// Events in, side effects out, at least once.
    #[must_use]
    pub fn handler<H: EventHandler>(mut self) -> Self {
        self.event_handlers
            .push(Arc::new(|app, bus, settings| event_handler::worker::<H>(app, bus, settings)));
        self
    }

    /// Batches of events in, side effects out, at least once.
    #[must_use]
    pub fn batch_handler<H: BatchHandler>(mut self) -> Self {
        self.event_handlers
            .push(Arc::new(|app, bus, settings| event_handler::batch_worker::<H>(app, bus, settings)));
        self
    }

    /// Notices of this kind that are published in the process, kept for a while; see [`Recorded`]. One app records a kind;
    /// in two, notices without ids of their own are kept twice.
    #[must_use]
    pub fn record<N: Recorded>(mut self) -> Self {
        self.listeners.push(Arc::new(|_, bus, settings| recorder::worker::<N>(bus, settings)));
        self
    }

    /// Events of transient topics in, whatever the handler does out; `make` makes it, also anew after a panic. See
    /// [`umbel_bus::topics`].
    #[must_use]
    pub fn subscribe<H, F>(mut self, subscription: Subscription, make: F) -> Self
    where
        H: TopicHandler,
        F: Fn(&SubscriberId) -> H + Clone + Send + Sync + 'static,
    {
        self.listeners
            .push(Arc::new(move |_, bus, _| topic_worker(&bus, subscription.clone(), make.clone())));
        self
    }

    /// A command owned by a function instead of an aggregate: for what needs the outside world, or several
    /// aggregates. It does its work by dispatching other commands.
    #[must_use]
    pub fn command<C, F, Fut>(mut self, handler: F) -> Self
    where
        C: Command,
        F: Fn(Handling, C) -> Fut + Clone + Send + Sync + Unpin + 'static,
        Fut: Future<Output = Result<C::Reply, DispatchError<C::Rejection>>> + 'static,
    {
        self.handlers.push(Arc::new(move |app, bus, settings| {
            command_worker::<C, F, Fut>(app, bus, settings, handler.clone())
        }));
        self
    }

    /// A query and the function that answers it from the read models.
    #[must_use]
    pub fn query<Q, F, Fut>(mut self, handler: F) -> Self
    where
        Q: Query,
        F: Fn(ReadModels, Q) -> Fut + Clone + Send + Sync + Unpin + 'static,
        Fut: Future<Output = Result<Q::Answer, AskError>> + 'static,
    {
        self.handlers.push(Arc::new(move |app, bus, settings| {
            query_worker::<Q, F, Fut>(app, bus, settings, handler.clone())
        }));
        self
    }

    /// The app as a branch of the supervision tree.
    #[must_use]
    pub fn group(&self, bus: &Bus, settings: &HostSettings, policy: Policy) -> Group {
        self.workers().fold(Group::new(self.name, policy), |group, start| {
            group.child(start(self.name, bus.clone(), settings))
        })
    }

    /// What it declares, in the order in which they start.
    fn workers(&self) -> impl Iterator<Item = &Start> {
        let before = self.listeners.iter().chain(&self.projections);
        before.chain(&self.aggregates).chain(&self.handlers).chain(&self.event_handlers)
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("name", &self.name).field("components", &self.workers().count()).finish()
    }
}
