//! What a domain app is made of, as a declaration.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    future::Future,
    sync::Arc,
};

use futures_util::FutureExt;
use umbel_bus::{
    AskError, Bus, Consistency, DispatchError,
    topics::{SubscriberId, Subscription, TopicHandler, topic_worker},
};
use umbel_core::{
    Aggregate, Boundary, Command, CommandSet, CommandVisitor, Decide, ProcessManager, Projection, Query,
    Timestamp,
    document::Collection,
    process_manager::queue,
    schedule::{Missed, queue_of},
    store::Recorded,
};
use umbel_supervision::{Group, Policy, Worker};
use uuid::Uuid;

use crate::{
    aggregate, boundary,
    event_handler::{self, AppPolicy, BatchHandler, EventHandler, Failure, Verdict},
    handler::{command_worker, query_worker},
    handling::Handling,
    listening::Listening,
    process_manager,
    projection::{self, Committed, Hook},
    read_models::ReadModels,
    recorder,
    schedule::{self, Declared as Recurring},
    settings::HostSettings,
};

/// What a command is called among what can be there only once.
const COMMAND: &str = "command";
/// The same of those that follow the log.
const HANDLER: &str = "handler of events";

type Start = Arc<dyn Fn(&str, Bus, &HostSettings) -> Worker + Send + Sync>;

/// The same of a handler of events, with what is said of the failures of those that do not say.
type StartHandler = Arc<dyn Fn(&str, Bus, &HostSettings, Option<AppPolicy>) -> Worker + Send + Sync>;

/// A domain app: a name and the components it declares. Each becomes a supervised actor on the app's own thread.
///
/// Recorders and subscribers of topics start first, then projections, then aggregates, then handlers of commands and queries, then
/// handlers of events, each in the order declared, at last who carries out scheduled commands, and they stop in reverse: what a handler dispatches to its own app finds its
/// owner until the last handler is done, projections can be waited for by whoever can write, and what they publish at the very end
/// is recorded.
#[derive(Clone)]
pub struct App {
    name: &'static str,
    /// Recorders and subscribers of topics.
    listeners: Vec<Start>,
    projections: Vec<Start>,
    /// What these listen to.
    listening: Vec<Listening>,
    aggregates: Vec<Start>,
    /// Handlers of commands and queries, boundaries among them.
    handlers: Vec<Start>,
    event_handlers: Vec<StartHandler>,
    /// What becomes of events that its handlers cannot handle, where they do not say.
    failures: Option<AppPolicy>,
    recurring: Vec<Recurring>,
    /// What dispatches await of the commands it owns, when they do not say.
    consistency: Option<Consistency>,
    /// The same of its parts, where they say so themselves.
    consistencies: Vec<(&'static str, Consistency)>,
    /// What can be there only once, in the order declared.
    declared: Vec<Declared>,
}

/// Something that has one owner among all apps of an umbrella.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Declared {
    /// What it is, in words.
    kind: &'static str,
    /// Its name, of which there is one in its kind.
    name: &'static str,
    /// Which component of the app declares it.
    by: &'static str,
}

/// Two components that declare the same. Remove one of them, or give it another name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the {kind} {name} is declared twice: by {first} and by {second}; it can have one owner only, so remove one or rename it"
)]
pub struct DeclaredTwice {
    /// What it is.
    pub kind: &'static str,
    /// Its name.
    pub name: &'static str,
    /// App and component that declare it first.
    pub first: String,
    /// App and component that declare it again.
    pub second: String,
}

/// Notes the commands of an aggregate.
struct Commands<'a>(&'a mut Vec<Declared>);

impl App {
    /// An app without components.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            listeners: Vec::new(),
            projections: Vec::new(),
            listening: Vec::new(),
            event_handlers: Vec::new(),
            failures: None,
            aggregates: Vec::new(),
            handlers: Vec::new(),
            recurring: Vec::new(),
            consistency: None,
            consistencies: Vec::new(),
            declared: Vec::new(),
        }
    }

    /// The app's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What its projections listen to, each version of them that it has.
    #[must_use]
    pub fn listening(&self) -> &[Listening] {
        &self.listening
    }

    /// All that another app declares, as part of this one: so that a large app is put together from parts, which may themselves have
    /// parts. Its name counts for nothing. What a part declares is owned and found as if it were declared here; what a part says of all
    /// its commands stays true of these.
    #[must_use]
    pub fn include(mut self, part: Self) -> Self {
        self.consistencies.extend(part.said_consistencies());
        self.listeners.extend(part.listeners);
        self.projections.extend(part.projections);
        self.listening.extend(part.listening);
        self.aggregates.extend(part.aggregates);
        self.handlers.extend(part.handlers);
        self.event_handlers.extend(match part.failures {
            None => part.event_handlers,
            Some(policy) => {
                let bound = part.event_handlers.into_iter().map(|start| {
                    let policy = policy.clone();
                    let start: StartHandler = Arc::new(move |app, bus, settings, _| {
                        start(app, bus, settings, Some(policy.clone()))
                    });
                    start
                });
                bound.collect()
            }
        });
        self.recurring.extend(part.recurring);
        self.declared.extend(part.declared);
        self
    }

    /// What dispatches of the commands that this app owns await, when they do not say: instead of `bus.consistency`.
    ///
    /// ```
    /// use umbel_host::{App, Consistency, DispatchOptions};
    ///
    /// let app = App::new("bank").consistency(Consistency::Strong);
    /// // One that does not wait all the same.
    /// let options = DispatchOptions::default().consistency(Consistency::Eventual);
    /// # drop((app, options));
    /// ```
    #[must_use]
    pub fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = Some(consistency);
        self
    }

    /// What becomes of events that its handlers cannot handle, by error and event, where a handler's options say nothing
    /// ([`HandlerOptions::on_failure`](crate::HandlerOptions::on_failure)) and its [`EventHandler::on_error`] is not its own: instead of
    /// `subscriptions.on_failure`, of which [`Failure::policy`] tells, as [`Failure::by`] tells of others. If it panics, these settings count. Process managers have policies of their own.
    ///
    /// ```
    /// use std::time::Duration;
    /// use umbel_host::{App, Cause, FailurePolicy, Pauses, Verdict};
    ///
    /// let patient = Pauses { min: Duration::from_secs(1), max: Duration::from_secs(60) };
    /// let app = App::new("bank").on_failure(move |failure| match failure.cause {
    ///     Cause::Unreadable(_) => Verdict::Park,
    ///     Cause::Error(error) if error.to_string().contains("gone for good") => Verdict::Skip,
    ///     Cause::Error(error) if error.to_string().contains("away") => failure.by(FailurePolicy::Backoff(patient)),
    ///     _ => failure.policy.clone(),
    /// });
    /// # drop(app);
    /// ```
    #[must_use]
    pub fn on_failure(
        mut self,
        policy: impl Fn(&Failure<'_, dyn fmt::Display>) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        self.failures = Some(Arc::new(policy));
        self
    }

    /// Checks that nothing which can have one owner only is declared twice, within an app, its parts, or among several apps.
    /// An umbrella checks this before it starts anything.
    ///
    /// # Errors
    /// The first that is.
    pub fn check<'a>(apps: impl IntoIterator<Item = &'a Self>) -> Result<(), DeclaredTwice> {
        let mut known: HashMap<_, String> = HashMap::new();
        for app in apps {
            for Declared { kind, name, by } in &app.declared {
                let second = format!("{}/{by}", app.name);
                if let Some(first) = known.insert((*kind, *name), second.clone()) {
                    return Err(DeclaredTwice { kind, name, first, second });
                }
            }
        }
        Ok(())
    }

    /// Commands in, events out, under an optimistic lock.
    #[must_use]
    pub fn aggregate<A: Aggregate + Unpin>(mut self) -> Self {
        let categories = [A::CATEGORY].into_iter().chain(A::FORMERLY.iter().copied());
        categories.for_each(|category| self.declares("aggregate", category, A::CATEGORY));
        self.owns(&A::collections(), A::CATEGORY);
        A::Commands::visit(&mut Commands(&mut self.declared));
        self.aggregates.push(Arc::new(|app, bus, settings| aggregate::worker::<A>(app, bus, settings)));
        self
    }

    /// A command in, events out, if nothing was added to what it was decided by: for rules that concern several streams.
    #[must_use]
    pub fn boundary<B: Boundary>(mut self) -> Self {
        self.declares("command", B::Command::NAME, B::Command::NAME);
        self.handlers.push(Arc::new(|app, bus, settings| boundary::worker::<B>(app, bus, settings)));
        self
    }

    /// Events in, documents out, exactly once.
    #[must_use]
    pub fn projection<P: Projection>(mut self) -> Self {
        self.declares("projection", P::NAME, P::NAME);
        self.owns(&P::collections(), P::NAME);
        self.listening.push(Listening::of::<P>());
        self.projections
            .push(Arc::new(|app, bus, settings| projection::worker::<P>(app, bus, settings, None)));
        self
    }

    /// The same, and `hook` is called after commits, with the events whose effect was committed: for what may be missed, such as telling
    /// caches or open pages that there is something new. What must happen is a handler's, [`App::handler`].
    ///
    /// It is called at most once for each event, whichever node and generation of the projection commits it, and only for live events: for
    /// those behind the head of the log at which the generation began. Events that are replayed to a generation, as when it is built anew,
    /// call nothing; where a generation began is kept with its checkpoint, so a restart or a pause makes no event less live. What fails
    /// between the claim before the commit and the call loses the call. The projection waits for it, `host.projection_hook_ms` at most; a panic is logged.
    #[must_use]
    pub fn projection_then<P, F, Fut>(mut self, hook: F) -> Self
    where
        P: Projection,
        F: Fn(Committed<P::Event>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        self.declares("projection", P::NAME, P::NAME);
        self.owns(&P::collections(), P::NAME);
        self.listening.push(Listening::of::<P>());
        let hook: Hook<P::Event> = Arc::new(move |committed| hook(committed).boxed_local());
        self.projections.push(Arc::new(move |app, bus, settings| {
            projection::worker::<P>(app, bus, settings, Some(Arc::clone(&hook)))
        }));
        self
    }

    /// The rule of an older version of a projection, which is applied to the documents that readers get as long as these are of that version,
    /// here and beside the newer version that is built: so a process that is alone keeps them up to date, and nobody waits for the switch.
    /// After it there is nothing left to do for this rule, and it may be removed. It makes no documents where there are none.
    #[must_use]
    pub fn former_projection<P: Projection>(mut self) -> Self {
        self.listening.push(Listening::of::<P>());
        self.projections.push(Arc::new(|_, bus, settings| projection::former_worker::<P>(bus, settings)));
        self
    }

    /// Events in, side effects out, at least once.
    #[must_use]
    pub fn handler<H: EventHandler>(mut self) -> Self {
        self.declares(HANDLER, H::NAME, H::NAME);
        self.event_handlers.push(Arc::new(|app, bus, settings, failures| {
            event_handler::worker::<H>(app, bus, settings, failures)
        }));
        self
    }

    /// Events in, commands out, with a state of its own and timers; each event's effect exactly once.
    #[must_use]
    pub fn process_manager<P: ProcessManager>(mut self) -> Self {
        // They share the names of subscriptions.
        self.declares(HANDLER, P::NAME, P::NAME);
        self.event_handlers
            .push(Arc::new(|app, bus, settings, _| process_manager::worker::<P>(app, bus, settings)));
        self
    }

    /// Batches of events in, side effects out, at least once.
    #[must_use]
    pub fn batch_handler<H: BatchHandler>(mut self) -> Self {
        self.declares(HANDLER, H::NAME, H::NAME);
        self.event_handlers.push(Arc::new(|app, bus, settings, failures| {
            event_handler::batch_worker::<H>(app, bus, settings, failures)
        }));
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
        names_of::<C>().for_each(|name| self.declares(COMMAND, name, C::NAME));
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
        self.declares("query", Q::NAME, Q::NAME);
        self.handlers.push(Arc::new(move |app, bus, settings| {
            query_worker::<Q, F, Fut>(app, bus, settings, handler.clone())
        }));
        self
    }

    /// A command that is carried out again and again, at the times of a cron expression in UTC, as long as the code says so; `make`
    /// makes it, when the app starts. A time at which the app was down is made up for once it is up; see [`App::recurring_unless_missed`].
    #[must_use]
    pub fn recurring<C: Command>(
        self,
        name: &'static str,
        cron: &'static str,
        make: impl Fn() -> C + Send + Sync + 'static,
    ) -> Self {
        self.recurs(name, Recurring::new(name, cron, Missed::RunOnce, make))
    }

    /// The same, but for times at which the app was down (by more than `schedule.late_after_ms`): those are left out.
    #[must_use]
    pub fn recurring_unless_missed<C: Command>(
        self,
        name: &'static str,
        cron: &'static str,
        make: impl Fn() -> C + Send + Sync + 'static,
    ) -> Self {
        self.recurs(name, Recurring::new(name, cron, Missed::Skip, make))
    }

    /// The app as a branch of the supervision tree.
    #[must_use]
    pub fn group(&self, bus: &Bus, settings: &HostSettings, policy: Policy) -> Group {
        let group = self.workers(bus, settings).fold(Group::new(self.name, policy), Group::child);
        for (command, consistency) in self.said_consistencies() {
            bus.default_consistency([command], &consistency);
        }
        let commands: Vec<_> = self.commands().collect();
        if commands.is_empty() && self.recurring.is_empty() {
            return group;
        }
        let recurring = self.recurring.clone();
        group.child(schedule::worker(self.name, bus.clone(), settings.schedule, &commands, recurring))
    }

    /// The queues of the outbox in which commands for later and timers of its parts wait. For tests that turn the clock.
    pub fn queues(&self) -> impl Iterator<Item = String> {
        self.declared.iter().filter_map(|declared| match declared.kind {
            COMMAND => Some(queue_of(declared.name)),
            HANDLER => Some(queue(declared.name)),
            _ => None,
        })
    }

    /// The ids of its recurring commands that have a time after this moment. For tests that turn the clock.
    pub fn recurring_ids(&self, now: Timestamp) -> impl Iterator<Item = Uuid> {
        self.recurring
            .iter()
            .filter(move |recurring| recurring.check(now).is_ok())
            .map(|recurring| recurring.id)
    }

    fn recurs(mut self, name: &'static str, recurring: Recurring) -> Self {
        self.declares("recurring command", name, name);
        self.recurring.push(recurring);
        self
    }

    /// The names of its commands.
    fn commands(&self) -> impl Iterator<Item = &'static str> {
        self.declared.iter().filter(|declared| declared.kind == COMMAND).map(|one| one.name)
    }

    /// What it and its parts say that dispatches await, by command.
    fn said_consistencies(&self) -> Vec<(&'static str, Consistency)> {
        let of_parts = |command: &'static str| {
            let found = self.consistencies.iter().find(|(said, _)| *said == command);
            found.map(|(_, consistency)| consistency).or(self.consistency.as_ref())
        };
        self.commands().filter_map(|command| Some((command, of_parts(command)?.clone()))).collect()
    }

    fn declares(&mut self, kind: &'static str, name: &'static str, by: &'static str) {
        self.declared.push(Declared { kind, name, by });
    }

    /// Documents that two write by rules of their own are right by neither. What a process manager keeps is not among them: those are
    /// its own by their keys.
    fn owns(&mut self, collections: &[Collection], by: &'static str) {
        let names: BTreeSet<_> = collections.iter().map(|collection| collection.name).collect();
        names.into_iter().for_each(|name| self.declares("collection", name, by));
    }

    /// What it declares as workers, in the order in which they start.
    fn workers<'a>(&'a self, bus: &'a Bus, settings: &'a HostSettings) -> impl Iterator<Item = Worker> + 'a {
        let handlers = self
            .event_handlers
            .iter()
            .map(move |start| start(self.name, bus.clone(), settings, self.failures.clone()));
        self.starts().map(move |start| start(self.name, bus.clone(), settings)).chain(handlers)
    }

    /// All of it but handlers of events.
    fn starts(&self) -> impl Iterator<Item = &Start> {
        let before = self.listeners.iter().chain(&self.projections);
        before.chain(&self.aggregates).chain(&self.handlers)
    }
}

/// The names under which a command may wait.
fn names_of<C: Command>() -> impl Iterator<Item = &'static str> {
    [C::NAME].into_iter().chain(C::FORMERLY.iter().copied())
}

impl<A: Aggregate> CommandVisitor<A> for Commands<'_> {
    fn command<C: Command>(&mut self)
    where
        A: Decide<C>,
    {
        let named = names_of::<C>().map(|name| Declared { kind: COMMAND, name, by: A::CATEGORY });
        self.0.extend(named);
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("name", &self.name)
            .field("components", &(self.starts().count() + self.event_handlers.len()))
            .finish()
    }
}
