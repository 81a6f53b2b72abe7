//! The world of a run: nodes, a store, clients, operators, what is going to happen, and the oracle that watches.

mod clients;
mod consumers;
mod network;
mod nodes;
mod operators;
mod quiet;
mod runners;
mod waits;
mod writers;

use std::collections::BTreeMap;

use umbel_core::subscription::{Input, Millis};

use crate::{
    bug::Bug,
    node::Node,
    oracle::{Broken, Oracle},
    random::Chances,
    schedule::{Event, Schedule},
    shape::{Faults, Shape},
    store::Store,
};
use clients::Intent;
use waits::Wait;

/// When worlds begin: late enough for clocks that began earlier.
const BEGIN: Millis = 1_000_000;

/// The world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Millis,
    pub(crate) shape: Shape,
    chances: Chances,
    schedule: Schedule,
    store: Store,
    nodes: Vec<Node>,
    intents: Vec<Intent>,
    waits: Vec<Wait>,
    oracle: Oracle,
    bug: Option<Bug>,
    /// Whether faults have ceased and nothing new begins.
    quiet: bool,
    /// Counts incarnations, consumers, processes and events.
    counter: u64,
    /// Reads and checkpoints that were asked for.
    traffic: u64,
    /// What happened how often, to see that worlds are not dull.
    pub(crate) seen: BTreeMap<&'static str, u64>,
    /// What happened, line by line, if somebody wants to know.
    pub(crate) trace: Option<Vec<String>>,
    /// How many things happened.
    pub(crate) steps: u32,
}

impl World {
    pub(crate) fn new(seed: u64, bug: Option<Bug>, with_trace: bool) -> Self {
        let mut chances = Chances::new(seed);
        let shape = Shape::new(&mut chances.shape);
        let mut world = Self {
            now: BEGIN,
            store: Store::new(&shape, bug),
            oracle: Oracle::new(&shape),
            nodes: (0..shape.nodes).map(|_| Node { life: 0, process: None, frozen_until: 0 }).collect(),
            shape,
            chances,
            schedule: Schedule::default(),
            intents: Vec::new(),
            waits: Vec::new(),
            bug,
            quiet: false,
            counter: 0,
            traffic: 0,
            seen: BTreeMap::new(),
            trace: with_trace.then(Vec::new),
            steps: 0,
        };
        for node in 0..world.shape.nodes {
            let after = world.chances.delays.between(0, 500);
            world.after(after, Event::Start { node });
        }
        world.after(0, Event::Begin);
        let Faults { node_every, operate_every, .. } = world.shape.faults;
        for (every, event) in [(node_every, Event::Fault), (operate_every, Event::Operate)] {
            if let Some(every) = every {
                world.after(every, event);
            }
        }
        world
    }

    /// Lets so many things happen under faults, and then everything come to rest.
    pub(crate) fn live(&mut self, steps: u32) -> Result<(), Broken> {
        while self.steps < steps {
            self.step()?;
        }
        self.come_to_rest()
    }

    /// Lets the next thing happen.
    fn step(&mut self) -> Result<(), Broken> {
        let Some((at, event)) = self.schedule.pop() else { return Err("nothing is going to happen".into()) };
        self.now = self.now.max(at);
        let frozen_until = event.node().map_or(0, |node| self.nodes[node].frozen_until);
        if frozen_until > self.now {
            let after = frozen_until - self.now + self.chances.delays.between(0, 20);
            self.after(after, event);
            return Ok(());
        }
        self.steps += 1;
        self.happen(event)
    }

    fn happen(&mut self, event: Event) -> Result<(), Broken> {
        match event {
            Event::Begin => self.begin(),
            Event::Try { node, intent, number } => self.take_try(node, intent, number),
            Event::Reply { intent, number, reply } => return self.hear(intent, number, reply),
            Event::TimeUp { intent, number } => self.time_up(intent, number),
            Event::Look { wait } => return self.look(wait),
            Event::Reach { from, request, answered } => return self.reach(from, request, answered),
            Event::Answer { to, answer } => return self.answer(to, answer),
            Event::Write { to } => self.write(to),
            Event::Announce { node, head } => return self.announce(node, head),
            Event::Poll { node, life } => return self.poll(node, life),
            Event::Changed { node, subscription } => return self.changed(node, subscription),
            // More often than it was asked for does no harm.
            Event::Wake { to } => return self.give(to, Input::Tick),
            Event::Join { to } => return self.join(to),
            Event::Obey { to } => return self.obey(to),
            Event::Work { to, consumer } => return self.work(to, consumer),
            Event::Aside { to, place, held } => return self.aside(to, place, held),
            Event::Restart { node, life, workers } => return self.restart(node, life, &workers),
            Event::Fail { node, life } => return self.fail_again(node, life),
            Event::Open { node, life, subscription } => return self.open(node, life, subscription),
            Event::Start { node } => return self.start(node),
            Event::Fault => return self.fault(),
            Event::Operate => self.operate(),
        }
        Ok(())
    }

    /// Lets something happen after some time.
    fn after(&mut self, after: Millis, event: Event) {
        self.schedule.push(self.now + after, event, &mut self.chances.order);
    }

    /// How long something takes.
    fn delay(&mut self) -> Millis {
        let delays = &mut self.chances.delays;
        if !self.quiet && delays.one_in(10) { delays.between(20, 300) } else { delays.between(0, 20) }
    }

    /// How much later than it should something comes.
    fn lateness(&mut self) -> Millis {
        let late = self.chances.faults.happens(self.shape.faults.late);
        if late { self.chances.delays.between(50, 2000) } else { 0 }
    }

    fn fresh(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    fn say(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>6} {}", self.now - BEGIN, what()));
        }
    }
}
