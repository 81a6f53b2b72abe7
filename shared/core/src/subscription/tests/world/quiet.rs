//! The end of a world: faults cease, and everything must come to rest.

use super::{Broken, Input, World};
use crate::subscription::tests::world::node::{Outcome, failure_of};

impl World {
    /// Nothing fails any more and nothing is added: all events must be handled, all letters gone, all checkpoints at the end; then
    /// nothing may be asked for any more but leases; and then all nodes stop, each once.
    pub(in crate::subscription::tests) fn come_to_rest(&mut self) -> Result<(), Broken> {
        self.store.paused = false;
        self.store.log.push((crate::subscription::Key::of("key-0"), true));
        for node in &mut self.nodes {
            node.frozen_until = 0;
        }
        let mut rounds = 0;
        while !self.is_at_rest() {
            rounds += 1;
            if rounds > 2000 {
                return Err(format!(
                    "it does not come to rest: {} events are not handled, {} letters, checkpoints {:?} of {}",
                    self.store.open(&self.done),
                    self.store.letters(),
                    self.store.partitions.iter().map(|kept| kept.checkpoint).collect::<Vec<_>>(),
                    self.store.head(),
                ));
            }
            self.store.retry_all();
            self.round(rounds < 50)?;
        }
        // Partitions may still find their owners.
        for _ in 0..100 {
            self.round(false)?;
        }
        let before = self.requests();
        for _ in 0..60 {
            self.round(false)?;
        }
        if self.requests() != before {
            return Err("it reads or saves although nothing happens".into());
        }
        self.stop_all()
    }

    fn is_at_rest(&self) -> bool {
        let head = self.store.head();
        self.store.letters() == 0
            && self.store.open(&self.done) == 0
            && self.store.partitions.iter().all(|kept| kept.checkpoint == head)
            && self.nodes.iter().all(|node| node.ops.is_empty() && node.machine.buffered() == 0)
    }

    fn requests(&self) -> Vec<(u32, u32)> {
        self.nodes.iter().map(|node| (node.fetches, node.saves)).collect()
    }

    /// Everybody does what is to be done.
    fn round(&mut self, announce: bool) -> Result<(), Broken> {
        self.now += 100;
        for node in 0..self.nodes.len() {
            if self.nodes[node].wake.is_some_and(|at| at <= self.now) {
                self.input(node, Input::Tick)?;
            }
            if self.nodes[node].consumers.is_empty() {
                self.join(node)?;
            }
            if announce {
                self.poll(node)?;
            }
            self.answer_all(node)?;
            self.consume_all(node)?;
            self.answer_all(node)?;
        }
        Ok(())
    }

    fn answer_all(&mut self, node: usize) -> Result<(), Broken> {
        let mut answers = 0;
        while !self.nodes[node].ops.is_empty() {
            answers += 1;
            if answers > 1000 {
                return Err(format!("node {node} asks without end: {:?}", self.nodes[node].ops[0].effect));
            }
            let outcome = match self.nodes[node].ops[0].outcome.take() {
                Some(outcome) => outcome,
                None => Outcome::Answer(self.execute(node, 0)?),
            };
            let op = self.nodes[node].ops.remove(0);
            let input = match outcome {
                Outcome::Answer(input) => input,
                Outcome::Failed => failure_of(&op.effect),
            };
            self.input(node, input)?;
        }
        Ok(())
    }

    fn consume_all(&mut self, node: usize) -> Result<(), Broken> {
        while let Some((consumer, place)) = {
            let mut held = self.nodes[node].consumers.iter();
            held.find_map(|(consumer, held)| Some((*consumer, *held.keys().next()?)))
        } {
            self.acknowledge(node, consumer, place)?;
        }
        Ok(())
    }

    fn stop_all(&mut self) -> Result<(), Broken> {
        for node in 0..self.nodes.len() {
            let id = self.nodes[node].id;
            self.input(node, Input::Stop)?;
            for _ in 0..100 {
                if self.nodes[node].id != id {
                    break;
                }
                self.now += 100;
                self.answer_all(node)?;
                self.input(node, Input::Tick)?;
            }
            if self.nodes[node].id == id {
                return Err(format!("node {node} does not stop"));
            }
            let owns =
                self.store.partitions.iter().any(|kept| kept.owner.is_some_and(|(owner, _)| owner == id));
            if owns {
                return Err(format!("node {node} has stopped and keeps leases"));
            }
        }
        Ok(())
    }
}
