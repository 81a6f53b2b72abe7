//! What the tree looks like right now. The runner writes, anybody reads; nothing here decides.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

use crate::policy::Restart;
use crate::spec::{Child, Group};

/// A handle to the tree, valid for as long as anybody holds it, also after the tree has ended.
#[derive(Clone)]
pub struct Tree {
    root: Arc<Node>,
    changes: Arc<watch::Sender<u64>>,
}

/// A node of the tree with everything below it, at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TreeNode {
    /// The name it was given, without its ancestors'.
    pub name: String,
    /// Whether it is a worker or a group.
    pub kind: Kind,
    /// Where it is in its life.
    pub state: State,
    /// How often it has been started again.
    pub restarts: u32,
    /// Why it ended or was restarted the last time, if it ever was.
    pub last_cause: Option<String>,
    /// The children of a group, in the declared order.
    pub children: Vec<TreeNode>,
    #[serde(skip)]
    restart: Restart,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A future on some thread.
    Worker,
    /// A nested supervisor.
    Group,
}

/// Where a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not ready yet.
    Starting,
    /// Ready. For a group: all its children have been, since it was started.
    Up,
    /// Ended, and to be started again.
    Restarting,
    /// Told to stop, and not gone yet.
    Stopping,
    /// Gone: it was told to stop, or was done.
    Stopped,
    /// Gone, and not to be started again by its group.
    Failed,
    /// Told to stop, and did not in time: whatever it does now is no longer watched.
    Abandoned,
}

/// The tree is not up, and either will not be or was not in time.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}:\n{tree}")]
pub struct NotUp {
    /// "ended before it was up" or "not up within ...".
    pub reason: String,
    /// What it looked like then.
    pub tree: Box<TreeNode>,
}

/// The runner's side of one node.
pub(crate) struct Node {
    pub(crate) path: Arc<str>,
    pub(crate) children: Vec<Arc<Node>>,
    name: String,
    kind: Kind,
    restart: Restart,
    status: Mutex<Status>,
    changes: Arc<watch::Sender<u64>>,
}

struct Status {
    state: State,
    restarts: u32,
    last_cause: Option<String>,
}

impl Tree {
    pub(crate) fn of(root: &Group) -> (Self, Arc<Node>) {
        let changes = Arc::new(watch::Sender::new(0));
        let root = Node::of(&Child::Group(root.clone()), "", &changes);
        (Self { root: Arc::clone(&root), changes }, root)
    }

    /// The whole tree at this moment.
    pub fn snapshot(&self) -> TreeNode {
        self.root.snapshot()
    }

    /// Whether every child is up, those aside that ended and by their kind stay down.
    pub fn is_up(&self) -> bool {
        self.snapshot().is_up()
    }

    /// Waits until every child is up.
    ///
    /// # Errors
    /// [`NotUp`] when the deadline passes before that, or the tree ends.
    pub async fn wait_until_up(&self, deadline: Duration) -> Result<(), NotUp> {
        let settled = self.wait_until(|tree| tree.is_up() || tree.has_ended());
        match tokio::time::timeout(deadline, settled).await {
            Ok(tree) if tree.is_up() => Ok(()),
            Ok(tree) => {
                Err(NotUp { reason: "the tree ended before it was up".to_owned(), tree: Box::new(tree) })
            }
            Err(_) => Err(NotUp {
                reason: format!("the tree is not up within {deadline:?}"),
                tree: Box::new(self.snapshot()),
            }),
        }
    }

    /// Waits until the tree looks as `wanted`, for as long as it takes, and returns it as it then was.
    pub async fn wait_until(&self, mut wanted: impl FnMut(&TreeNode) -> bool) -> TreeNode {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            let tree = self.snapshot();
            if wanted(&tree) {
                return tree;
            }
            changes.changed().await.expect("the tree holds the sender itself");
        }
    }
}

impl TreeNode {
    /// The node at a path below this one, such as `accounts/queries`.
    pub fn find(&self, path: &str) -> Option<&TreeNode> {
        path.split('/').try_fold(self, |node, name| node.children.iter().find(|child| child.name == name))
    }

    /// Whether this node and everything below it is up, those aside that ended and by their kind stay down.
    pub fn is_up(&self) -> bool {
        let settled = self.restart != Restart::Permanent && self.has_ended();
        settled || (self.state == State::Up && self.children.iter().all(TreeNode::is_up))
    }

    /// Whether it is gone, or abandoned, and will not come back by itself.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Stopped | State::Failed | State::Abandoned)
    }

    fn write(&self, out: &mut fmt::Formatter<'_>, lead: &str, branch: &str, width: usize) -> fmt::Result {
        let label = format!("{lead}{branch}{}", self.name);
        write!(out, "{label:width$}  {}", self.state)?;
        if self.restarts > 0 {
            write!(out, ", restarts: {}", self.restarts)?;
        }
        if let Some(cause) = &self.last_cause {
            write!(out, ", last cause: {}", cause.lines().next().unwrap_or_default())?;
        }
        let below = match branch {
            "" => lead.to_owned(),
            "`-- " => format!("{lead}    "),
            _ => format!("{lead}|   "),
        };
        for (index, child) in self.children.iter().enumerate() {
            let last = index + 1 == self.children.len();
            writeln!(out)?;
            child.write(out, &below, if last { "`-- " } else { "|-- " }, width)?;
        }
        Ok(())
    }

    /// How wide the column of names must be.
    fn width(&self, depth: usize) -> usize {
        let below = self.children.iter().map(|child| child.width(depth + 1)).max().unwrap_or(0);
        below.max(4 * depth + self.name.chars().count())
    }
}

/// An ASCII tree, a line for each node, without a newline at the end.
impl fmt::Display for TreeNode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(out, "", "", self.width(0))
    }
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        })
    }
}

impl Node {
    fn of(child: &Child, parent: &str, changes: &Arc<watch::Sender<u64>>) -> Arc<Self> {
        let path: Arc<str> =
            if parent.is_empty() { child.name().into() } else { format!("{parent}/{}", child.name()).into() };
        let (kind, children) = match child {
            Child::Worker(_) => (Kind::Worker, Vec::new()),
            Child::Group(group) => {
                (Kind::Group, group.children.iter().map(|below| Self::of(below, &path, changes)).collect())
            }
        };
        Arc::new(Self {
            path,
            children,
            name: child.name().to_owned(),
            kind,
            restart: child.restart_kind(),
            status: Mutex::new(Status { state: State::Starting, restarts: 0, last_cause: None }),
            changes: Arc::clone(changes),
        })
    }

    /// It has come to another point of its life.
    pub(crate) fn enter(&self, state: State) {
        self.change(|status| status.state = state);
    }

    /// It has come there because of this.
    pub(crate) fn enter_because(&self, state: State, cause: &str) {
        self.change(|status| {
            status.state = state;
            status.last_cause = Some(cause.to_owned());
        });
    }

    /// It is going to be started again because of this.
    pub(crate) fn restart_because(&self, cause: &str) {
        self.change(|status| {
            status.state = State::Restarting;
            status.restarts += 1;
            status.last_cause = Some(cause.to_owned());
        });
    }

    /// Paths of this node and those below it that were abandoned, in the declared order.
    pub(crate) fn abandoned(&self) -> Vec<String> {
        let own = (self.status().state == State::Abandoned).then(|| self.path.to_string());
        own.into_iter().chain(self.children.iter().flat_map(|child| child.abandoned())).collect()
    }

    fn change(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status());
        self.changes.send_modify(|version| *version += 1);
    }

    fn snapshot(&self) -> TreeNode {
        let children = self.children.iter().map(|child| child.snapshot()).collect();
        let status = self.status();
        TreeNode {
            name: self.name.clone(),
            kind: self.kind,
            state: status.state,
            restarts: status.restarts,
            last_cause: status.last_cause.clone(),
            children,
            restart: self.restart,
        }
    }

    /// Each change under the lock is whole, so a panic elsewhere cannot have left half of one.
    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
