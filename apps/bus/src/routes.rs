//! The routing table: an immutable snapshot of who answers what.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::Arc,
};

use actix::Recipient;
use tokio::sync::{Semaphore, watch};
use umbel_core::{Command, Position, Query, Request};

use crate::{
    ask::Ask,
    dispatch::Dispatch,
    elsewhere::Kind,
    encoded::{AskEncoded, DispatchEncoded, ask_encoded, dispatch_encoded},
    envelope::{Envelope, SendError},
};

/// All routes at one moment. Replaced as a whole, so that readers never wait.
#[derive(Clone, Default)]
pub(crate) struct Routes {
    requests: HashMap<TypeId, Route>,
    /// Commands by their wire names.
    commands: HashMap<&'static str, NamedCommand>,
    /// Queries by theirs.
    queries: HashMap<&'static str, NamedQuery>,
    pub(crate) progress: Vec<Progress>,
    #[cfg(feature = "faults")]
    pub(crate) faults: HashMap<Arc<str>, Fault>,
}

/// Where panics are injected, and which.
#[cfg(feature = "faults")]
#[derive(Clone)]
pub(crate) struct Fault {
    pub(crate) owner: Arc<str>,
    pub(crate) recipient: Recipient<crate::InjectPanic>,
    pub(crate) what: crate::InjectPanic,
}

/// How a command is dispatched by its wire name.
#[derive(Clone)]
struct NamedCommand {
    owner: Arc<str>,
    /// What it is called today.
    name: &'static str,
    dispatch: DispatchEncoded,
}

/// How a query is asked by its wire name.
#[derive(Clone)]
struct NamedQuery {
    owner: Arc<str>,
    ask: AskEncoded,
}

#[derive(Clone)]
struct Route {
    request: &'static str,
    owner: Arc<str>,
    /// A `Recipient<Envelope<R>>` for the `R` whose type id is the key.
    recipient: Arc<dyn Any + Send + Sync>,
    /// Places in the owner's mailbox.
    places: Arc<Semaphore>,
}

/// Where requests of type `R` go.
pub(crate) struct Destination<'a, R: Request> {
    pub(crate) owner: &'a Arc<str>,
    pub(crate) recipient: &'a Recipient<Envelope<R>>,
    /// Places in the owner's mailbox. An actix mailbox takes one message more for every concurrent sender,
    /// whatever its capacity; so the bound is kept here.
    pub(crate) places: &'a Arc<Semaphore>,
}

/// How far one projection or handler of events has come, for those who wait for it.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The component that owns it, as in its [`RouteSet`].
    pub owner: Arc<str>,
    /// Its name.
    pub name: &'static str,
    /// Whether it is waited for where strong consistency is asked for.
    pub strong: bool,
    /// Names of the events it listens to.
    pub events: &'static [&'static str],
    /// Where it stands.
    pub stand: Stand,
}

/// Where a projection or a handler stands, as it tells itself.
#[derive(Clone, Debug)]
pub struct Stand {
    /// Everything up to here has had its effect.
    pub position: watch::Receiver<Position>,
    /// What keeps it from going on, while something does; it tries again by itself.
    pub held_up: watch::Receiver<Option<String>>,
    /// What is to be told of it besides, though nobody is served worse for it: that a newer version of it serves, or that what is to take
    /// its place cannot be built.
    pub beside: watch::Receiver<Option<String>>,
    /// Whether other nodes do a part of its work. Then what they have done shows in the store first: in the checkpoints of the
    /// subscription with its name.
    pub elsewhere: watch::Receiver<bool>,
}

/// What one component answers; registered as a whole, replacing what that component had before.
#[derive(Clone)]
pub struct RouteSet {
    pub(crate) owner: Arc<str>,
    requests: Vec<(TypeId, Route)>,
    commands: Vec<(&'static str, NamedCommand)>,
    queries: Vec<(&'static str, NamedQuery)>,
    progress: Vec<Progress>,
    /// Places in the component's mailbox, none yet: the bus knows how many there are.
    places: Arc<Semaphore>,
    #[cfg(feature = "faults")]
    faults: Vec<(Arc<str>, Fault)>,
}

/// Why routes were not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Another component answers this already. There is exactly one owner per kind of request.
    #[error("{request} is owned by {owner} already, so {rival} cannot own it too")]
    Owned {
        /// The request's name.
        request: &'static str,
        /// Who owns it.
        owner: String,
        /// Who wanted it.
        rival: String,
    },
    /// The bus actor is not running.
    #[error("the bus is not running")]
    Unavailable,
}

impl RouteSet {
    /// The routes of the component with this name, such as `accounts/account`.
    pub fn new(owner: impl Into<Arc<str>>) -> Self {
        Self {
            owner: owner.into(),
            requests: Vec::new(),
            commands: Vec::new(),
            queries: Vec::new(),
            progress: Vec::new(),
            places: Arc::new(Semaphore::new(0)),
            #[cfg(feature = "faults")]
            faults: Vec::new(),
        }
    }

    /// The component answers requests of type `R`.
    #[must_use]
    pub fn answers<R: Request>(mut self, recipient: Recipient<Envelope<R>>) -> Self {
        let route = Route {
            request: R::NAME,
            owner: Arc::clone(&self.owner),
            recipient: Arc::new(recipient),
            places: Arc::clone(&self.places),
        };
        self.requests.push((TypeId::of::<R>(), route));
        self
    }

    /// The component carries out commands of type `C`, whether dispatched as values or by their wire name, one of the past included.
    #[must_use]
    pub fn carries_out<C: Command>(mut self, recipient: Recipient<Envelope<Dispatch<C>>>) -> Self {
        let dispatch = dispatch_encoded::<C>;
        let named = NamedCommand { owner: Arc::clone(&self.owner), name: C::NAME, dispatch };
        let names = [C::NAME].into_iter().chain(C::FORMERLY.iter().copied());
        self.commands.extend(names.map(|name| (name, named.clone())));
        self.answers::<Dispatch<C>>(recipient)
    }

    /// The component answers queries of type `Q`, whether asked as values or by their wire name.
    #[must_use]
    pub fn answers_query<Q: Query>(mut self, recipient: Recipient<Envelope<Ask<Q>>>) -> Self {
        let named = NamedQuery { owner: Arc::clone(&self.owner), ask: ask_encoded::<Q> };
        self.queries.push((Q::NAME, named));
        self.answers::<Ask<Q>>(recipient)
    }

    /// The component runs this projection.
    #[must_use]
    pub fn projects(
        self,
        projection: &'static str,
        events: &'static [&'static str],
        position: watch::Receiver<Position>,
        held_up: watch::Receiver<Option<String>>,
    ) -> Self {
        let (beside, elsewhere) = (watch::channel(None).1, watch::channel(false).1);
        let stand = Stand { position, held_up, beside, elsewhere };
        self.follows(projection, true, events, stand)
    }

    /// The component runs this handler of events, or has a share in it.
    #[must_use]
    pub fn follows(
        mut self,
        name: &'static str,
        strong: bool,
        events: &'static [&'static str],
        stand: Stand,
    ) -> Self {
        let owner = Arc::clone(&self.owner);
        self.progress.push(Progress { owner, name, strong, events, stand });
        self
    }

    /// The component takes injected panics here: for tests of recovery.
    #[cfg(feature = "faults")]
    #[must_use]
    pub fn panics_at(mut self, recipient: Recipient<crate::InjectPanic>) -> Self {
        let owner = Arc::clone(&self.owner);
        let fault = Fault { owner: Arc::clone(&owner), recipient, what: crate::InjectPanic::Here };
        self.faults.push((owner, fault));
        self
    }

    /// The component hands injected panics on to the actors it runs, which are called by this name below its own.
    #[cfg(feature = "faults")]
    #[must_use]
    pub fn panics_below(mut self, part: &str, recipient: Recipient<crate::InjectPanic>) -> Self {
        let (owner, what) = (Arc::clone(&self.owner), crate::InjectPanic::Below);
        self.faults.push((format!("{owner}/{part}").into(), Fault { owner, recipient, what }));
        self
    }
}

impl RouteSet {
    /// Opens the component's mailbox for so many messages at a time.
    pub(crate) fn open_mailbox(&self, capacity: usize) {
        self.places.add_permits(capacity.clamp(1, Semaphore::MAX_PERMITS));
    }
}

impl Routes {
    /// The owner of `R` and its mailbox.
    pub(crate) fn find<R: Request>(&self) -> Option<Destination<'_, R>> {
        let Route { owner, recipient, places, .. } = self.requests.get(&TypeId::of::<R>())?;
        recipient.downcast_ref().map(|recipient| Destination { owner, recipient, places })
    }

    /// How a command of this wire name is dispatched.
    pub(crate) fn command(&self, name: &str) -> Option<DispatchEncoded> {
        self.commands.get(name).map(|named| named.dispatch)
    }

    /// What the command of this wire name is called today.
    pub(crate) fn command_name(&self, name: &str) -> Option<&'static str> {
        self.commands.get(name).map(|named| named.name)
    }

    /// How a query of this wire name is asked.
    pub(crate) fn query(&self, name: &str) -> Option<AskEncoded> {
        self.queries.get(name).map(|named| named.ask)
    }

    /// Whether somebody here answers messages of this wire name.
    pub(crate) fn answers(&self, kind: Kind, name: &str) -> bool {
        match kind {
            Kind::Command => self.commands.contains_key(name),
            Kind::Query => self.queries.contains_key(name),
        }
    }

    /// Wire names of the commands and of the queries, each in order.
    pub(crate) fn names(&self) -> (Vec<String>, Vec<String>) {
        fn sorted<T>(names: &HashMap<&'static str, T>) -> Vec<String> {
            let mut names: Vec<_> = names.keys().map(|&name| name.to_owned()).collect();
            names.sort_unstable();
            names
        }
        (sorted(&self.commands), sorted(&self.queries))
    }

    /// What is answered, and by whom.
    pub(crate) fn owners(&self) -> impl Iterator<Item = (&'static str, &Arc<str>)> {
        self.requests.values().map(|route| (route.request, &route.owner))
    }

    /// The table with these routes in place of what their owner had.
    pub(crate) fn with(&self, set: RouteSet) -> Result<Self, RouteError> {
        let mut routes = self.without(&set.owner);
        for (id, route) in set.requests {
            if let Some(rival) = routes.requests.get(&id) {
                return Err(RouteError::Owned {
                    request: route.request,
                    owner: rival.owner.to_string(),
                    rival: route.owner.to_string(),
                });
            }
            routes.requests.insert(id, route);
        }
        for (name, named) in set.commands {
            if let Some(rival) = routes.commands.get(name) {
                return Err(RouteError::Owned {
                    request: name,
                    owner: rival.owner.to_string(),
                    rival: named.owner.to_string(),
                });
            }
            routes.commands.insert(name, named);
        }
        for (name, named) in set.queries {
            if let Some(rival) = routes.queries.get(name) {
                return Err(RouteError::Owned {
                    request: name,
                    owner: rival.owner.to_string(),
                    rival: named.owner.to_string(),
                });
            }
            routes.queries.insert(name, named);
        }
        routes.progress.extend(set.progress);
        #[cfg(feature = "faults")]
        routes.faults.extend(set.faults);
        Ok(routes)
    }

    /// The table without the routes of this owner.
    pub(crate) fn without(&self, owner: &str) -> Self {
        let mut routes = self.clone();
        routes.requests.retain(|_, route| *route.owner != *owner);
        routes.commands.retain(|_, named| *named.owner != *owner);
        routes.queries.retain(|_, named| *named.owner != *owner);
        routes.progress.retain(|progress| *progress.owner != *owner);
        #[cfg(feature = "faults")]
        routes.faults.retain(|_, fault| *fault.owner != *owner);
        routes
    }
}

impl<R: Request> Destination<'_, R> {
    pub(crate) fn unavailable(&self) -> SendError<R::Error> {
        SendError::Unavailable { request: R::NAME, owner: self.owner.to_string() }
    }

    pub(crate) fn timeout(&self) -> SendError<R::Error> {
        SendError::Timeout { request: R::NAME, owner: self.owner.to_string() }
    }

    pub(crate) fn crashed(&self) -> SendError<R::Error> {
        SendError::Crashed { request: R::NAME, owner: self.owner.to_string() }
    }
}

impl fmt::Debug for RouteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests: Vec<_> = self.requests.iter().map(|(_, route)| route.request).collect();
        f.debug_struct("RouteSet").field("owner", &self.owner).field("requests", &requests).finish()
    }
}
