//! The top of the tree: starts it, stops it, says how it ended.

use std::future::Future;
use std::sync::Arc;

use actix::Arbiter;
use tokio::sync::watch;

use crate::exit::Exit;
use crate::group;
use crate::panics::{self, install_panic_hook};
use crate::spec::Group;
use crate::tree::{Node, State, Tree};
use crate::worker::Signals;

/// A handle to a running tree. Clones are handles to the same tree; dropping them does not stop it.
#[derive(Clone)]
pub struct Supervisor {
    tree: Tree,
    root: Arc<Node>,
    stop: watch::Sender<bool>,
    outcome: watch::Receiver<Option<Outcome>>,
}

/// How the tree ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was told to, and every worker has stopped.
    Stopped,
    /// It was told to, and these workers had not stopped at their deadlines. What they held may not be released, and
    /// what they had in flight may not have ended.
    Abandoned {
        /// The workers' paths, in the declared order.
        paths: Vec<String>,
    },
    /// A failure that restarts did not cure, beyond the intensity of every group above it.
    Escalated {
        /// The worker (or group) that failed.
        path: String,
        /// Why, and who gave up on it.
        cause: String,
    },
    /// A worker did not come up the first time.
    FailedToStart {
        /// The worker that failed.
        path: String,
        /// Why.
        cause: String,
    },
}

impl Supervisor {
    /// Starts the tree on the current actix System and returns at once; [`Tree::wait_until_up`] waits for it.
    ///
    /// Supervision itself runs on a thread of its own. Siblings must have different names.
    ///
    /// # Panics
    /// When there is no actix System on this thread, or the thread cannot be started.
    pub fn start(root: Group) -> Self {
        install_panic_hook();
        let (tree, node) = Tree::of(&root);
        panics::adopt(&node);
        let (stop, stop_seen) = watch::channel(false);
        let (report, outcome) = watch::channel(None);
        let supervisor = Self { tree, root: Arc::clone(&node), stop: stop.clone(), outcome };
        let run = async move || {
            let (ready, was_up) = watch::channel(false);
            let exit = group::run(root, Arc::clone(&node), Signals { ready, stop: stop_seen }, true).await;
            report.send_replace(Some(conclude(&node, exit, *was_up.borrow())));
            // Kept until here, so that handles may be dropped without stopping the tree.
            drop(stop);
            Arbiter::current().stop();
        };
        Arbiter::new().spawn_fn(move || {
            actix::spawn(run());
        });
        supervisor
    }

    /// The tree, to look at.
    pub fn tree(&self) -> Tree {
        self.tree.clone()
    }

    /// Orders the tree to stop, at once: children in reverse order, each worker within its group's `stop_within`. The
    /// future resolves when it has ended; it need not be awaited for the order to take effect.
    pub fn shut_down(&self) -> impl Future<Output = Outcome> + Send + 'static + use<> {
        self.stop.send_replace(true);
        self.finished()
    }

    /// Resolves when the tree has ended, however it did.
    pub fn finished(&self) -> impl Future<Output = Outcome> + Send + 'static + use<> {
        let mut outcome = self.outcome.clone();
        let root = Arc::clone(&self.root.path);
        async move {
            let ended = outcome.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
            ended.unwrap_or_else(|| Outcome::Escalated {
                path: root.to_string(),
                cause: "the actix System was stopped under the supervisor".to_owned(),
            })
        }
    }
}

/// How what was told to stop has ended.
pub(crate) fn outcome_of_stop(node: &Node) -> Outcome {
    let paths = node.abandoned();
    if paths.is_empty() { Outcome::Stopped } else { Outcome::Abandoned { paths } }
}

fn conclude(root: &Node, exit: Exit, was_up: bool) -> Outcome {
    match exit {
        Exit::Done => {
            root.enter(State::Stopped);
            outcome_of_stop(root)
        }
        Exit::Failed(failure) | Exit::Lost(failure) => {
            root.enter_because(State::Failed, &failure.told_about(&root.path));
            let (path, cause) = (failure.path.to_string(), failure.cause);
            if was_up { Outcome::Escalated { path, cause } } else { Outcome::FailedToStart { path, cause } }
        }
    }
}
