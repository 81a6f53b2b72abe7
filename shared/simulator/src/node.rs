//! A node: one process at a time, with a writer, a runner for each subscription, and a supervisor.

use std::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use umbel_core::{
    Place,
    store::{Append, LeaseState, resolution::Resolution},
    subscription::{ConsumerId, Delivery, Effect, Given, Hands, Held, Machine, Millis, NodeId, Verdict},
};

use crate::supervision::Supervisor;

/// A node.
#[derive(Debug)]
pub(crate) struct Node {
    /// Counts its processes.
    pub(crate) life: u64,
    /// The process, if one runs.
    pub(crate) process: Option<Process>,
    pub(crate) frozen_until: Millis,
}

/// A process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) id: NodeId,
    /// When its clock began.
    pub(crate) began: Millis,
    pub(crate) supervisor: Supervisor,
    pub(crate) writer: Option<Writer>,
    pub(crate) runners: Vec<Option<Runner>>,
    /// Whether it stops in order.
    pub(crate) stopping: bool,
}

/// The writer: what waits while a group is being stored becomes the next group.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) incarnation: u64,
    pub(crate) queue: VecDeque<Waiting>,
    pub(crate) group: Option<Writing>,
}

/// An append that waits, with the try that it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) intent: usize,
    pub(crate) number: u32,
    pub(crate) append: Rc<Append>,
}

/// A group that is being stored.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) resolution: Resolution,
    /// Whether it may have been stored already.
    pub(crate) resolving: bool,
    /// Whether the attempt under way is past looking up.
    pub(crate) sent: bool,
    /// When it is tried again, if it waits for that.
    pub(crate) again_at: Option<Millis>,
}

/// The runner of a subscription.
#[derive(Debug)]
pub(crate) struct Runner {
    pub(crate) incarnation: u64,
    /// Which subscription of its name it runs, and how many partitions that has.
    pub(crate) of: u64,
    pub(crate) partitions: u32,
    pub(crate) machine: Machine<u64>,
    pub(crate) consumers: BTreeMap<ConsumerId, Consumer>,
    /// How all partitions stood when that was asked last.
    pub(crate) leases: Vec<LeaseState>,
    pub(crate) stopping: bool,
    /// How far was read.
    pub(crate) read_to: Place,
    /// What consumers have said and it has not heard yet.
    pub(crate) commands: VecDeque<(ConsumerId, Command)>,
    /// Counts the batches it has sent.
    pub(crate) batches: u64,
    /// What is on its way to the store.
    pub(crate) requests: Vec<Effect<u64>>,
}

/// A consumer. Between it and its runner are queues: what one has said, the other one hears later.
#[derive(Debug, Default)]
pub(crate) struct Consumer {
    /// What its runner takes it to hold.
    pub(crate) given: Given<()>,
    /// Batches on their way to it.
    pub(crate) inbox: VecDeque<Batch>,
    /// What it has in its hands itself.
    pub(crate) hands: Hands<Work>,
    /// Whether its next moment is set, or it waits for an answer.
    pub(crate) busy: bool,
}

/// Events on their way to a consumer.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Counts the batches of the runner.
    pub(crate) number: u64,
    pub(crate) deliveries: Vec<Delivery<u64>>,
    /// Of which lease each is. What is somebody else's by now is not here.
    pub(crate) epochs: BTreeMap<Place, u64>,
}

/// What a consumer says to its runner.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Ack(Vec<(Place, u64)>),
    Fail(Place, Held<Work>, Verdict),
    Leave,
}

/// What a consumer does with an event in its hands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// Of which lease.
    pub(crate) epoch: u64,
    pub(crate) handled: bool,
}

impl Process {
    pub(crate) fn runner(&mut self, subscription: usize, incarnation: u64) -> Option<&mut Runner> {
        let runner = self.runners.get_mut(subscription)?.as_mut();
        runner.filter(|runner| runner.incarnation == incarnation)
    }

    pub(crate) fn writer(&mut self, incarnation: u64) -> Option<&mut Writer> {
        self.writer.as_mut().filter(|writer| writer.incarnation == incarnation)
    }
}
