//! The runner of one incarnation of a group: waits for whatever happens to its children, asks the [`Decider`], obeys.
//!
//! Lives on the supervisor's thread, never on its children's. A child's incarnation is a task there; aborting that task
//! abandons the child, so a late report has nowhere to go.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::context::Stopping;
use crate::decision::{Decider, next_start};
use crate::exit::Exit;
use crate::policy::Restart;
use crate::roster;
use crate::spec::{Child, Group};
use crate::thread::Thread;
use crate::tree::{Node, State};
use crate::worker::{self, Signals};

mod ends;
mod waits;

pub(crate) use ends::{fresh_jitter, note_restart};
use waits::{Pulse, Running, becomes_ready, next_exit, passes, pulse};

/// Runs the group until it is told to stop (`Done`), or has failed: beyond its intensity, or when `first_start` is set
/// because a child did not come up the first time. All children are gone then.
pub(crate) fn run(
    group: Group,
    node: Arc<Node>,
    signals: Signals,
    first_start: bool,
) -> LocalBoxFuture<'static, Exit> {
    GroupRun::new(group, node, signals, first_start).run().boxed_local()
}

struct GroupRun {
    group: Group,
    node: Arc<Node>,
    ready: watch::Sender<bool>,
    stopping: Stopping,
    /// While set, a child that fails before it has ever been up fails the group at once.
    first_start: bool,
    decider: Decider,
    /// The decider's time starts here.
    began: Instant,
    /// The thread of the workers that have none of their own, once there is one, and its heartbeat.
    thread: Option<(Thread, Pulse)>,
    /// By child, in the declared order.
    running: Vec<Option<Running>>,
    has_been_up: Vec<bool>,
    /// To be started, each not before its moment.
    pending: BTreeMap<usize, Instant>,
    /// Those that are being started, and until when they must be ready (a group has no deadline of its own: each of its
    /// workers has).
    starting: BTreeMap<usize, Option<Instant>>,
    /// Whose start has failed once: an independent one is then not waited for any more.
    has_failed: Vec<bool>,
}

enum Event {
    StopOrdered,
    Ended(usize, Exit),
    ThreadLost(String),
    Ready(usize),
    Late(usize),
    StartDue,
}

impl GroupRun {
    fn new(group: Group, node: Arc<Node>, signals: Signals, first_start: bool) -> Self {
        let kinds: Vec<Restart> = group.children.iter().map(Child::restart_kind).collect();
        let policy = &group.policy;
        let now = Instant::now();
        Self {
            decider: Decider::new(policy.strategy, policy.intensity, policy.backoff, kinds),
            ready: signals.ready,
            stopping: Stopping::new(signals.stop),
            first_start,
            began: now,
            thread: None,
            running: group.children.iter().map(|_| None).collect(),
            has_been_up: vec![false; group.children.len()],
            pending: (0..group.children.len()).map(|child| (child, now)).collect(),
            starting: BTreeMap::new(),
            has_failed: vec![false; group.children.len()],
            group,
            node,
        }
    }

    async fn run(mut self) -> Exit {
        self.node.enter(State::Starting);
        for child in &self.node.children {
            child.enter(State::Starting);
        }
        loop {
            self.start_next_if_due();
            self.announce_if_up();
            let failure = match self.next_event().await {
                Event::StopOrdered => {
                    self.stop_all().await;
                    return Exit::Done;
                }
                Event::StartDue => None,
                Event::Ready(child) => {
                    self.is_up(child);
                    None
                }
                Event::Late(child) => self.on_late(child).await,
                Event::Ended(child, exit) => self.on_end(child, exit).await,
                Event::ThreadLost(cause) => self.on_thread_lost(cause).await,
            };
            if let Some(failure) = failure {
                self.stop_all().await;
                return Exit::Failed(failure);
            }
        }
    }

    async fn next_event(&mut self) -> Event {
        let ready = self
            .starting
            .keys()
            .filter_map(|child| self.running[*child].as_ref().map(|running| (*child, running.ready.clone())));
        let ready = ready.collect();
        let deadlines = self.starting.iter().filter_map(|(child, deadline)| Some((*child, (*deadline)?)));
        let late = deadlines.min_by_key(|(_, deadline)| *deadline);
        let due = self.next_due().map(|(_, due)| due);
        tokio::select! {
            biased;
            () = &mut self.stopping => Event::StopOrdered,
            (child, exit) = next_exit(&self.node.path, &mut self.running) => Event::Ended(child, exit),
            cause = pulse(&mut self.thread) => Event::ThreadLost(cause),
            child = becomes_ready(ready) => Event::Ready(child),
            child = passes(late) => Event::Late(child),
            () = passes(due.map(|due| ((), due))) => Event::StartDue,
        }
    }

    // Starting.

    fn next_due(&self) -> Option<(usize, Instant)> {
        next_start(|child| self.restart_kind(child), &self.pending, self.starting.keys().copied())
    }

    fn start_next_if_due(&mut self) {
        let Some((child, due)) = self.next_due() else { return };
        if Instant::now() < due {
            return;
        }
        self.pending.remove(&child);
        let (ready, ready_seen) = watch::channel(false);
        let (stop, stop_seen) = watch::channel(false);
        let signals = Signals { ready, stop: stop_seen };
        self.node.children[child].enter(State::Starting);
        let task = self.spawn(child, signals);
        self.running[child] = Some(Running { task, stop, ready: ready_seen });
        let deadline = match &self.group.children[child] {
            Child::Worker(_) => Some(Instant::now() + self.group.policy.start_within),
            Child::Group(_) | Child::Roster(_) => None,
        };
        self.starting.insert(child, deadline);
    }

    fn spawn(&mut self, child: usize, signals: Signals) -> JoinHandle<Exit> {
        let node = Arc::clone(&self.node.children[child]);
        let path = Arc::clone(&node.path);
        let heartbeat = self.group.policy.heartbeat;
        match self.group.children[child].clone() {
            Child::Group(group) => {
                let first_start = self.first_start && !self.has_been_up[child];
                actix::spawn(run(group, node, signals, first_start))
            }
            Child::Roster(roster) => actix::spawn(roster::run(roster, node, signals)),
            Child::Worker(worker) if worker.own_thread => {
                actix::spawn(worker::on_own_thread(worker, node, signals, heartbeat))
            }
            Child::Worker(worker) => match self.living_thread() {
                Ok(thread) => actix::spawn(worker::on_thread(&worker, path, signals, &thread.handle())),
                Err(error) => {
                    actix::spawn(
                        async move { Exit::failed(&path, format!("cannot start a thread: {error}")) },
                    )
                }
            },
        }
    }

    fn living_thread(&mut self) -> std::io::Result<&Thread> {
        if self.thread.as_ref().is_none_or(|(thread, _)| !thread.is_alive()) {
            let thread = Thread::start(Arc::clone(&self.node))?;
            let pulse = Box::pin(thread.pulse(self.group.policy.heartbeat));
            self.thread = Some((thread, pulse));
        }
        let (thread, _) = self.thread.as_ref().expect("the thread was started just above");
        Ok(thread)
    }

    fn is_up(&mut self, child: usize) {
        self.has_been_up[child] = true;
        self.starting.remove(&child);
        self.node.children[child].enter(State::Up);
        tracing::debug!(path = &*self.node.children[child].path, "up");
    }

    fn announce_if_up(&mut self) {
        let is_waited_for =
            |child: &usize| self.restart_kind(*child) != Restart::Independent || !self.has_failed[*child];
        if !self.starting.keys().chain(self.pending.keys()).any(is_waited_for) {
            self.first_start = false;
            if !self.ready.send_replace(true) {
                self.node.enter(State::Up);
                tracing::info!(path = &*self.node.path, "up");
            }
        }
    }

    fn restart_kind(&self, child: usize) -> Restart {
        self.group.children[child].restart_kind()
    }

    // Stopping.

    async fn stop_all(&mut self) {
        self.node.enter(State::Stopping);
        for child in (0..self.running.len()).rev() {
            self.stop(child).await;
        }
        self.thread = None;
    }

    /// Tells a child to stop and waits until it has. A worker has `stop_within` for it; a group is not hurried, since each of
    /// its workers is.
    async fn stop(&mut self, child: usize) {
        let node = Arc::clone(&self.node.children[child]);
        self.starting.remove(&child);
        let Some(mut running) = self.running[child].take() else {
            if self.pending.remove(&child).is_some() {
                node.enter(State::Stopped);
            }
            return;
        };
        running.stop.send_replace(true);
        // Told first: whoever sees it stopping may rely on that.
        node.enter(State::Stopping);
        let within = self.group.policy.stop_within;
        let exit = match &self.group.children[child] {
            Child::Group(_) | Child::Roster(_) => Some((&mut running.task).await),
            Child::Worker(_) => timeout(within, &mut running.task).await.ok(),
        };
        let cause = match exit {
            Some(Ok(Exit::Done)) => return node.enter(State::Stopped),
            Some(Ok(Exit::Failed(failure))) => failure.told_about(&node.path),
            Some(Ok(Exit::Lost(failure))) => return note_abandoned(&node, &failure.told_about(&node.path)),
            Some(Err(error)) => error.to_string(),
            None => {
                running.task.abort();
                return note_abandoned(&node, &format!("did not stop within {within:?}; abandoned"));
            }
        };
        tracing::warn!(path = &*node.path, cause, "stopped, but not cleanly");
        node.enter_because(State::Stopped, &cause);
    }
}

/// One line of the log for each incarnation that is left behind.
fn note_abandoned(node: &Node, cause: &str) {
    let abandoned = node.abandon_because(cause);
    tracing::warn!(path = &*node.path, cause, abandoned, "abandoned");
}
