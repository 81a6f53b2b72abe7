//! Instances with the events that concern them, and those of them that became dead letters: as the subscription of a process manager keeps
//! them, with the instance as the key.

use std::collections::{BTreeMap, BTreeSet};

use umbel_core::Position;

use super::{
    Chores, Job,
    clerk::{Clerk, Why},
    manager::Happened,
};
use crate::bug::Bug;

/// An instance, as far as it is known outside.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) name: String,
    pub(super) events: Vec<Happened>,
    /// How many of them, from the first on, are handled or dead letters for certain.
    passed: usize,
    /// Those that are dead letters, by their place among the events.
    letters: BTreeMap<usize, Letter>,
    /// Those whose letters were discarded, and which nobody delivers again.
    discarded: BTreeSet<usize>,
}

/// A dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Letter {
    /// It only waits behind another one.
    Waits,
    Failed,
    /// Somebody wants it to be tried again.
    Asked,
}

impl Instance {
    pub(super) fn new(name: String) -> Self {
        Self { name, events: Vec::new(), passed: 0, letters: BTreeMap::new(), discarded: BTreeSet::new() }
    }

    /// Whether something of it is left to do.
    pub(super) fn is_behind(&self) -> bool {
        self.passed < self.events.len() || !self.letters.is_empty()
    }

    /// Whether the event at this place of the log has no dead letter any more, and not: not yet.
    pub(super) fn is_discarded(&self, letter: Position, bug: Option<Bug>) -> bool {
        let at = self.events.iter().position(|event| event.number == letter.get());
        let is_passed = |at: usize| at < self.passed || bug == Some(Bug::ProcessLooksEarly);
        at.is_some_and(|at| is_passed(at) && !self.letters.contains_key(&at))
    }
}

impl Chores {
    /// The next event of an instance is delivered, one once more that was handled before, or a dead letter is tried again. Nothing when there
    /// is none.
    pub(super) fn deliver(&mut self, at: usize) -> Option<Job> {
        let Instance { events, passed, letters, discarded, .. } = &self.instances[at];
        if let Some((first, letter)) = letters.first_key_value().map(|(at, letter)| (*at, *letter)) {
            if letter != Letter::Failed {
                self.count("due letter of a process");
                return Some(self.clerk(at, first, true));
            }
            // What comes behind it becomes one, too.
            let behind = *passed;
            if behind < events.len() {
                self.count("event parked behind a letter of a process");
                self.say(|| format!("i-{at}: event {behind} waits behind a dead letter"));
                let instance = &mut self.instances[at];
                instance.letters.insert(behind, Letter::Waits);
                instance.passed += 1;
            }
            return None;
        }
        let again = !self.quiet && *passed > 0 && self.random.one_in(3);
        let which = if again { self.random.below(*passed) } else { *passed };
        if which >= events.len() || discarded.contains(&which) {
            return None;
        }
        if again {
            self.count("event delivered again");
        }
        Some(self.clerk(at, which, false))
    }

    fn clerk(&self, at: usize, which: usize, letter: bool) -> Job {
        let Instance { name, events, .. } = &self.instances[at];
        let clerk = Clerk::new(at, name.clone(), Why::Event(events[which]));
        Job::Clerk(Box::new(clerk), Some((which, letter)))
    }

    /// An event is handled, or a letter of one.
    pub(super) fn handled(&mut self, at: usize, which: usize, letter: bool) {
        let instance = &mut self.instances[at];
        if letter {
            instance.letters.remove(&which);
        } else if which == instance.passed {
            instance.passed += 1;
        }
    }

    /// An event becomes a dead letter, or stays one. Not if its subscription has passed it: whoever comes so late is not its owner.
    pub(super) fn park(&mut self, at: usize, which: usize, letter: bool) {
        let instance = &mut self.instances[at];
        if letter {
            instance.letters.entry(which).and_modify(|letter| *letter = Letter::Failed);
        } else if which == instance.passed {
            instance.passed += 1;
            instance.letters.insert(which, Letter::Failed);
            self.count("dead letter of a process");
        }
        self.say(|| format!("i-{at}: event {which} is a dead letter"));
    }

    /// An operator wants a letter to be tried again, or discards one that nobody has in hand.
    pub(super) fn operate(&mut self) {
        let at = self.random.below(self.instances.len());
        let letters = &self.instances[at].letters;
        let which = self.random.below(letters.len());
        let Some(which) = letters.keys().nth(which).copied() else { return };
        if !self.random.one_in(3) {
            return self.ask(at);
        }
        let in_hand = |(_, job): &(usize, Job)| match job {
            Job::Clerk(clerk, given) => clerk.at == at && given.is_some_and(|(one, _)| one == which),
            Job::Park(instance, one, _) => (*instance, *one) == (at, which),
            Job::Runner(_) => false,
        };
        if self.jobs.iter().any(in_hand) {
            return;
        }
        self.count("discarded letter of a process");
        let instance = &mut self.instances[at];
        instance.letters.remove(&which);
        instance.discarded.insert(which);
        self.oracle.discarded(instance.events[which].number);
        self.say(|| format!("i-{at}: event {which} is discarded"));
    }

    /// The first letter of an instance is to be tried again.
    pub(super) fn ask(&mut self, at: usize) {
        if let Some(letter) = self.instances[at].letters.first_entry().map(|first| first.into_mut())
            && *letter == Letter::Failed
        {
            *letter = Letter::Asked;
        }
    }
}
