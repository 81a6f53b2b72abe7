//! The runner with real actix Systems, threads and (short) real time. Every wait is for a condition.

mod actors;
mod log;
mod places;
mod restarts;
mod rosters;
mod starting_and_stopping;
mod tasks;
mod threads;

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::bail;
use tokio::sync::Notify;

use crate::{
    Backoff, Group, Heartbeat, Intensity, Outcome, Policy, State, Supervisor, Tree, TreeNode, Worker,
};

/// Longer than any test takes; a test that waits in vain fails by it instead of hanging.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a test on an actix System of its own.
fn run(test: impl Future<Output = ()>) {
    actix::System::new().block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("in time") });
}

/// A policy in a hurry, without heartbeats.
fn brisk() -> Policy {
    Policy {
        intensity: Intensity { max_restarts: 3, within: Duration::from_secs(60) },
        backoff: Backoff { min: Duration::from_millis(1), max: Duration::from_millis(10) },
        heartbeat: None,
        ..Policy::default()
    }
}

fn watched() -> Policy {
    let heartbeat = Heartbeat { every: Duration::from_millis(20), limit: Duration::from_millis(500) };
    Policy { heartbeat: Some(heartbeat), ..brisk() }
}

fn node(tree: &TreeNode, path: &str) -> TreeNode {
    tree.find(path).unwrap_or_else(|| panic!("no {path} in\n{tree}")).clone()
}

async fn up(supervisor: &Supervisor) -> Tree {
    let tree = supervisor.tree();
    tree.wait_until_up(PATIENCE).await.unwrap();
    tree
}

/// Waits until the node was started again so often and the tree is up.
async fn restarted(tree: &Tree, path: &str, times: u32) -> TreeNode {
    let seen = tree.wait_until(|tree| tree.is_up() && node(tree, path).restarts >= times).await;
    assert_eq!(node(&seen, path).restarts, times);
    seen
}

/// What happened, in order.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    /// All entries since the last call.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A worker under remote control: journals its starts and stops, fails when told to.
#[derive(Clone, Default)]
struct Puppet {
    journal: Journal,
    fail: Arc<Notify>,
    panic: Arc<Notify>,
    finish: Arc<Notify>,
}

impl Puppet {
    fn in_journal(journal: &Journal) -> Self {
        Self { journal: journal.clone(), ..Self::default() }
    }

    fn worker(&self, name: &str) -> Worker {
        let puppet = self.clone();
        Worker::new(name, move |context| {
            let puppet = puppet.clone();
            async move {
                let name = context.name().rsplit('/').next().unwrap_or_default().to_owned();
                puppet.journal.note(format!("start {name}"));
                context.ready();
                tokio::select! {
                    () = context.stopping() => {}
                    () = puppet.fail.notified() => bail!("{name} was told to fail"),
                    () = puppet.panic.notified() => panic!("{name} was told to panic"),
                    () = puppet.finish.notified() => return Ok(()),
                }
                puppet.journal.note(format!("stop {name}"));
                Ok(())
            }
        })
    }
}
