//! Waiting for visibility: a client that was told a position asks whether everything up to there has had its effect.

use umbel_core::{
    Place, Position,
    subscription::{Millis, Reach},
};

use super::World;
use crate::{bug::Bug, oracle::Broken, schedule::Event};

/// Pause between two looks.
const LOOK_EVERY: Millis = 40;

/// A client that waits.
#[derive(Debug)]
pub(crate) struct Wait {
    node: usize,
    life: u64,
    subscription: usize,
    place: Place,
    until: Millis,
    pub(crate) is_over: bool,
}

impl World {
    /// Now and then a client waits until what it has appended is visible.
    pub(super) fn begin_wait(&mut self, position: Option<Position>) {
        let Some(position) = position.filter(|_| self.chances.clients.one_in(2)) else { return };
        let node = self.chances.clients.below(self.nodes.len());
        let wait = Wait {
            node,
            life: self.nodes[node].life,
            subscription: self.chances.clients.below(self.shape.options.len()),
            place: position.into(),
            until: self.now + self.chances.clients.between(100, 10_000),
            is_over: false,
        };
        self.waits.push(wait);
        self.after(0, Event::Look { wait: self.waits.len() - 1 });
    }

    pub(super) fn open_waits(&self) -> usize {
        self.waits.iter().filter(|wait| !wait.is_over).count()
    }

    /// A client looks whether everything is visible.
    pub(super) fn look(&mut self, at: usize) -> Result<(), Broken> {
        let Wait { node, life, subscription, place, until, .. } = self.waits[at];
        let gone = self.nodes[node].life != life;
        if gone || self.now > until && !self.quiet {
            self.waits[at].is_over = true;
            return Ok(());
        }
        if !self.is_visible(node, subscription, place) {
            self.after(LOOK_EVERY, Event::Look { wait: at });
            return Ok(());
        }
        self.waits[at].is_over = true;
        self.count("visible");
        self.say(|| format!("node {node} says of subscription {subscription} that it has passed {place}"));
        let runner = self.nodes[node].process.as_ref().and_then(|one| one.runners[subscription].as_ref());
        let is_former =
            runner.is_some_and(|one| one.of != self.store.subscriptions[subscription].incarnation);
        self.oracle.subscriptions[subscription].visible(&self.oracle.log, place, is_former)
    }

    /// What a node can say, as the runners say it. If others have a part in the work, the store is asked as well.
    fn is_visible(&self, node: usize, subscription: usize, place: Place) -> bool {
        let process = self.nodes[node].process.as_ref();
        let runner = process.and_then(|process| process.runners[subscription].as_ref());
        let (mut own, mut leases) = (Vec::new(), Vec::new());
        if let Some(runner) = runner {
            own.extend(runner.machine.settled_to());
            leases.clone_from(&runner.leases);
        }
        match self.bug {
            Some(Bug::WaitForgetsOtherNodes) if !own.is_empty() => {
                leases.retain(|state| own.iter().any(|(number, _)| *number == state.partition));
            }
            Some(Bug::WaitLooksAtOnePartition) => {
                own.retain(|(partition, _)| *partition == 0);
                leases.retain(|state| state.partition == 0);
            }
            _ => {}
        }
        let kept = &self.store.subscriptions[subscription];
        let Reach { least, elsewhere } = Reach::of(own, &leases);
        least >= place || elsewhere && kept.is_there && kept.checkpoint() >= place
    }
}
