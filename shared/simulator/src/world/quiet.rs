//! The end of a world: faults cease, and everything must come to rest by itself.

use umbel_core::subscription::Millis;

use super::World;
use crate::{node::Node, oracle::Broken, schedule::Event, shape::Faults, store::Kept};

/// Until when everything must be at rest once faults have ceased.
const REST_WITHIN: Millis = 300_000;
/// Within which time requests that were slow under faults have arrived, leases of the dead have run out, and shares are even.
const SETTLE_WITHIN: Millis = 10_000;
/// How long nothing may be read or saved then, once partitions have found their owners.
const REST_FOR: Millis = 2_000;
/// Within which time a node must have stopped in order.
const STOP_WITHIN: Millis = 6_000;

impl World {
    /// Nothing fails any more and nothing is added: everything that was begun must be settled, all events handled, all letters
    /// gone, all checkpoints at the end, every worker up; then nothing may be asked for any more but leases; and at last all
    /// nodes stop and give their leases back.
    pub(super) fn come_to_rest(&mut self) -> Result<(), Broken> {
        self.say(|| "faults cease".into());
        self.quiet = true;
        self.shape.faults = Faults::default();
        for node in &mut self.nodes {
            node.frozen_until = 0;
        }
        self.after(0, Event::Operate);
        let by = self.now + REST_WITHIN;
        while !self.is_at_rest() {
            if self.now > by {
                return Err(format!("rest: it does not come to rest: {}", self.unrest()));
            }
            self.pass(100)?;
        }
        self.pass(SETTLE_WITHIN)?;
        self.shares_are_even()?;
        let before = self.traffic;
        self.pass(REST_FOR)?;
        if self.traffic != before {
            return Err("rest: it reads or saves although nothing happens".into());
        }
        self.stop_all()
    }

    fn pass(&mut self, time: Millis) -> Result<(), Broken> {
        let until = self.now + time;
        while self.now < until {
            self.step()?;
        }
        Ok(())
    }

    fn is_at_rest(&self) -> bool {
        let head = self.store.log.head();
        let whole = |process: &crate::node::Process| process.supervisor.is_whole() && !process.stopping;
        self.open_intents() == 0
            && self.open_waits() == 0
            && self.nodes.iter().all(|node| node.process.as_ref().is_some_and(whole))
            && self.nodes.iter().all(|node| self.runs_what_is_there(node))
            && self.store.subscriptions.iter().zip(&self.oracle.subscriptions).all(|(kept, books)| {
                kept.letter_places().len() == 0
                    && kept.partitions.iter().all(|kept| kept.checkpoint == head)
                    && books.open(&self.oracle.log).is_empty()
            })
    }

    /// No node has more of a subscription than the partitions divided by the nodes, rounded up, and none less than rounded down.
    fn shares_are_even(&self) -> Result<(), Broken> {
        for (number, kept) in self.store.subscriptions.iter().enumerate() {
            let least = kept.partitions.len() / self.nodes.len();
            let most = kept.partitions.len().div_ceil(self.nodes.len());
            for process in self.nodes.iter().filter_map(|node| node.process.as_ref()) {
                let is_own = |kept: &&Kept| kept.owner.is_some_and(|(owner, _)| owner == process.id);
                let owned = kept.partitions.iter().filter(is_own).count();
                if !(least..=most).contains(&owned) {
                    let owners: Vec<_> = kept.partitions.iter().map(|kept| kept.owner).collect();
                    return Err(format!(
                        "rest: {} owns {owned} partitions of subscription {number}, not {least} to {most}: {owners:?}",
                        process.id
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether a node runs all subscriptions, and none that was deleted.
    fn runs_what_is_there(&self, node: &Node) -> bool {
        let Some(process) = &node.process else { return false };
        let all = self.store.subscriptions.iter().zip(&process.runners);
        all.into_iter().all(|(kept, runner)| {
            kept.is_there && runner.as_ref().is_some_and(|runner| runner.of == kept.incarnation)
        })
    }

    fn unrest(&self) -> String {
        let subscriptions = self.store.subscriptions.iter().zip(&self.oracle.subscriptions);
        let subscriptions: Vec<_> = subscriptions
            .map(|(kept, books)| {
                let open: Vec<_> = books.open(&self.oracle.log).iter().map(|place| place.get()).collect();
                let letters: Vec<_> = kept.letter_places().map(|place| place.get()).collect();
                format!("not done {open:?}, letters {letters:?}, partitions {:?}", kept.partitions)
            })
            .collect();
        let running: Vec<_> =
            self.nodes.iter().map(|node| node.process.as_ref().map(|one| &one.supervisor.running)).collect();
        format!(
            "{} intents and {} waits are open, workers {running:?}, the log ends at {}, subscriptions: {}",
            self.open_intents(),
            self.open_waits(),
            self.store.log.head(),
            subscriptions.join("; ")
        )
    }

    fn stop_all(&mut self) -> Result<(), Broken> {
        for node in 0..self.nodes.len() {
            self.stop(node)?;
            let life = self.nodes[node].life;
            let id = self.nodes[node].process.as_ref().map(|process| process.id);
            let by = self.now + STOP_WITHIN;
            while self.nodes[node].life == life {
                if self.now > by {
                    return Err(format!("rest: node {node} does not stop"));
                }
                self.pass(50)?;
            }
            let mut kept = self.store.subscriptions.iter().flat_map(|kept| &kept.partitions);
            if kept.any(|kept| kept.owner.is_some_and(|(owner, _)| Some(owner) == id)) {
                return Err(format!("rest: node {node} has stopped and keeps leases"));
            }
        }
        Ok(())
    }
}
