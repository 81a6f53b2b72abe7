//! What is left to do: process managers and schedules. Nodes see to both at the same time, get the same event twice, lose answers,
//! and are gone between any two effects. Commands are refused, so that events become dead letters, which operators retry and discard. The decisions are those of production; who carries them out is a model here.

mod clerk;
mod letters;
mod manager;
mod oracle;
mod runs;
mod store;

use std::collections::BTreeMap;

use umbel_core::{
    ProcessManager as _, Timestamp,
    json::Json,
    metadata::Metadata,
    process_manager::{self, Reminder},
    schedule::{Missed, Recurring, Scheduled, is_ours, replace},
    store::{Append, AppendError, Appended, Waiting},
};
use uuid::Uuid;

use self::{
    clerk::{Clerk, Ended, Why},
    letters::Instance,
    manager::{Errands, Happened, Kind},
    oracle::Oracle,
    runs::Runner,
    store::Store,
};
use crate::{bug::Bug, oracle::Broken, random::Random, run::Seen};

/// How many things are done until everything must have come to rest once faults have ceased.
const REST_WITHIN: u32 = 100_000;
/// What the command of all schedules here is called, and with what the names of their queues begin.
const SCHEDULED: &str = "sim.do";
const SCHEDULES: &str = "schedule.";

/// The world of what is left to do.
#[derive(Debug)]
pub(crate) struct Chores {
    random: Random,
    now: u64,
    counter: u64,
    nodes: usize,
    /// In a thousand times: an append or a command is lost, its answer is, a command is refused, a node crashes.
    lost: u32,
    unanswered: u32,
    refused: u32,
    crashes: u32,
    store: Store,
    oracle: Oracle,
    instances: Vec<Instance>,
    jobs: Vec<(usize, Job)>,
    bug: Option<Bug>,
    quiet: bool,
    pub(crate) seen: Seen,
    pub(crate) trace: Option<Vec<String>>,
}

/// What a node is about.
#[derive(Debug)]
enum Job {
    /// An instance is seen to; for which of its events, and whether that is a dead letter, if it is for one.
    Clerk(Box<Clerk>, Option<(usize, bool)>),
    /// An event of an instance becomes a dead letter, or stays one.
    Park(usize, usize, bool),
    /// A schedule.
    Runner(Runner),
}

impl Chores {
    pub(crate) fn new(seed: u64, bug: Option<Bug>, with_trace: bool) -> Self {
        // Another sequence than those of the cluster of the same seed.
        let mut random = Random::new(seed ^ 0x0063_686f_7265_7300);
        let mut rate = |most: u32| if random.one_in(4) { 0 } else { random.small(1, most) };
        let (lost, unanswered, refused, crashes) = (rate(150), rate(150), rate(500), rate(60));
        let instances = (0..random.between(1, 3)).map(|number| Instance::new(format!("i-{number}")));
        Self {
            instances: instances.collect(),
            nodes: random.below(3) + 1,
            random,
            now: 0,
            counter: 0,
            lost,
            unanswered,
            refused,
            crashes,
            store: Store::default(),
            oracle: Oracle::default(),
            jobs: Vec::new(),
            bug,
            quiet: false,
            seen: BTreeMap::new(),
            trace: with_trace.then(Vec::new),
        }
    }

    /// Lets many things happen under faults, and then everything come to rest.
    pub(crate) fn live(&mut self) -> Result<(), Broken> {
        for _ in 0..self.random.between(100, 500) {
            self.something_happens()?;
        }
        self.say(|| "faults cease".into());
        self.quiet = true;
        (self.lost, self.unanswered, self.refused, self.crashes) = (0, 0, 0, 0);
        for _ in 0..REST_WITHIN {
            if self.jobs.is_empty() && !self.begin_something()? {
                if self.store.is_idle() && self.behind().is_none() {
                    return self.oracle.at_rest();
                }
                self.now += 100;
            }
            self.go_on_with_something()?;
        }
        Err(format!("process: it does not come to rest: {:?}", self.jobs))
    }

    fn something_happens(&mut self) -> Result<(), Broken> {
        match self.random.below(20) {
            0 => self.an_event(),
            1 => return self.plan(),
            2 => return self.take_back(),
            3 => self.now += self.random.between(1, 400),
            4 if self.random.happens(self.crashes * 10) => {
                let node = self.random.below(self.nodes);
                self.crash(node);
            }
            5..7 => drop(self.begin_something()?),
            7 => self.operate(),
            _ => return self.go_on_with_something(),
        }
        Ok(())
    }

    fn an_event(&mut self) {
        let number = self.next();
        let kind = [Kind::Begin, Kind::GoOn, Kind::GoOn, Kind::Finish, Kind::Drop][self.random.below(5)];
        let (at, event) = (self.random.below(self.instances.len()), Happened { number, kind });
        let Instance { name, events, .. } = &mut self.instances[at];
        events.push(event);
        self.oracle.happened(name, event);
        self.say(|| format!("i-{at}: {event:?}"));
    }

    fn plan(&mut self) -> Result<(), Broken> {
        let schedule = self.fresh();
        let due_at = Timestamp::from_micros(millis(self.now + self.random.between(0, 600)) * 1000);
        let recurring = self.random.one_in(8).then(|| Recurring {
            name: "again".into(),
            cron: "* * * * *".into(),
            missed: Missed::RunOnce,
            declared_by: None,
        });
        if recurring.is_none() {
            self.oracle.planned.insert(schedule, false);
        }
        let scheduled = Scheduled {
            schedule,
            command: SCHEDULED.into(),
            schema: 1,
            body: Json::from_store("null").into(),
            due_at,
            recurring,
            metadata: Metadata::default(),
            attempts: 0,
            error: None,
        };
        self.say(|| format!("{schedule} is planned: {scheduled:?}"));
        let entry = scheduled.waiting().map_err(|error| format!("schedule: {error}"))?;
        self.certainly_store(&Append { outbox: vec![entry], ..Append::default() }).map(drop)
    }

    /// Somebody takes back a schedule, as it was read.
    fn take_back(&mut self) -> Result<(), Broken> {
        let waiting = self.oracle.planned.keys().find_map(|schedule| self.store.waiting(*schedule).cloned());
        let Some(waiting) = waiting.filter(|_| self.random.one_in(3)) else { return Ok(()) };
        let by = self.fresh();
        let append = replace(&waiting, Vec::new(), by).map_err(|error| format!("schedule: {error}"))?;
        let appended = self.certainly_store(&append)?;
        if is_ours(&append, appended.repeated.as_ref()) {
            self.count("schedule taken back");
            self.say(|| format!("{} is taken back", waiting.entry.id));
            self.oracle.planned.insert(waiting.entry.id, true);
        }
        Ok(())
    }

    /// A node takes up something: an event, whether or not it was handled before, or what is due. Whether there was anything.
    fn begin_something(&mut self) -> Result<bool, Broken> {
        let node = self.random.below(self.nodes);
        let at = self.random.below(self.instances.len());
        let at = if self.quiet { self.behind().unwrap_or(at) } else { at };
        if self.quiet {
            self.ask(at);
        }
        if self.quiet || self.random.one_in(2) {
            if let Some(job) = self.deliver(at) {
                self.jobs.push((node, job));
                return Ok(true);
            }
            if self.quiet && self.instances[at].is_behind() {
                return Ok(true);
            }
        }
        let now = self.now();
        let reminders = self.store.due(&process_manager::queue(Errands::NAME), now);
        let reminded = !reminders.is_empty();
        if let Some(due) = pick(&mut self.random, &reminders).filter(|_| self.random.one_in(2)) {
            let about: Reminder = due.entry.body.decode().map_err(|error| format!("process: {error}"))?;
            self.count("reminder");
            let whose = |instance: &Instance| instance.name == about.instance;
            let at = self.instances.iter().position(whose).ok_or("process: a reminder of a stranger")?;
            let clerk = Box::new(Clerk::new(at, about.instance.clone(), Why::Reminder(due.entry.id, about)));
            self.jobs.push((node, Job::Clerk(clerk, None)));
            return Ok(true);
        }
        let schedules = self.store.due(SCHEDULES, now);
        let Some(due) = pick(&mut self.random, &schedules) else { return Ok(reminded) };
        self.count("run of a schedule");
        let runner = self.take_up(&due)?;
        self.jobs.push((node, Job::Runner(runner)));
        Ok(true)
    }

    /// An instance some of whose events are not handled.
    fn behind(&self) -> Option<usize> {
        self.instances.iter().position(Instance::is_behind)
    }

    /// A node has one effect, or crashes before it.
    fn go_on_with_something(&mut self) -> Result<(), Broken> {
        if self.jobs.is_empty() {
            return Ok(());
        }
        let at = self.random.below(self.jobs.len());
        if self.random.happens(self.crashes) {
            self.crash(self.jobs[at].0);
            return Ok(());
        }
        let (node, job) = self.jobs.swap_remove(at);
        self.say(|| format!("node {node}: {job:?}"));
        match job {
            Job::Clerk(mut clerk, given) => match (self.go_on(&mut clerk)?, given) {
                (Ended::No, _) => self.jobs.push((node, Job::Clerk(clerk, given))),
                (Ended::Done, Some((which, letter))) => self.handled(clerk.at, which, letter),
                (Ended::Parked, Some((which, letter))) => {
                    self.jobs.push((node, Job::Park(clerk.at, which, letter)));
                }
                (Ended::Done | Ended::Parked, None) => {}
            },
            // It takes its time, in which others see what is stored already.
            job @ Job::Park(..) if !self.quiet && !self.random.one_in(4) => self.jobs.push((node, job)),
            Job::Park(instance, which, letter) => self.park(instance, which, letter),
            Job::Runner(runner) => {
                let next = self.run(runner)?;
                self.jobs.extend(next.map(|runner| (node, Job::Runner(runner))));
            }
        }
        Ok(())
    }

    fn crash(&mut self, node: usize) {
        if self.jobs.iter().any(|(at, _)| *at == node) {
            self.count("crash amid what is left to do");
        }
        self.say(|| format!("node {node} crashes"));
        self.jobs.retain(|(at, _)| *at != node);
    }

    /// An append is sent to the store. `None` when it is unknown what became of it.
    fn store(&mut self, append: &Append) -> Result<Option<Result<Appended, AppendError>>, Broken> {
        if self.random.happens(self.lost) {
            return Ok(None);
        }
        let outcome = self.store.append(append, self.now());
        if outcome.as_ref().is_ok_and(|appended| appended.repeated.is_none()) {
            self.oracle.stored(append, &self.store)?;
        }
        Ok((!self.random.happens(self.unanswered)).then_some(outcome))
    }

    fn certainly_store(&mut self, append: &Append) -> Result<Appended, Broken> {
        loop {
            if let Some(outcome) = self.store(append)? {
                return outcome.map_err(|error| format!("schedule: {error}"));
            }
        }
    }

    /// Whether whoever a command is for says no this time. Not of what was carried out before.
    fn refuses(&mut self, id: Uuid) -> bool {
        !self.oracle.was_carried_out(id) && self.random.happens(self.refused)
    }

    /// A command is sent to whom it is for. Whether it is known that it was carried out.
    fn dispatch(&mut self, whose: &str, id: Uuid, what: &str) -> Result<bool, Broken> {
        if self.random.happens(self.lost) {
            return Ok(false);
        }
        self.oracle.carried_out(whose, id, what)?;
        Ok(!self.random.happens(self.unanswered))
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(millis(self.now) * 1000)
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// An id that nobody else has: above those of events.
    fn fresh(&mut self) -> Uuid {
        Uuid::from_u128(u128::from(self.next()) << 64)
    }

    fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    fn say(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>6} chores: {}", self.now, what()));
        }
    }
}

/// The id of the event with this number.
fn event_id(number: u64) -> Uuid {
    Uuid::from_u128(number.into())
}

fn pick(random: &mut Random, all: &[&Waiting]) -> Option<Waiting> {
    all.get(random.below(all.len())).copied().cloned()
}

fn millis(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX / 1000)
}
