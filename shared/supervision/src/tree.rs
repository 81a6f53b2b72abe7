//! What the tree looks like right now. The runner writes, anybody reads; nothing here decides.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::policy::Restart;
use crate::spec::{Child, Group};

mod node;

pub(crate) use node::Node;

/// A handle to the tree, valid for as long as anybody holds it, also after the tree has ended.
#[derive(Clone)]
pub struct Tree {
    root: Arc<Node>,
    changes: Arc<watch::Sender<u64>>,
}

/// A node of the tree with everything below it, at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeNode {
    /// The name it was given, without its ancestors'.
    pub name: String,
    /// Whether it is a worker or a group.
    pub kind: Kind,
    /// When it is started again.
    pub restart: Restart,
    /// Where it is in its life.
    pub state: State,
    /// Milliseconds since it came up, if it is.
    pub up_ms: Option<u64>,
    /// How often it has been started again.
    pub restarts: u32,
    /// Why it ended or was restarted the last time, if it ever was.
    pub last_cause: Option<String>,
    /// How often an incarnation was left behind, because it did not stop, did not get ready, or blocked its thread.
    pub abandoned: u32,
    /// Panics on the node's own threads, whoever was hit and whoever caught them: its workers, what they have spawned, the
    /// blocking work they wait for. A worker on its group's thread has none of its own. The root counts what no node owns, too.
    pub panics: u32,
    /// What the last of them said, and where.
    pub last_panic: Option<String>,
    /// The children of a group, in the declared order.
    pub children: Vec<TreeNode>,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A future on some thread.
    Worker,
    /// A nested supervisor.
    Group,
}

/// Where a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

    /// This node and all below it, each with its name as a branch of an ASCII tree.
    pub fn branches(&self) -> Vec<(String, &TreeNode)> {
        let mut lines = Vec::new();
        self.draw("", "", &mut lines);
        lines
    }

    fn draw<'a>(&'a self, lead: &str, branch: &str, lines: &mut Vec<(String, &'a TreeNode)>) {
        lines.push((format!("{lead}{branch}{}", self.name), self));
        let below = match branch {
            "" => lead.to_owned(),
            "`-- " => format!("{lead}    "),
            _ => format!("{lead}|   "),
        };
        for (index, child) in self.children.iter().enumerate() {
            let last = index + 1 == self.children.len();
            child.draw(&below, if last { "`-- " } else { "|-- " }, lines);
        }
    }

    /// Its state and what has happened to it, on one line.
    fn write(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.state)?;
        if self.restarts > 0 {
            write!(out, ", restarts: {}", self.restarts)?;
        }
        if let Some(cause) = &self.last_cause {
            write!(out, ", last cause: {}", cause.lines().next().unwrap_or_default())?;
        }
        if let Some(panic) = &self.last_panic {
            write!(out, ", panics: {}, last: {}", self.panics, panic.lines().next().unwrap_or_default())?;
        }
        Ok(())
    }
}

/// An ASCII tree, a line for each node, without a newline at the end.
impl fmt::Display for TreeNode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.branches();
        let width = lines.iter().map(|(label, _)| label.chars().count()).max().unwrap_or_default();
        for (index, (label, node)) in lines.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(out, "{end}{label:width$}  ")?;
            node.write(out)?;
        }
        Ok(())
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
