//! Nodes: processes that start, stop, crash and freeze, and workers that fail and are restarted by their supervisor.

use std::collections::{BTreeMap, VecDeque};

use umbel_core::{
    Place,
    subscription::{Input, Machine, Millis, NodeId},
};
use umbel_supervision::decision::Ending;
use uuid::Uuid;

use super::World;
use crate::{
    node::{Process, Runner, Writer},
    oracle::Broken,
    schedule::{Address, Event, Part},
    supervision::{Order, Supervisor},
};

/// How long a process is given to stop in order.
const STOP_WITHIN: Millis = 8000;

impl World {
    /// A process starts.
    pub(super) fn start(&mut self, node: usize) -> Result<(), Broken> {
        if self.nodes[node].process.is_some() {
            return Ok(());
        }
        let id = NodeId(Uuid::from_u128(self.fresh().into()));
        let began = self.now - self.chances.delays.between(0, 100_000);
        let supervisor = Supervisor::new(&self.shape, self.bug);
        let runners = self.shape.options.iter().map(|_| None).collect();
        let process = Process { id, began, supervisor, writer: None, runners, stopping: false };
        self.say(|| format!("node {node} starts as {id}"));
        self.nodes[node].life += 1;
        self.nodes[node].process = Some(process);
        let life = self.nodes[node].life;
        let poll_every = self.shape.poll_every;
        self.after(poll_every, Event::Poll { node, life });
        for worker in 0..=self.shape.options.len() {
            self.start_worker(node, worker)?;
        }
        Ok(())
    }

    fn start_worker(&mut self, node: usize, worker: usize) -> Result<(), Broken> {
        let incarnation = self.fresh();
        let Some(process) = &mut self.nodes[node].process else { return Ok(()) };
        process.supervisor.running[worker] = true;
        let Some(subscription) = worker.checked_sub(1) else {
            process.writer = Some(Writer { incarnation, queue: VecDeque::new(), group: None });
            return Ok(());
        };
        let Some(slot) = process.runners.get_mut(subscription) else { return Ok(()) };
        let options = self.shape.options[subscription].clone();
        let of = self.store.subscriptions[subscription].open();
        *slot = Some(Runner {
            incarnation,
            of,
            partitions: options.partitions,
            machine: Machine::new(options, process.id, of),
            consumers: BTreeMap::new(),
            leases: Vec::new(),
            stopping: false,
            read_to: Place::START,
            commands: VecDeque::new(),
            batches: 0,
            requests: Vec::new(),
        });
        let to = Address { node, part: Part::Runner(subscription), incarnation };
        for _ in 0..self.chances.consumers.between(1, 2) {
            let after = self.delay();
            self.after(after, Event::Join { to });
        }
        self.give(to, Input::Tick)
    }

    /// A node opens a subscription that was deleted while it ran it.
    pub(super) fn open(&mut self, node: usize, life: u64, subscription: usize) -> Result<(), Broken> {
        let is_same = self.nodes[node].life == life;
        let process = self.nodes[node].process.as_ref().filter(|process| is_same && !process.stopping);
        let worker = subscription + 1;
        let wanted = process.is_some_and(|process| {
            process.supervisor.running[worker] && process.runners[subscription].is_none()
        });
        if wanted { self.start_worker(node, worker) } else { Ok(()) }
    }

    /// A process is gone at once, and started anew by whoever watches it.
    pub(super) fn crash(&mut self, node: usize) {
        self.nodes[node].process = None;
        self.nodes[node].life += 1;
        self.nodes[node].frozen_until = 0;
        let after = if self.quiet { 100 } else { self.chances.faults.between(50, 4000) };
        self.after(after, Event::Start { node });
    }

    /// A node looks how far the log goes; one that stops looks whether it is done.
    pub(super) fn poll(&mut self, node: usize, life: u64) -> Result<(), Broken> {
        if self.nodes[node].life != life {
            return Ok(());
        }
        let poll_every = self.shape.poll_every;
        self.after(poll_every, Event::Poll { node, life });
        let Some(process) = &self.nodes[node].process else { return Ok(()) };
        let idle =
            process.writer.as_ref().is_none_or(|writer| writer.group.is_none() && writer.queue.is_empty());
        if process.stopping && idle && process.runners.iter().all(Option::is_none) {
            self.say(|| format!("node {node} has stopped"));
            self.count("node stopped");
            self.crash(node);
            return Ok(());
        }
        self.announce(node, self.store.log.head())
    }

    /// A process is to stop in order.
    pub(super) fn stop(&mut self, node: usize) -> Result<(), Broken> {
        let Some(process) = self.nodes[node].process.as_mut().filter(|one| !one.stopping) else {
            return Ok(());
        };
        process.stopping = true;
        for runner in process.runners.iter_mut().flatten() {
            runner.stopping = true;
        }
        self.say(|| format!("node {node} is told to stop"));
        let at_once = self.chances.faults.one_in(3) && !self.quiet;
        for at in self.runners_of(node) {
            self.give(at, if at_once { Input::StopNow } else { Input::Stop })?;
        }
        let life = self.nodes[node].life;
        self.after(STOP_WITHIN, Event::Restart { node, life, workers: Vec::new() });
        Ok(())
    }

    /// Something befalls a node or a worker.
    pub(super) fn fault(&mut self) -> Result<(), Broken> {
        let Some(every) = self.shape.faults.node_every else { return Ok(()) };
        let after = self.chances.faults.between(1, every * 2);
        self.after(after, Event::Fault);
        let node = self.chances.faults.below(self.nodes.len());
        if self.nodes[node].process.is_none() || self.nodes[node].frozen_until > self.now {
            return Ok(());
        }
        match self.chances.faults.below(10) {
            0 | 1 => {
                self.say(|| format!("node {node} crashes"));
                self.count("crash");
                self.crash(node);
                Ok(())
            }
            2..=4 => {
                let time = self.chances.faults.between(100, 9000);
                self.say(|| format!("node {node} freezes for {time} ms"));
                self.count("freeze");
                self.nodes[node].frozen_until = self.now + time;
                Ok(())
            }
            5 => self.stop(node),
            _ => self.fail_worker(node),
        }
    }

    /// A worker fails again, unless its process is another one by now.
    pub(super) fn fail_again(&mut self, node: usize, life: u64) -> Result<(), Broken> {
        if self.nodes[node].life == life && !self.quiet { self.fail_worker(node) } else { Ok(()) }
    }

    /// A worker ends, and its supervisor decides.
    fn fail_worker(&mut self, node: usize) -> Result<(), Broken> {
        let Some(process) = self.nodes[node].process.as_mut().filter(|one| !one.stopping) else {
            return Ok(());
        };
        let running = &process.supervisor.running;
        let workers: Vec<_> = (0..running.len()).filter(|worker| running[*worker]).collect();
        if workers.is_empty() {
            return Ok(());
        }
        let worker = workers[self.chances.faults.below(workers.len())];
        let ending = if self.chances.faults.one_in(5) { Ending::Done } else { Ending::Failed };
        let jitter = self.chances.faults.small(0, u32::MAX);
        let order = process.supervisor.ended(&self.shape, worker, ending, self.now, jitter)?;
        self.say(|| format!("node {node}: worker {worker} has ended, {ending:?}: {order:?}"));
        self.drop_worker(node, worker);
        // What has failed likely fails again.
        let life = self.nodes[node].life;
        if !self.quiet && self.chances.faults.one_in(2) {
            let after = self.chances.faults.between(1, 1500);
            self.after(after, Event::Fail { node, life });
        }
        match order {
            Order::StayDown => {}
            Order::GiveUp => {
                self.count("supervisor gave up");
                self.crash(node);
            }
            Order::Restart { stop, start, after } => {
                self.count("restarted worker");
                for worker in stop {
                    self.drop_worker(node, worker);
                }
                let life = self.nodes[node].life;
                self.after(after, Event::Restart { node, life, workers: start });
            }
        }
        Ok(())
    }

    fn drop_worker(&mut self, node: usize, worker: usize) {
        let Some(process) = &mut self.nodes[node].process else { return };
        match worker.checked_sub(1) {
            None => process.writer = None,
            Some(subscription) => {
                if let Some(runner) = process.runners.get_mut(subscription) {
                    *runner = None;
                }
            }
        }
    }

    /// Workers are started again, in their order; a process that was to stop by now is ended.
    pub(super) fn restart(&mut self, node: usize, life: u64, workers: &[usize]) -> Result<(), Broken> {
        if self.nodes[node].life != life {
            return Ok(());
        }
        let Some(process) = &self.nodes[node].process else { return Ok(()) };
        if process.stopping {
            if workers.is_empty() {
                self.count("node killed while stopping");
                self.crash(node);
            }
            return Ok(());
        }
        for worker in workers {
            let process = self.nodes[node].process.as_ref();
            if process.is_some_and(|process| !process.supervisor.running[*worker]) {
                self.start_worker(node, *worker)?;
            }
        }
        Ok(())
    }
}
