//! A small world for machines to live in: a log that grows, a store that keeps leases, checkpoints and letters, consumers that
//! acknowledge, fail and crash, and a scheduler that lets requests wait, fail before or after they were carried out, and nodes
//! crash, freeze and stop. All of it follows from one seed.
//!
//! It watches what must hold, and every broken promise is an error that says when and what.

mod node;
mod quiet;
pub(super) mod random;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use super::Bug;
use crate::{
    subscription::{ConsumerId, Effect, Input, Key, Millis, Options, SubscriptionName, Verdict},
    time::Timestamp,
    version::Place,
};
use node::{Node, Op, Outcome};
use random::Random;
use store::Store;

/// Something that a node, or the store for it, may do next.
type Act = fn(&mut World, usize) -> Result<(), Broken>;

/// What was broken.
pub(super) type Broken = String;

/// The world.
pub(super) struct World {
    pub(super) random: Random,
    pub(super) now: Millis,
    pub(super) options: Options,
    pub(super) store: Store,
    nodes: Vec<Node>,
    consumers: u64,
    capacity: u32,
    keys: u64,
    announcements: Vec<(usize, Place)>,
    /// Events that were handled, skipped or discarded.
    done: BTreeSet<Place>,
    bug: Option<Bug>,
    born: u128,
    /// How often what happened, to see that worlds are not dull.
    pub(super) seen: BTreeMap<&'static str, u32>,
    /// What happened last, for whoever looks for the cause.
    pub(super) trace: Vec<String>,
}

impl World {
    /// A world of this seed, with a bug planted or none.
    pub(super) fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut random = Random::new(seed);
        let options = Options {
            partitions: random.between(1, 5),
            batch_max: random.between(1, 6),
            batch_within_ms: if random.one_in(3) { u64::from(random.between(1, 200)) } else { 0 },
            buffer_max: random.between(2, 24),
            consumers_max: 3,
            checkpoint_after: random.between(1, 20),
            checkpoint_within_ms: u64::from(random.between(1, 300)),
            lease_ms: u64::from(if random.one_in(2) { random.between(300, 1500) } else { 3000 }),
            ..Options::new(SubscriptionName::new("test.world").unwrap())
        };
        let mut world = Self {
            store: Store::new(options.partitions, bug),
            now: 1000,
            nodes: Vec::new(),
            consumers: 0,
            capacity: random.between(1, 8),
            keys: u64::from(random.between(1, 8)),
            announcements: Vec::new(),
            done: BTreeSet::new(),
            bug,
            born: 0,
            seen: BTreeMap::new(),
            trace: Vec::new(),
            options,
            random,
        };
        for _ in 0..world.random.between(1, 3) {
            let node = world.fresh_node();
            world.nodes.push(node);
        }
        world
    }

    /// Lets so many things happen: mostly what is to be done, by anybody and in any order, and disturbances between.
    pub(super) fn run(&mut self, steps: u32) -> Result<(), Broken> {
        for _ in 0..steps {
            if self.random.one_in(3) {
                self.disturb()?;
            } else {
                self.go_on()?;
            }
        }
        Ok(())
    }

    fn go_on(&mut self) -> Result<(), Broken> {
        let mut choices: Vec<(Act, usize)> = Vec::new();
        for at in 0..self.nodes.len() {
            let node = &self.nodes[at];
            if node.ops.iter().any(|op| op.outcome.is_none() && op.earliest.is_none_or(|at| at <= self.now)) {
                choices.push((Self::carry_out, at));
            }
            if self.is_frozen(at) {
                continue;
            }
            if node.ops.iter().any(|op| op.outcome.is_some()) {
                choices.push((Self::answer, at));
            }
            // Consumers take their time.
            if node.consumers.values().any(|held| !held.is_empty()) && self.random.one_in(3) {
                choices.push((Self::consume, at));
            }
            if node.wake.is_some_and(|wake| wake <= self.now) {
                choices.push((Self::tick, at));
            }
        }
        if choices.is_empty() {
            return self.pass_time();
        }
        let (act, at) = choices[self.random.below(choices.len())];
        act(self, at)
    }

    fn disturb(&mut self) -> Result<(), Broken> {
        let node = self.random.below(self.nodes.len());
        match self.random.below(100) {
            0..=9 => self.append(),
            10..=34 => self.announce()?,
            35..=49 => self.join(node)?,
            50..=53 => self.let_consumer_leave(node)?,
            54..=59 => self.poll(node)?,
            60..=91 => self.pass_time()?,
            92..=95 => self.operate(),
            _ => self.fault(node)?,
        }
        Ok(())
    }

    fn fresh_node(&mut self) -> Node {
        self.born += 1;
        Node::new(self.born, self.options.clone(), self.bug)
    }

    fn append(&mut self) {
        for _ in 0..self.random.between(1, 6) {
            let key = Key::of(&format!("key-{}", self.random.below(usize::try_from(self.keys).unwrap())));
            let selected = !self.random.one_in(5);
            self.store.log.push((key, selected));
        }
        let head = self.store.head();
        for node in 0..self.nodes.len() {
            for _ in 0..self.random.below(3) {
                self.announcements.push((node, head));
            }
        }
    }

    fn announce(&mut self) -> Result<(), Broken> {
        if self.announcements.is_empty() {
            return Ok(());
        }
        let at = self.random.below(self.announcements.len());
        let (node, place) = self.announcements.swap_remove(at);
        self.input(node, Input::Head(place))
    }

    fn poll(&mut self, node: usize) -> Result<(), Broken> {
        self.input(node, Input::Head(self.store.head()))
    }

    /// The store carries out a request, or is never reached.
    fn carry_out(&mut self, node: usize) -> Result<(), Broken> {
        let ops = self.nodes[node].ops.iter().enumerate();
        let now = self.now;
        let waiting = ops.filter(|(_, op)| op.outcome.is_none() && op.earliest.is_none_or(|at| at <= now));
        let waiting: Vec<_> = waiting.map(|(at, _)| at).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let at = waiting[self.random.below(waiting.len())];
        let outcome = match self.random.below(12) {
            0 => Outcome::Failed,
            1 => {
                self.execute(node, at)?;
                Outcome::Failed
            }
            _ => Outcome::Answer(self.execute(node, at)?),
        };
        self.nodes[node].ops[at].outcome = Some(outcome);
        Ok(())
    }

    fn execute(&mut self, node: usize, at: usize) -> Result<Input<u64>, Broken> {
        let effect = self.nodes[node].ops[at].effect.clone();
        let id = self.nodes[node].id;
        self.trace.push(format!("{} store carries out for {node}: {effect:?}", self.now));
        let most = self.random.between(1, 40);
        let answer = self.store.execute(&effect, id, self.now, most, &self.done)?;
        match &answer {
            Input::Saved { refused } if !refused.is_empty() => self.count("refused checkpoint"),
            Input::Parked { refused } if !refused.is_empty() => self.count("refused letter"),
            Input::Settled { refused, .. } if !refused.is_empty() => self.count("refused settling"),
            Input::Settled { free, .. } if !free.is_empty() => self.count("freed key"),
            Input::Letters { due, .. } if !due.is_empty() => self.count("due letter"),
            Input::ParkedKeys { keys, .. } if !keys.is_empty() => self.count("key found parked"),
            _ => {}
        }
        Ok(answer)
    }

    /// A node hears what became of a request.
    fn answer(&mut self, node: usize) -> Result<(), Broken> {
        let over = |op: &Op| op.outcome.is_some();
        let Some(at) = self.nodes[node].ops.iter().position(over).filter(|_| !self.is_frozen(node)) else {
            return Ok(());
        };
        let op = self.nodes[node].ops.remove(at);
        let input = match op.outcome.unwrap() {
            Outcome::Answer(input) => input,
            Outcome::Failed => node::failure_of(&op.effect),
        };
        self.input(node, input)
    }

    /// A consumer does something with what it holds.
    fn consume(&mut self, node: usize) -> Result<(), Broken> {
        let holders: Vec<_> =
            self.nodes[node].consumers.iter().filter(|(_, held)| !held.is_empty()).collect();
        if holders.is_empty() || self.is_frozen(node) {
            return Ok(());
        }
        let (consumer, held) = holders[self.random.below(holders.len())];
        let (consumer, places) = (*consumer, held.keys().copied().collect::<Vec<_>>());
        let place = places[self.random.below(places.len())];
        if self.random.below(10) < 7 {
            return self.acknowledge(node, consumer, place);
        }
        let verdict = match self.random.below(6) {
            0 => Verdict::Skip,
            1 => Verdict::Park,
            _ => Verdict::Retry { after_ms: u64::from(self.random.between(0, 400)) },
        };
        self.fail(node, consumer, place, verdict)
    }

    fn acknowledge(&mut self, node: usize, consumer: ConsumerId, place: Place) -> Result<(), Broken> {
        // Half of them say what they handled one by one, and have handled of other keys nothing.
        let each = self.random.one_in(2);
        let held = self.nodes[node].consumers.get_mut(&consumer).unwrap();
        let (key, letter) = held[&place];
        let covered: Vec<_> = if letter {
            vec![place]
        } else {
            let before =
                held.iter().filter(|(at, (of, letter))| **at <= place && !letter && (!each || *of == key));
            before.map(|(at, _)| *at).collect()
        };
        for place in &covered {
            let (key, _) = held.remove(place).unwrap();
            Self::handle(&self.store, &mut self.done, key, *place)
                .map_err(|broken| format!("{}: {broken}", self.now))?;
        }
        if each {
            self.count("acknowledged one by one");
            return self.input(node, Input::AckEach { consumer, places: covered });
        }
        self.input(node, Input::Ack { consumer, place })
    }

    /// An event is handled. The first time, everything before it of its key must be over.
    fn handle(store: &Store, done: &mut BTreeSet<Place>, key: Key, place: Place) -> Result<(), Broken> {
        if done.insert(place) {
            let before = store.events_of(key).take_while(|at| *at < place).find(|at| !done.contains(at));
            if let Some(before) = before {
                return Err(format!("event {place} of {key:?} is handled, and {before} before it was not"));
            }
        }
        Ok(())
    }

    fn fail(
        &mut self,
        node: usize,
        consumer: ConsumerId,
        place: Place,
        verdict: Verdict,
    ) -> Result<(), Broken> {
        let held = self.nodes[node].consumers.get_mut(&consumer).unwrap();
        let (key, letter) = held[&place];
        if letter {
            held.remove(&place);
        } else {
            // A consumer that fails at one has got through those before it; now and then it says so.
            held.retain(|_, (other, letter)| *other != key || *letter);
        }
        if verdict == Verdict::Skip {
            self.done.insert(place);
        }
        let at = Timestamp::from_micros(i64::try_from(self.now).unwrap() * 1000);
        self.input(node, Input::Fail { consumer, place, verdict, error: "no".into(), at })
    }

    fn join(&mut self, node: usize) -> Result<(), Broken> {
        if self.nodes[node].consumers.len() >= 3 || self.nodes[node].stopping || self.is_frozen(node) {
            return Ok(());
        }
        self.consumers += 1;
        let consumer = ConsumerId(self.consumers);
        self.nodes[node].consumers.insert(consumer, BTreeMap::new());
        self.input(node, Input::Join { consumer, capacity: self.capacity })
    }

    fn let_consumer_leave(&mut self, node: usize) -> Result<(), Broken> {
        let Some(consumer) = self.nodes[node].consumers.keys().next().copied() else { return Ok(()) };
        if self.is_frozen(node) {
            return Ok(());
        }
        self.nodes[node].consumers.remove(&consumer);
        self.input(node, Input::Leave { consumer })
    }

    fn pass_time(&mut self) -> Result<(), Broken> {
        let next = self.nodes.iter().filter_map(|node| node.wake).filter(|at| *at > self.now).min();
        self.now = match next {
            Some(next) if self.random.one_in(3) => next,
            // Now and then a long time passes in which nothing else happens: requests are on their way beyond leases.
            _ if self.random.one_in(60) => self.now + u64::from(self.random.between(1000, 5000)),
            _ => self.now + u64::from(self.random.between(1, 100)),
        };
        Ok(())
    }

    fn tick(&mut self, node: usize) -> Result<(), Broken> {
        self.input(node, Input::Tick)
    }

    /// An operator does something.
    fn operate(&mut self) {
        match self.random.below(8) {
            0 => self.store.paused = self.random.one_in(3),
            1 => {
                if let Some(place) = self.store.discard_one(&mut self.random) {
                    self.trace.push(format!("{} an operator discards {place}", self.now));
                    self.done.insert(place);
                }
            }
            _ => self.store.retry_some(&mut self.random),
        }
    }

    fn fault(&mut self, node: usize) -> Result<(), Broken> {
        match self.random.below(9) {
            0 | 1 => {
                // What was on its way to the store may still arrive.
                for at in 0..self.nodes[node].ops.len() {
                    if self.nodes[node].ops[at].outcome.is_none() && self.random.one_in(2) {
                        self.execute(node, at)?;
                    }
                }
                self.trace.push(format!("{} node {node} crashes", self.now));
                self.nodes[node] = self.fresh_node();
                Ok(())
            }
            2 => self.input(node, Input::Stop),
            3 => self.input(node, Input::StopNow),
            _ => {
                self.nodes[node].frozen_until = self.now + u64::from(self.random.between(100, 9000));
                Ok(())
            }
        }
    }

    fn is_frozen(&self, node: usize) -> bool {
        self.nodes[node].frozen_until > self.now
    }

    /// A node takes something in; what comes out is looked at and remembered. A frozen one hears nothing.
    fn input(&mut self, at: usize, input: Input<u64>) -> Result<(), Broken> {
        if self.is_frozen(at) {
            return Ok(());
        }
        self.trace.push(format!("{} node {at} hears {input:?}", self.now));
        let node = &mut self.nodes[at];
        let effects = node.take_in(self.now, input, &self.options);
        let effects = effects.map_err(|broken| format!("{}, node {at}: {broken}", self.now))?;
        for effect in effects {
            match &effect {
                Effect::Revoke { .. } => self.count("revoked event"),
                Effect::Lease(wanted) if !wanted.release.is_empty() && !wanted.leave => {
                    self.count("partition given back");
                }
                Effect::Park(letters) if letters.iter().any(|one| one.failure.is_none()) => {
                    self.count("event parked behind a letter");
                }
                Effect::Deliver { batch, .. } if batch.iter().any(|one| one.attempt > 1) => {
                    self.count("retry");
                }
                Effect::Deliver { batch, .. }
                    if batch.iter().any(|one| self.done.contains(&one.item.place)) =>
                {
                    self.count("redelivery");
                }
                _ => {}
            }
            self.trace.push(format!("{}   {effect:?}", self.now));
        }
        for op in self.nodes[at].ops.iter_mut().filter(|op| op.earliest.is_none()) {
            // Now and then a request takes longer than a lease lasts.
            let long = if self.random.one_in(30) { self.random.between(2000, 8000) } else { 0 };
            op.earliest = Some(self.now + u64::from(long));
        }
        if self.nodes[at].stopped {
            self.nodes[at] = self.fresh_node();
        }
        Ok(())
    }

    fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// What was done last, and what broke.
    pub(super) fn tell(&self, broken: &Broken) -> String {
        let from = self.trace.len().saturating_sub(60);
        format!("{broken}\nwith {:?}\nafter:\n{}", self.options, self.trace[from..].join("\n"))
    }
}

/// An effect that is answered.
pub(super) fn is_request(effect: &Effect<u64>) -> bool {
    matches!(
        effect,
        Effect::Lease(_)
            | Effect::LoadParked { .. }
            | Effect::Fetch { .. }
            | Effect::Save(_)
            | Effect::Park(_)
            | Effect::TakeLetters { .. }
            | Effect::Settle(_)
    )
}
