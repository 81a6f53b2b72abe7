//! What this process knows of the others on its store, and what it tells them of itself. The store's part that carries both words calls
//! what is here; what it has not heard yet may be asked for once, before somebody says that a message has no owner.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use umbel_core::{
    store::{Listener, Process, Reach},
    subscription::NodeId,
};

use crate::{
    edge,
    handle::Bus,
    routes::{Progress, Routes},
};

/// How long somebody waits for the store to say who else is there. It is one small read; a store that takes longer is in trouble, and
/// whoever asks learns that soon enough.
const LOOK_WITHIN: Duration = Duration::from_secs(1);

/// How long a message counts as one that somebody will answer again whose last process has gone: what starting a process anew takes, give
/// or take.
const MISSED_FOR: Duration = Duration::from_secs(30);

/// Another process that takes messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Which one it is. An address may have had another process behind it before.
    pub node: NodeId,
    /// Where it is reached, as it says itself.
    pub address: Arc<str>,
}

/// What kind of message somebody looks for an owner of: a command and a query may have the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Something to be done.
    Command,
    /// Something to be told.
    Query,
}

/// The others, and this process among them.
pub(crate) struct Elsewhere {
    node: NodeId,
    /// Whether there may be others.
    shared: AtomicBool,
    /// Where others reach this process, while they do.
    address: Mutex<Option<String>>,
    listeners: watch::Sender<Arc<[Listener]>>,
    peers: ArcSwap<Vec<Reachable>>,
    /// Counts changes of those.
    changes: watch::Sender<u64>,
    /// What was answered elsewhere a moment ago and is not any more.
    missed: Mutex<Missed>,
    /// Counts choices among several peers, so that each gets its turn.
    turns: AtomicUsize,
    /// Counts the looks that somebody waits for, and those that were taken.
    wanted: watch::Sender<u64>,
    looked: watch::Sender<u64>,
}

/// Messages that nobody answers any more: since when, and where they were answered.
type Missed = HashMap<(Kind, String), (Instant, Arc<str>)>;

/// Another process that takes messages, and which.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reachable {
    pub(crate) peer: Peer,
    commands: HashSet<String>,
    queries: HashSet<String>,
}

impl Reachable {
    /// What it answers.
    fn names(&self) -> impl Iterator<Item = (Kind, &String)> {
        let commands = self.commands.iter().map(|name| (Kind::Command, name));
        commands.chain(self.queries.iter().map(|name| (Kind::Query, name)))
    }

    fn answers(&self, kind: Kind, name: &str) -> bool {
        match kind {
            Kind::Command => self.commands.contains(name),
            Kind::Query => self.queries.contains(name),
        }
    }

    /// Names of what it answers and nobody here does, in order.
    pub(crate) fn beyond(&self, routes: &Routes) -> Vec<String> {
        let beyond = self.names().filter(|(kind, name)| !routes.answers(*kind, name));
        let beyond: BTreeSet<_> = beyond.map(|(_, name)| name.clone()).collect();
        beyond.into_iter().collect()
    }
}

impl Elsewhere {
    pub(crate) fn new() -> Self {
        Self {
            node: NodeId(edge::fresh_id()),
            shared: AtomicBool::new(false),
            address: Mutex::default(),
            listeners: watch::Sender::new(Vec::new().into()),
            peers: ArcSwap::default(),
            changes: watch::Sender::new(0),
            missed: Mutex::default(),
            turns: AtomicUsize::new(0),
            wanted: watch::Sender::new(0),
            looked: watch::Sender::new(0),
        }
    }

    /// Those that say they answer this, in the order in which to try them.
    pub(crate) fn answering(&self, kind: Kind, name: &str) -> Vec<Peer> {
        let mut found = self.who_answers(kind, name);
        if found.len() > 1 {
            let turn = self.turns.fetch_add(1, Ordering::Relaxed) % found.len();
            found.rotate_left(turn);
        }
        found
    }

    /// The same, in no order.
    pub(crate) fn who_answers(&self, kind: Kind, name: &str) -> Vec<Peer> {
        let peers = self.peers.load();
        peers.iter().filter(|one| one.answers(kind, name)).map(|one| one.peer.clone()).collect()
    }

    /// All that take messages.
    pub(crate) fn known(&self) -> Arc<Vec<Reachable>> {
        self.peers.load_full()
    }

    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Where a message was answered until a moment ago that is answered nowhere now, if it was: a process that stops or is started anew takes
    /// so long to be there again.
    pub(crate) fn was_answered(&self, kind: Kind, name: &str) -> Option<Arc<str>> {
        let missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, address) = missed.get(&(kind, name.to_owned()))?;
        (since.elapsed() < MISSED_FOR).then(|| Arc::clone(address))
    }

    fn meet(&self, peers: Vec<Reachable>) {
        let before = self.peers.load_full();
        if *before == peers {
            return;
        }
        let is_answered = |kind, name: &str| peers.iter().any(|one| one.answers(kind, name));
        let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        missed.retain(|(kind, name), (since, _)| since.elapsed() < MISSED_FOR && !is_answered(*kind, name));
        for one in before.iter() {
            for (kind, name) in one.names().filter(|(kind, name)| !is_answered(*kind, name)) {
                missed.insert((kind, name.clone()), (Instant::now(), Arc::clone(&one.peer.address)));
            }
        }
        drop(missed);
        self.peers.store(Arc::new(peers));
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn know(&self, others: Vec<Process>) {
        let (mut listeners, mut peers) = (Vec::new(), Vec::new());
        for Process { node, listeners: theirs, reach } in others {
            listeners.extend(theirs);
            if let Some(Reach { address, commands, queries }) = reach {
                let peer = Peer { node, address: address.into() };
                let (commands, queries) = (commands.into_iter().collect(), queries.into_iter().collect());
                peers.push(Reachable { peer, commands, queries });
            }
        }
        self.meet(peers);
        let listeners = merged(listeners);
        self.listeners.send_if_modified(|known| {
            let is_news = **known != *listeners;
            if is_news {
                *known = listeners.into();
            }
            is_news
        });
    }
}

/// Each once, though several processes run it, maybe in several versions: with all events that one of them listens to.
fn merged(listeners: Vec<Listener>) -> Vec<Listener> {
    let mut by_name = BTreeMap::<_, BTreeSet<_>>::new();
    for Listener { name, events } in listeners {
        by_name.entry(name).or_default().extend(events);
    }
    by_name
        .into_iter()
        .map(|(name, events)| Listener { name, events: events.into_iter().collect() })
        .collect()
}

impl Bus {
    /// Which process this is, to the others on its store.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.elsewhere().node
    }

    /// Whether other processes may be on the same store, as its part says.
    #[must_use]
    pub fn shares_store(&self) -> bool {
        self.elsewhere().shared.load(Ordering::Relaxed)
    }

    /// Says whether other processes may be on the same store. The store calls it when an umbrella is put together.
    pub fn announce_sharing(&self, shared: bool) {
        self.elsewhere().shared.store(shared, Ordering::Relaxed);
    }

    /// What this process tells the others of itself: what runs in it that they wait for, projections and handlers declared strong, and
    /// what it answers, if they reach it.
    #[must_use]
    pub fn process(&self) -> Process {
        let strong = self.progress().into_iter().filter(|progress| progress.strong);
        let events = |progress: &Progress| progress.events.iter().map(|&name| name.to_owned()).collect();
        let mut listeners: Vec<_> = strong
            .map(|progress| Listener { events: events(&progress), name: progress.name.to_owned() })
            .collect();
        listeners.sort();
        let reach = self.reached_here().map(|address| {
            let (commands, queries) = self.routes().names();
            Reach { address, commands, queries }
        });
        Process { node: self.node(), listeners, reach }
    }

    /// Says where others reach this process from now on, or that they do not. Whoever takes their messages calls it.
    pub fn reached_at(&self, address: Option<String>) {
        *self.elsewhere().address.lock().unwrap_or_else(PoisonError::into_inner) = address;
        self.announce_routes();
    }

    /// What other processes on the same store run that callers here wait for, as far as it is known.
    #[must_use]
    pub fn listeners_elsewhere(&self) -> watch::Receiver<Arc<[Listener]>> {
        self.elsewhere().listeners.subscribe()
    }

    /// Where others reach this process, while they do.
    #[must_use]
    pub fn reached_here(&self) -> Option<String> {
        self.elsewhere().address.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells what the other processes on the same store have told. The store calls it now and then.
    pub fn announce_processes(&self, others: Vec<Process>) {
        self.elsewhere().know(others);
    }

    /// Counts the looks at the others that somebody waits for: the store takes one when it changes, and says by [`Bus::announce_look`]
    /// that it has.
    #[must_use]
    pub fn looks_wanted(&self) -> watch::Receiver<u64> {
        self.elsewhere().wanted.subscribe()
    }

    /// A look was taken, or failed, that began when so many were wanted.
    pub fn announce_look(&self, wanted: u64) {
        self.elsewhere().looked.send_if_modified(|looked| {
            let is_more = wanted > *looked;
            *looked = wanted.max(*looked);
            is_more
        });
    }

    /// Lets the store say who else is there, unless nobody would ask it.
    pub(crate) async fn look_elsewhere(&self, deadline: Instant) {
        let Elsewhere { wanted, looked, .. } = self.elsewhere();
        if wanted.receiver_count() == 0 {
            return;
        }
        let mut looked = looked.subscribe();
        let mut mine = 0;
        wanted.send_modify(|wanted| {
            *wanted += 1;
            mine = *wanted;
        });
        let by = deadline.min(Instant::now() + LOOK_WITHIN);
        // In vain is as good as not yet: what is known by then counts.
        drop(timeout_at(by, looked.wait_for(|looked| *looked >= mine)).await);
    }
}
