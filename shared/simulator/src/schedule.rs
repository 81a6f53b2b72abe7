//! What is going to happen, by the moment; what is due at the same moment comes in an order by chance.

use std::{collections::BTreeMap, fmt, rc::Rc};

use umbel_core::{
    Place,
    store::{Append, AppendError, Appended, plan::View},
    subscription::{ConsumerId, Effect, Held, Input, Millis, NodeId},
};

use crate::{node::Work, random::Random};

/// A group of appends on its way.
pub(crate) type Group = Vec<Rc<Append>>;

/// What the log answers to an append.
pub(crate) type Outcome = Result<Appended, AppendError>;

/// One incarnation of a worker: what is for an earlier one reaches nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) node: usize,
    pub(crate) part: Part,
    pub(crate) incarnation: u64,
}

/// As traces name it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Part::Writer => write!(f, "node {} writer", self.node),
            Part::Runner(subscription) => write!(f, "node {} sub {subscription}", self.node),
        }
    }
}

/// A worker of a node that talks with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its writer.
    Writer,
    /// Its runner of this subscription.
    Runner(usize),
}

/// A request to the store.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// What must be known to plan a group.
    Look(Group),
    /// A group, planned on this.
    Commit { group: Group, view: Box<View>, mark: usize },
    /// Something for a subscription.
    Keep { subscription: usize, node: NodeId, effect: Effect<u64> },
}

/// As traces tell it.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, group) = match self {
            Self::Look(group) => ("Look".to_owned(), group),
            Self::Commit { group, view, mark } => {
                let again = if view.resolving { ", perhaps again," } else { "" };
                (format!("Commit{again} behind {mark}"), group)
            }
            Self::Keep { effect, .. } => return write!(f, "{effect:?}"),
        };
        let streams = group.iter().flat_map(|append| &append.streams);
        let ids = streams.flat_map(|stream| &stream.events).map(|event| event.id.0.as_u128());
        write!(f, "{what} events {:?}", ids.collect::<Vec<_>>())
    }
}

/// What a worker hears of its request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// What is known, and where the log stands.
    Looked(Box<View>, usize),
    /// What became of a group; `None` when it must be planned again.
    Committed(Option<Vec<Outcome>>),
    /// It failed, or it is unknown whether it did.
    WriterFailed,
    /// What a machine hears.
    Heard(Input<u64>),
}

/// What an intent's try led to.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// The store's word.
    Outcome(Box<Outcome>),
    /// Nothing was stored; try again later.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// Something that is going to happen.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A client begins something.
    Begin,
    /// A try of an intent reaches a node.
    Try { node: usize, intent: usize, number: u32 },
    /// A client hears what became of a try.
    Reply { intent: usize, number: u32, reply: Reply },
    /// A client stops waiting for the answer to a try.
    TimeUp { intent: usize, number: u32 },
    /// A client looks whether something is visible.
    Look { wait: usize },
    /// A request reaches the store; whether its answer will find its way.
    Reach { from: Address, request: Request, answered: bool },
    /// A worker hears an answer.
    Answer { to: Address, answer: Answer },
    /// The writer of a node has something to do, or may have.
    Write { to: Address },
    /// A node hears how far the log goes.
    Announce { node: usize, head: Place },
    /// A node looks by itself how far the log goes.
    Poll { node: usize, life: u64 },
    /// A node hears that a subscription was changed.
    Changed { node: usize, subscription: usize },
    /// A machine wanted to be woken.
    Wake { to: Address },
    /// A consumer wants events.
    Join { to: Address },
    /// A runner hears what a consumer has said.
    Obey { to: Address },
    /// A consumer does something with what it holds.
    Work { to: Address, consumer: ConsumerId },
    /// A consumer gets back what a bug has kept aside.
    Aside { to: Address, place: Place, held: Held<Work> },
    /// Workers of a node are started again.
    Restart { node: usize, life: u64, workers: Vec<usize> },
    /// A worker of a node fails.
    Fail { node: usize, life: u64 },
    /// A node opens a subscription again that was deleted while it ran it.
    Open { node: usize, life: u64, subscription: usize },
    /// A node starts.
    Start { node: usize },
    /// Something befalls a node or a worker.
    Fault,
    /// An operator does something.
    Operate,
}

impl Event {
    /// The node in which it happens: one that is frozen comes to it later.
    pub(crate) fn node(&self) -> Option<usize> {
        match self {
            Self::Try { node, .. }
            | Self::Announce { node, .. }
            | Self::Poll { node, .. }
            | Self::Changed { node, .. }
            | Self::Fail { node, .. }
            | Self::Open { node, .. }
            | Self::Restart { node, .. } => Some(*node),
            Self::Answer { to, .. }
            | Self::Write { to }
            | Self::Wake { to }
            | Self::Join { to }
            | Self::Obey { to }
            | Self::Aside { to, .. }
            | Self::Work { to, .. } => Some(to.node),
            _ => None,
        }
    }
}

/// What is going to happen.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    events: BTreeMap<(Millis, u64, u64), Event>,
    number: u64,
}

impl Schedule {
    pub(crate) fn push(&mut self, at: Millis, event: Event, order: &mut Random) {
        self.number += 1;
        self.events.insert((at, order.next(), self.number), event);
    }

    pub(crate) fn pop(&mut self) -> Option<(Millis, Event)> {
        self.events.pop_first().map(|((at, ..), event)| (at, event))
    }
}
