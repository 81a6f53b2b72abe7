//! Groups that come and go while the tree runs: the list that says which, and the runner that obeys it.
//!
//! What is on the list is wanted, and the runner sees to it; so no order can be lost, and nobody waits for another's start or end.

use std::future::{Future, pending};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::context::Stopping;
use crate::decision::{Decider, Jitter, Verdict};
use crate::exit::{Exit, Failure};
use crate::group::{self, fresh_jitter, note_restart};
use crate::policy::{Policy, Restart};
use crate::spec::Group;
use crate::supervisor::{Outcome, outcome_of_stop};
use crate::tree::{Node, State, Tree};
use crate::worker::Signals;

/// A child of the tree whose own children, all of them groups, are added and removed while it runs. Clones are the same.
///
/// Each is [`Restart::Independent`]: it starts beside the others, whatever becomes of it takes nobody along, and it is started again for
/// as long as it takes, with pauses by the roster's policy. They stop at once, side by side. The roster itself is up without any.
#[derive(Clone)]
pub struct Roster {
    pub(crate) name: String,
    policy: Policy,
    list: Arc<List>,
}

/// A group of that name is there already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is a group called {name} already")]
pub struct Taken {
    /// The name.
    pub name: String,
}

/// Who is wanted.
#[derive(Default)]
struct List {
    members: Mutex<Vec<Member>>,
    /// Wakes the runner: the list is another one, or somebody on it or off it has ended.
    changed: Notify,
}

struct Member {
    group: Group,
    /// The same one is the same member.
    stand: Arc<watch::Sender<Stand>>,
}

/// How far a member has come.
#[derive(Clone)]
enum Stand {
    /// The runner has not seen it yet.
    Listed,
    /// It has a place in the tree.
    Placed(Tree),
    /// It is gone.
    Ended(Outcome),
}

/// A member in the hands of the runner.
struct Life {
    name: String,
    stand: Arc<watch::Sender<Stand>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Roster {
    /// An empty one.
    pub fn new(name: impl Into<String>, policy: Policy) -> Self {
        Self { name: name.into(), policy, list: Arc::default() }
    }

    /// Adds a group. It is started at once if the tree runs, otherwise with it; after one of the same name that is still stopping.
    ///
    /// # Errors
    /// When there is one of that name.
    pub fn add(&self, group: Group) -> Result<(), Taken> {
        let mut members = self.list.members();
        if members.iter().any(|member| member.group.name == group.name) {
            return Err(Taken { name: group.name });
        }
        let group = group.restart(Restart::Independent);
        members.push(Member { group, stand: Arc::new(watch::Sender::new(Stand::Listed)) });
        self.list.changed.notify_one();
        Ok(())
    }

    /// Stops a group and forgets it, at once; the future resolves when it is gone and need not be awaited for that. `None` if there is
    /// none of that name.
    pub fn remove(&self, name: &str) -> impl Future<Output = Option<Outcome>> + Send + 'static + use<> {
        let removed = self.list.remove(name);
        async move {
            let (mut stand, was_placed) = removed?;
            if !was_placed {
                return Some(Outcome::Stopped);
            }
            let ended = stand.wait_for(|stand| matches!(stand, Stand::Ended(_))).await;
            Some(match ended.as_deref() {
                Ok(Stand::Ended(outcome)) => outcome.clone(),
                // Nobody is left who would hold it.
                _ => Outcome::Stopped,
            })
        }
    }

    /// The part of the tree that is a group's, once it has its place there; `None` if there is none of that name, or no more.
    pub fn tree(&self, name: &str) -> impl Future<Output = Option<Tree>> + Send + 'static + use<> {
        let stand = self.list.find(name);
        async move {
            match &*stand?.wait_for(|stand| !matches!(stand, Stand::Listed)).await.ok()? {
                Stand::Placed(tree) => Some(tree.clone()),
                Stand::Listed | Stand::Ended(_) => None,
            }
        }
    }
}

impl List {
    fn find(&self, name: &str) -> Option<watch::Receiver<Stand>> {
        let members = self.members();
        members.iter().find(|member| member.group.name == name).map(|member| member.stand.subscribe())
    }

    /// Takes one off; how it stands, and whether it has, or had, a place in the tree.
    fn remove(&self, name: &str) -> Option<(watch::Receiver<Stand>, bool)> {
        let mut members = self.members();
        let index = members.iter().position(|member| member.group.name == name)?;
        let stand = members.remove(index).stand.subscribe();
        self.changed.notify_one();
        let was_placed = !matches!(*stand.borrow(), Stand::Listed);
        Some((stand, was_placed))
    }

    /// Each change under the lock is whole, so a panic elsewhere cannot have left half of one.
    fn members(&self) -> MutexGuard<'_, Vec<Member>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Life {
    fn has_ended(&self) -> bool {
        matches!(*self.stand.borrow(), Stand::Ended(_))
    }
}

/// Runs whatever is on the list until it is told to stop. Fails only with what no restart of a group helps.
pub(crate) fn run(roster: Roster, node: Arc<Node>, signals: Signals) -> LocalBoxFuture<'static, Exit> {
    async move {
        let (mut lives, mut stopping) = (Vec::new(), Stopping::new(signals.stop));
        let (incurable, mut failed) = watch::channel(None);
        let mut exit = Exit::Done;
        roster.obey_list(&node, &mut lives, &incurable);
        node.enter(State::Up);
        tracing::info!(path = &*node.path, "up");
        signals.ready.send_replace(true);
        loop {
            tokio::select! {
                biased;
                () = &mut stopping => break,
                failure = next_failure(&mut failed) => {
                    exit = Exit::Failed(failure);
                    break;
                }
                () = roster.list.changed.notified() => roster.obey_list(&node, &mut lives, &incurable),
            }
        }
        node.enter(State::Stopping);
        for life in &lives {
            life.stop.send_replace(true);
        }
        for life in lives {
            // A panic of the supervision itself is logged where it happens; it shall not keep the others.
            drop(life.task.await);
        }
        exit
    }
    .boxed_local()
}

impl Roster {
    /// Starts those who are new on the list, and tells those to stop who no longer are. Under the list's lock, so that who is removed
    /// either has a place by then or gets none.
    fn obey_list(&self, node: &Arc<Node>, lives: &mut Vec<Life>, incurable: &watch::Sender<Option<Failure>>) {
        let members = self.list.members();
        lives.retain(|life| !life.has_ended());
        for life in &*lives {
            if !members.iter().any(|member| Arc::ptr_eq(&member.stand, &life.stand)) {
                life.stop.send_replace(true);
            }
        }
        for member in &*members {
            if lives.iter().all(|life| life.name != member.group.name) {
                lives.push(self.start(member, node, incurable.clone()));
            }
        }
    }

    fn start(&self, member: &Member, parent: &Arc<Node>, incurable: watch::Sender<Option<Failure>>) -> Life {
        let (tree, node) = parent.place(&member.group);
        member.stand.send_replace(Stand::Placed(tree));
        let (stop, stop_seen) = watch::channel(false);
        let decider = Decider::new(
            self.policy.strategy,
            self.policy.intensity,
            self.policy.backoff,
            vec![Restart::Independent],
        );
        let (list, parent) = (Arc::clone(&self.list), Arc::clone(parent));
        let (group, stand) = (member.group.clone(), Arc::clone(&member.stand));
        let task = actix::spawn(async move {
            // What it was made of goes with it, before whoever waits for its end learns of that.
            if let Some(failure) = live(group, &node, stop_seen, decider).await {
                incurable.send_replace(Some(failure));
            }
            // What ends with the tree stays to be looked at.
            if !list.members().iter().any(|member| Arc::ptr_eq(&member.stand, &stand)) {
                parent.remove(&node);
            }
            stand.send_replace(Stand::Ended(outcome_of_stop(&node)));
            list.changed.notify_one();
        });
        Life { name: member.group.name.clone(), stand: Arc::clone(&member.stand), stop, task }
    }
}

async fn next_failure(failed: &mut watch::Receiver<Option<Failure>>) -> Failure {
    match failed.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(failure)) => failure.clone(),
        // The runner itself can tell of one.
        _ => pending().await,
    }
}

/// Runs a group, again and again, until it is told to stop, or has failed with what no restart helps.
async fn live(
    group: Group,
    node: &Arc<Node>,
    mut stop: watch::Receiver<bool>,
    mut decider: Decider,
) -> Option<Failure> {
    let (began, mut has_been_up) = (Instant::now(), false);
    loop {
        let (ready, was_ready) = watch::channel(false);
        let signals = Signals { ready, stop: stop.clone() };
        // As a task of its own, so that a panic of its runner is its failure.
        let run = actix::spawn(group::run(group.clone(), Arc::clone(node), signals, !has_been_up));
        let failure = match run.await {
            Ok(Exit::Done) => {
                node.enter(State::Stopped);
                return None;
            }
            Ok(Exit::Failed(failure) | Exit::Lost(failure)) => failure,
            Err(error) => Failure::of(&node.path, error.to_string()),
        };
        has_been_up |= *was_ready.borrow();
        let cause = failure.told_about(&node.path);
        let jitter = Jitter(fresh_jitter());
        let verdict = decider.judge(&[0], failure.ending, began.elapsed(), jitter);
        // By its kind it is started again whenever that may help.
        let Verdict::Restart { after, .. } = verdict else {
            node.enter_because(State::Failed, &cause);
            return Some(failure);
        };
        note_restart(node, &cause, after);
        tokio::select! {
            () = sleep(after) => {}
            _ = stop.wait_for(|ordered| *ordered) => {
                node.enter(State::Stopped);
                return None;
            }
        }
    }
}
