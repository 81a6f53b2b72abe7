//! The runner's side of a node: what it writes there, and how that looks at one moment.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use super::{Kind, State, Tree, TreeNode};
use crate::policy::Restart;
use crate::spec::{Child, Group};

/// The runner's side of one node.
pub(crate) struct Node {
    pub(crate) path: Arc<str>,
    pub(crate) children: Vec<Arc<Node>>,
    /// Those that come and go, in the order in which they came.
    members: Mutex<Vec<Arc<Node>>>,
    name: String,
    kind: Kind,
    restart: Restart,
    status: Mutex<Status>,
    changes: Arc<watch::Sender<u64>>,
}

struct Status {
    state: State,
    up_since: Option<Instant>,
    restarts: u32,
    last_cause: Option<String>,
    abandoned: u32,
    panics: u32,
    last_panic: Option<String>,
}

impl Status {
    const fn new() -> Self {
        Self {
            state: State::Starting,
            up_since: None,
            restarts: 0,
            last_cause: None,
            abandoned: 0,
            panics: 0,
            last_panic: None,
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.up_since = (state == State::Up).then(Instant::now);
    }
}

impl Node {
    pub(super) fn of(child: &Child, parent: &str, changes: &Arc<watch::Sender<u64>>) -> Arc<Self> {
        let path: Arc<str> =
            if parent.is_empty() { child.name().into() } else { format!("{parent}/{}", child.name()).into() };
        let (kind, children) = match child {
            Child::Worker(_) => (Kind::Worker, Vec::new()),
            Child::Group(group) => {
                (Kind::Group, group.children.iter().map(|below| Self::of(below, &path, changes)).collect())
            }
            Child::Roster(_) => (Kind::Group, Vec::new()),
        };
        Arc::new(Self {
            path,
            children,
            members: Mutex::default(),
            name: child.name().to_owned(),
            kind,
            restart: child.restart_kind(),
            status: Mutex::new(Status::new()),
            changes: Arc::clone(changes),
        })
    }

    /// A group that comes gets its place below this one, that of the one before of its name.
    pub(crate) fn place(&self, group: &Group) -> (Tree, Arc<Self>) {
        let node = Self::of(&Child::Group(group.clone()), &self.path, &self.changes);
        let mut members = self.members();
        members.retain(|member| member.name != node.name);
        members.push(Arc::clone(&node));
        drop(members);
        self.changes.send_modify(|version| *version += 1);
        (Tree { root: Arc::clone(&node), changes: Arc::clone(&self.changes) }, node)
    }

    /// One that came is gone.
    pub(crate) fn remove(&self, gone: &Arc<Self>) {
        self.members().retain(|member| !Arc::ptr_eq(member, gone));
        self.changes.send_modify(|version| *version += 1);
    }

    /// It has come to another point of its life.
    pub(crate) fn enter(&self, state: State) {
        self.change(|status| status.enter(state));
    }

    /// It has come there because of this.
    pub(crate) fn enter_because(&self, state: State, cause: &str) {
        self.change(|status| {
            status.enter(state);
            status.last_cause = Some(cause.to_owned());
        });
    }

    /// It is going to be started again because of this; how often it was by now.
    pub(crate) fn restart_because(&self, cause: &str) -> u32 {
        self.change(|status| {
            status.enter(State::Restarting);
            status.restarts += 1;
            status.last_cause = Some(cause.to_owned());
            status.restarts
        })
    }

    /// An incarnation was left behind because of this; how often one was by now.
    pub(crate) fn abandon_because(&self, cause: &str) -> u32 {
        self.change(|status| {
            status.enter(State::Abandoned);
            status.abandoned += 1;
            status.last_cause = Some(cause.to_owned());
            status.abandoned
        })
    }

    /// There was a panic on one of its threads. Called by the thread that panics, so nothing here may panic itself.
    pub(crate) fn note_panic(&self, what: &str) {
        self.change(|status| {
            status.panics = status.panics.saturating_add(1);
            status.last_panic = Some(what.to_owned());
        });
    }

    /// Paths of this node and those below it that were abandoned, in the declared order.
    pub(crate) fn abandoned(&self) -> Vec<String> {
        let own = (self.status().state == State::Abandoned).then(|| self.path.to_string());
        own.into_iter().chain(self.below().iter().flat_map(|child| child.abandoned())).collect()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Status) -> T) -> T {
        let changed = change(&mut self.status());
        self.changes.send_modify(|version| *version += 1);
        changed
    }

    pub(super) fn snapshot(&self) -> TreeNode {
        let children = self.below().iter().map(|child| child.snapshot()).collect();
        let status = self.status();
        TreeNode {
            name: self.name.clone(),
            kind: self.kind,
            restart: self.restart,
            state: status.state,
            up_ms: status
                .up_since
                .map(|since| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)),
            restarts: status.restarts,
            last_cause: status.last_cause.clone(),
            abandoned: status.abandoned,
            panics: status.panics,
            last_panic: status.last_panic.clone(),
            children,
        }
    }

    /// Those directly below it.
    fn below(&self) -> Vec<Arc<Self>> {
        self.children.iter().chain(&*self.members()).cloned().collect()
    }

    fn members(&self) -> MutexGuard<'_, Vec<Arc<Self>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each change under the lock is whole, so a panic elsewhere cannot have left half of one.
    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
