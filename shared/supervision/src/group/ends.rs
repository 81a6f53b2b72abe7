//! What a group does when a child ends that nobody told to: judge, then stop, restart, or give up.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{GroupRun, note_abandoned};
use crate::decision::{Ending, Jitter, Verdict};
use crate::exit::{Exit, Failure};
use crate::policy::Restart;
use crate::spec::Child;
use crate::tree::{Node, State};

impl GroupRun {
    pub(super) async fn on_late(&mut self, child: usize) -> Option<Failure> {
        let cause = format!("not ready within {:?}", self.group.policy.start_within);
        self.abandon(child, &cause);
        let path = Arc::clone(&self.node.children[child].path);
        self.obey(&[child], Failure::of(&path, cause)).await
    }

    pub(super) async fn on_end(&mut self, child: usize, exit: Exit) -> Option<Failure> {
        let was_ready = self.running[child].take().is_some_and(|running| *running.ready.borrow());
        if self.starting.remove(&child).is_some() {
            // Done before it said that it was ready: a job that is over, and what comes after it may start.
            let over = matches!(exit, Exit::Done) && self.restart_kind(child) != Restart::Permanent;
            self.has_been_up[child] |= was_ready || over;
        }
        let path = Arc::clone(&self.node.children[child].path);
        match exit {
            Exit::Done => {
                let told = Failure::of(&path, "ended without being told to");
                self.obey(&[child], Failure { ending: Ending::Done, ..told }).await
            }
            Exit::Failed(failure) => self.obey(&[child], failure).await,
            Exit::Lost(failure) => {
                note_abandoned(&self.node.children[child], &failure.cause);
                self.obey(&[child], failure).await
            }
        }
    }

    /// The thread is blocked or gone: everything on it is abandoned at once, and counts as one failure.
    pub(super) async fn on_thread_lost(&mut self, cause: String) -> Option<Failure> {
        self.thread = None;
        let on_it = |child: &usize| {
            matches!(&self.group.children[*child], Child::Worker(worker) if !worker.own_thread)
                && self.running[*child].is_some()
        };
        let lost: Vec<usize> = (0..self.running.len()).filter(on_it).collect();
        for child in &lost {
            self.abandon(*child, &cause);
        }
        // With one worker on the thread it is clear which one it was.
        let path = match lost[..] {
            [only] => Arc::clone(&self.node.children[only].path),
            _ => Arc::clone(&self.node.path),
        };
        self.obey(&lost, Failure::of(&path, cause)).await
    }

    fn abandon(&mut self, child: usize, cause: &str) {
        note_abandoned(&self.node.children[child], cause);
        if let Some(running) = self.running[child].take() {
            running.stop.send_replace(true);
            running.task.abort();
        }
        self.starting.remove(&child);
    }

    /// Judges the end of these children, which nobody ordered, and does what the verdict says; some failure when the group itself
    /// has failed by it.
    async fn obey(&mut self, ended: &[usize], failure: Failure) -> Option<Failure> {
        if ended.is_empty() {
            return None;
        }
        ended.iter().for_each(|child| self.has_failed[*child] = true);
        let must_come_up =
            |child: &usize| !self.has_been_up[*child] && self.restart_kind(*child) != Restart::Independent;
        if self.first_start && ended.iter().any(must_come_up) {
            self.mark_failed(ended, &failure);
            return Some(failure);
        }
        let jitter = Jitter(fresh_jitter());
        match self.decider.judge(ended, failure.ending, self.began.elapsed(), jitter) {
            Verdict::StayDown if failure.ending == Ending::Done => {
                ended.iter().for_each(|child| self.node.children[*child].enter(State::Stopped));
                None
            }
            Verdict::StayDown => {
                tracing::warn!(path = &*failure.path, cause = failure.cause, "ended, and stays down");
                self.mark_failed(ended, &failure);
                None
            }
            Verdict::Restart { stop, start, after } => {
                self.restart(ended, &failure, &stop, start, after).await;
                None
            }
            Verdict::Escalate if failure.ending == Ending::Incurable => {
                self.mark_failed(ended, &failure);
                let (path, child, cause) = (&*self.node.path, &*failure.path, &failure.cause);
                tracing::error!(path, cause, child, "gives up, since no restart helps");
                Some(failure)
            }
            Verdict::Escalate => {
                self.mark_failed(ended, &failure);
                let (path, intensity) = (&self.node.path, self.group.policy.intensity);
                let (most, within) = (intensity.max_restarts, intensity.within);
                let Failure { path: child, cause, .. } = &failure;
                tracing::error!(
                    path = &**path,
                    cause,
                    child = &**child,
                    restarts = most,
                    ?within,
                    "gives up"
                );
                let cause =
                    format!("{}; {path} gave up (max_restarts = {most} within {within:?})", failure.cause);
                Some(Failure { cause, ..failure })
            }
        }
    }

    async fn restart(
        &mut self,
        ended: &[usize],
        failure: &Failure,
        stop: &[usize],
        start: Vec<usize>,
        after: Duration,
    ) {
        for child in ended.iter().filter(|child| start.contains(child)) {
            let node = &self.node.children[*child];
            note_restart(node, &failure.told_about(&node.path), after);
        }
        self.mark_failed(ended.iter().filter(|child| !start.contains(child)), failure);
        for child in stop {
            if self.running[*child].is_some() {
                self.stop(*child).await;
                if start.contains(child) {
                    let cause = format!("restarted along with {}", failure.path);
                    note_restart(&self.node.children[*child], &cause, after);
                }
            }
        }
        let due = Instant::now() + after;
        self.pending.extend(start.into_iter().map(|child| (child, due)));
    }

    fn mark_failed<'a>(&self, children: impl IntoIterator<Item = &'a usize>, failure: &Failure) {
        for child in children {
            let node = &self.node.children[*child];
            node.enter_because(State::Failed, &failure.told_about(&node.path));
        }
    }
}

/// One line of the log for each child that is started again.
pub(crate) fn note_restart(node: &Node, cause: &str, after: Duration) {
    let restarts = node.restart_because(cause);
    tracing::warn!(path = &*node.path, cause, restarts, ?after, "restarting");
}

/// The edge at which randomness comes in. Without a random source the waits lose their jitter and nothing else.
pub(crate) fn fresh_jitter() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX)
}
