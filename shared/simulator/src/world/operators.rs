//! Operators: they pause and resume subscriptions, let them begin elsewhere, delete them, and see to dead letters.

use umbel_core::Place;

use super::World;
use crate::schedule::Event;

impl World {
    pub(super) fn operate(&mut self) {
        if self.quiet {
            self.see_to_everything();
            return;
        }
        let Some(every) = self.shape.faults.operate_every else { return };
        let after = self.chances.operators.between(1, every * 2);
        self.after(after, Event::Operate);
        let subscription = self.chances.operators.below(self.shape.options.len());
        if !self.store.subscriptions[subscription].is_there {
            return;
        }
        match self.chances.operators.below(10) {
            0 | 1 => {
                let kept = &mut self.store.subscriptions[subscription];
                kept.paused = !kept.paused;
                let paused = kept.paused;
                self.say(|| format!("an operator pauses subscription {subscription}: {paused}"));
                self.count("pause");
            }
            2 => self.discard(subscription),
            3 if self.shape.faults.resets => self.reset(subscription),
            4 if self.shape.faults.deletions => self.delete(subscription),
            _ => {
                self.say(|| format!("an operator wants letters of subscription {subscription} tried again"));
                let random = &mut self.chances.operators;
                self.store.subscriptions[subscription].retry(Some(random));
            }
        }
        self.tell_of_change(subscription);
    }

    fn discard(&mut self, subscription: usize) {
        let random = &mut self.chances.operators;
        if let Some(place) = self.store.subscriptions[subscription].discard_one(random) {
            self.say(|| format!("an operator discards letter {place} of subscription {subscription}"));
            self.count("discarded letter");
            self.oracle.subscriptions[subscription].discarded(place);
        }
    }

    fn reset(&mut self, subscription: usize) {
        let to = self.somewhere();
        self.say(|| format!("an operator lets subscription {subscription} begin behind {to}"));
        self.count("reset");
        self.store.subscriptions[subscription].reset(to);
        let kept = &self.store.subscriptions[subscription];
        self.oracle.subscriptions[subscription].reset(&self.oracle.log, kept, to);
    }

    /// Whoever opens it next makes it anew, with as many partitions as chance wants.
    fn delete(&mut self, subscription: usize) {
        let (to, partitions) = (self.somewhere(), self.chances.operators.small(1, 5));
        self.say(|| {
            format!("an operator deletes subscription {subscription}; the next has {partitions} partitions, behind {to}")
        });
        self.count("deletion");
        self.shape.options[subscription].partitions = partitions;
        self.store.subscriptions[subscription].delete(partitions, to);
        let kept = &self.store.subscriptions[subscription];
        self.oracle.subscriptions[subscription].deleted(&self.oracle.log, kept, to);
    }

    /// A place to begin behind.
    fn somewhere(&mut self) -> Place {
        let head = self.oracle.head();
        match self.chances.operators.below(4) {
            0 => Place::START,
            1 => head,
            _ => Place::new(self.chances.operators.between(0, head.get())),
        }
    }

    /// Every node is told that something has changed, unless that is lost.
    fn tell_of_change(&mut self, subscription: usize) {
        for node in 0..self.nodes.len() {
            if !self.chances.faults.happens(self.shape.faults.lost) {
                let after = self.delay() + self.lateness();
                self.after(after, Event::Changed { node, subscription });
            }
        }
    }

    /// When faults have ceased: nothing stays paused, and every letter is tried again.
    fn see_to_everything(&mut self) {
        for subscription in 0..self.store.subscriptions.len() {
            let kept = &mut self.store.subscriptions[subscription];
            kept.paused = false;
            kept.retry(None);
        }
        self.after(500, Event::Operate);
    }
}
