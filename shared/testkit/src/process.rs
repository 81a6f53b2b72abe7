//! Tests of process managers without a store: events and timers in, commands out, on a clock that the test turns.
//!
//! ```ignore
//! Processes::<Checkout>::new()
//!     .given("order-1", Placed { order: 1 })
//!     .when("order-1", Paid { order: 1 })
//!     .then([command(Ship { order: 1 })])
//!     .when_passes(Duration::from_secs(86_400))
//!     .then([command(Ask { order: 1 })]);
//! ```
//!
//! Promises: events go through their stored form, and so does what an instance remembers, after every step; commands are compared by what
//! goes over the wire. Commands count as carried out at once, and `after_command` is not asked. The first event is recorded at
//! [`NOW`], and time passes only when the test says so.

#![allow(clippy::panic, reason = "a failed expectation of a test is a panic")]

use std::{collections::BTreeMap, marker::PhantomData, time::Duration};

use serde_json::Value;
use umbel_core::{
    Command, Cue, Event, Json, ProcessManager, RecordedEvent, StreamName, Timestamp, Version,
    process_manager::{File, Origin, Settled, Step, Task, Trouble, decide, settle, upgrade_or_decode},
};

use crate::{aggregate::NOW, projection::recorded};

/// A command in its wire form: name and data.
pub type Expected = (&'static str, Value);

/// The instances of a process manager after some events.
#[must_use]
pub struct Processes<P> {
    instances: BTreeMap<String, File>,
    versions: BTreeMap<StreamName, Version>,
    events: u64,
    now: Timestamp,
    manager: PhantomData<fn() -> P>,
}

/// What followed from an event, or from time that passed, and nothing said about it yet.
#[must_use]
pub struct Followed<P> {
    processes: Processes<P>,
    outcome: Result<Vec<(String, Value)>, String>,
}

/// A command that is expected.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "tests read better so")]
pub fn command<C: Command>(command: C) -> Expected {
    let data = serde_json::to_value(&command);
    (C::NAME, data.unwrap_or_else(|error| panic!("{}: {error}", C::NAME)))
}

impl<P: ProcessManager> Default for Processes<P> {
    fn default() -> Self {
        let (instances, versions) = (BTreeMap::new(), BTreeMap::new());
        Self { instances, versions, events: 0, now: NOW, manager: PhantomData }
    }
}

impl<P: ProcessManager> Processes<P> {
    /// Before the first event: no instances.
    pub fn new() -> Self {
        Self::default()
    }

    /// An event has happened; what follows from it is not looked at.
    #[track_caller]
    pub fn given<E: Event>(self, stream: &str, event: E) -> Self {
        let Followed { processes, outcome } = self.when(stream, event);
        outcome.unwrap_or_else(|problem| panic!("it cannot be given: {problem}"));
        processes
    }

    /// An event happens.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "an event that has happened belongs to the log")]
    pub fn when<E: Event>(mut self, stream: &str, event: E) -> Followed<P> {
        let stream = StreamName::new(stream).unwrap_or_else(|error| panic!("{error}"));
        let version = self.versions.entry(stream.clone()).or_insert(Version::START);
        *version = version.next();
        self.events += 1;
        let recorded = recorded(self.events, stream, *version, self.now, &event);
        let outcome = self.take(&recorded);
        Followed { processes: self, outcome }
    }

    /// Time passes. Timers that run out within it do so one after the other, each at its time.
    #[track_caller]
    pub fn when_passes(mut self, time: Duration) -> Followed<P> {
        let until = self.now.plus(time);
        let mut commands = Vec::new();
        while let Some((due_at, instance, name)) = self.next_timer().filter(|(due_at, ..)| *due_at <= until) {
            self.now = self.now.max(due_at);
            match self.run_out(&instance, &name) {
                Ok(more) => commands.extend(more),
                Err(problem) => return Followed { processes: self, outcome: Err(problem) },
            }
        }
        self.now = until;
        Followed { processes: self, outcome: Ok(commands) }
    }

    /// What an instance remembers; none if there is no such instance, or it has ended.
    #[track_caller]
    #[must_use]
    pub fn instance(&self, instance: &str) -> Option<P> {
        let file = self.instances.get(instance)?;
        Some(upgrade_or_decode(file).unwrap_or_else(|problem| panic!("{instance}: {problem}")))
    }

    /// The timers that run for an instance, and how long yet.
    #[must_use]
    pub fn timers(&self, instance: &str) -> Vec<(String, Duration)> {
        let timers = self.instances.get(instance).into_iter().flat_map(|file| &file.timers);
        let left = |due_at: Timestamp| due_at.as_micros().saturating_sub(self.now.as_micros());
        let told = timers.map(|(name, timer)| (name.clone(), u64::try_from(left(timer.due_at)).unwrap_or(0)));
        told.map(|(name, micros)| (name, Duration::from_micros(micros))).collect()
    }

    fn take(&mut self, recorded: &RecordedEvent) -> Result<Vec<(String, Value)>, String> {
        let events = recorded.decode::<P::Event>().map_err(|error| error.to_string())?;
        let mut commands = Vec::new();
        for (part, event) in (0..).zip(events) {
            let origin = Origin::of(recorded, part);
            for interest in P::route(&event, recorded).interests() {
                let (cue, step, strict) = (Cue::Event(&event), interest.step, interest.strict);
                commands.extend(
                    self.ask(&interest.instance, &self.task(cue, Some(recorded), &origin, step, strict))?,
                );
            }
        }
        Ok(commands)
    }

    fn run_out(&mut self, instance: &str, name: &str) -> Result<Vec<(String, Value)>, String> {
        let timer = self.instances.get(instance).and_then(|file| file.timers.get(name));
        let Some(origin) = timer.map(|timer| timer.origin.clone()) else { return Ok(Vec::new()) };
        self.ask(instance, &self.task(Cue::Timer(name), None, &origin, Step::Continue, false))
    }

    fn task<'a>(
        &self,
        cue: Cue<'a, P::Event>,
        recorded: Option<&'a RecordedEvent>,
        origin: &Origin,
        step: Step,
        strict: bool,
    ) -> Task<'a, P::Event> {
        let (origin, now, patience) = (origin.clone(), self.now, Duration::from_secs(60));
        Task { cue, recorded, origin, step, strict, now, patience }
    }

    /// Has an instance decide; its commands, which count as carried out.
    fn ask(&mut self, instance: &str, task: &Task<'_, P::Event>) -> Result<Vec<(String, Value)>, String> {
        let cause = task.origin.cause;
        let decision = decide::<P>(instance, self.instances.get(instance), task).map_err(words)?;
        let mut file = decision.file;
        let pending = file.as_ref().and_then(|file| file.pending_of(cause)).cloned();
        if let Some(stored) = &file
            && let Some(settled) = settle(stored, cause, &Settled::Done)?
        {
            file = settled.file;
        }
        // As it will be read the next time.
        let stored = |file: File| Json::encode(&file).and_then(|stored| stored.decode::<File>());
        match file.map(stored).transpose().map_err(|error| error.to_string())? {
            Some(file) => drop(self.instances.insert(instance.to_owned(), file)),
            None => drop(self.instances.remove(instance)),
        }
        let orders = pending.into_iter().flat_map(|pending| pending.orders);
        let wire = |body: &Json| body.decode().map_err(|error| error.to_string());
        orders.map(|order| Ok((order.name, wire(&order.body)?))).collect()
    }

    /// The next timer that runs out, of whichever instance.
    fn next_timer(&self) -> Option<(Timestamp, String, String)> {
        let of = |(instance, file): (&String, &File)| {
            let timers =
                file.timers.iter().map(|(name, timer)| (timer.due_at, instance.clone(), name.clone()));
            timers.collect::<Vec<_>>()
        };
        self.instances.iter().flat_map(of).min()
    }
}

impl<P: ProcessManager> Followed<P> {
    /// Exactly these commands follow, in this order; see [`command`].
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = Expected>) -> Processes<P> {
        let commands = self.outcome.unwrap_or_else(|problem| panic!("expected commands, but: {problem}"));
        let expected: Vec<_> = expected.into_iter().map(|(name, data)| (name.to_owned(), data)).collect();
        assert_eq!(commands, expected, "the commands that follow (left) are not the expected ones (right)");
        self.processes
    }

    /// No command follows.
    #[track_caller]
    pub fn then_nothing(self) -> Processes<P> {
        self.then([])
    }

    /// It cannot be handled, for a reason with these words in it. Nothing has changed then.
    #[track_caller]
    pub fn then_fails(self, words: &str) -> Processes<P> {
        match self.outcome {
            Err(problem) => assert!(problem.contains(words), "it fails, but otherwise: {problem}"),
            Ok(commands) => panic!("expected a failure, but these commands follow: {commands:?}"),
        }
        self.processes
    }
}

fn words<E: std::fmt::Display>(trouble: Trouble<E>) -> String {
    match trouble {
        Trouble::Error(error) => error.to_string(),
        Trouble::Started => "the instance is there already".to_owned(),
        Trouble::NotStarted => "the instance is not there".to_owned(),
        Trouble::State(reason) | Trouble::Refused(reason) => reason,
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use serde::{Deserialize, Serialize};
    use umbel_core::{Reaction, Route, events, process_manager::Occasion};

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[derive(Debug, Serialize, Deserialize)]
    struct Placed {}
    #[derive(Debug, Serialize, Deserialize)]
    struct Paid {
        amount: u32,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Remind {
        order: String,
        times: u32,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Ship {
        order: String,
    }

    impl Event for Placed {
        const NAME: &'static str = "shop.placed";
    }
    impl Event for Paid {
        const NAME: &'static str = "shop.paid";
    }
    impl Command for Remind {
        const NAME: &'static str = "shop.remind";
        type Reply = ();
        type Rejection = String;
    }
    impl Command for Ship {
        const NAME: &'static str = "shop.ship";
        type Reply = ();
        type Rejection = String;
    }

    events! { enum ShopEvent { Placed(Placed), Paid(Paid) } }

    /// Reminds every day until an order is paid.
    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Checkout {
        reminded: u32,
    }

    impl ProcessManager for Checkout {
        const NAME: &'static str = "shop.checkout";
        type Event = ShopEvent;
        type Error = String;

        fn route(event: &ShopEvent, recorded: &RecordedEvent) -> Route {
            match event {
                ShopEvent::Placed(_) => Route::start(recorded.stream.id()).strictly(),
                ShopEvent::Paid(_) => Route::proceed(recorded.stream.id()).strictly(),
            }
        }

        fn handle(&self, cue: Cue<'_, ShopEvent>, occasion: &Occasion<'_>) -> Result<Reaction, String> {
            let order = occasion.instance.to_owned();
            match cue {
                Cue::Event(ShopEvent::Placed(_)) => Ok(Reaction::nothing().timer("payment", DAY)),
                Cue::Event(ShopEvent::Paid(Paid { amount: 0 })) => Err("paid nothing".to_owned()),
                Cue::Event(ShopEvent::Paid(_)) => Ok(Reaction::command(Ship { order }).stop()),
                Cue::Timer(_) => {
                    let remind = Remind { order, times: self.reminded + 1 };
                    Ok(Reaction::command(remind).timer("payment", DAY))
                }
            }
        }

        fn evolve(self, cue: Cue<'_, ShopEvent>) -> Self {
            Self { reminded: self.reminded + u32::from(matches!(cue, Cue::Timer(_))) }
        }
    }

    fn remind(times: u32) -> Expected {
        command(Remind { order: "1".into(), times })
    }

    fn placed() -> Processes<Checkout> {
        Processes::<Checkout>::new().given("order-1", Placed {})
    }

    #[test]
    fn what_holds_passes() {
        let placed = placed();
        assert_eq!(placed.timers("1"), [("payment".to_owned(), DAY)]);
        let reminded = placed.when_passes(DAY * 5 / 2).then([remind(1), remind(2)]);
        assert_eq!(reminded.instance("1"), Some(Checkout { reminded: 2 }));
        assert_eq!(reminded.timers("1"), [("payment".to_owned(), DAY / 2)]);
        let failed = reminded.when("order-1", Paid { amount: 0 }).then_fails("paid nothing");
        assert_eq!(failed.instance("1"), Some(Checkout { reminded: 2 }));
        let paid = failed.when("order-1", Paid { amount: 5 }).then([command(Ship { order: "1".into() })]);
        assert_eq!((paid.instance("1"), paid.timers("1").len()), (None, 0));
        let quiet = paid.when_passes(DAY * 9).then_nothing();
        drop(quiet.when("order-1", Paid { amount: 5 }).then_fails("not there"));
    }

    #[test]
    fn what_does_not_hold_fails() {
        let paid = || placed().when("order-1", Paid { amount: 5 });
        assert!(catch_unwind(|| paid().then_nothing()).is_err());
        assert!(catch_unwind(|| paid().then([remind(1)])).is_err());
        assert!(catch_unwind(|| paid().then_fails("")).is_err());
        assert!(catch_unwind(|| placed().when("order-1", Placed {}).then_nothing()).is_err());
        assert!(catch_unwind(|| placed().given("order-1", Paid { amount: 0 })).is_err());
        assert!(
            catch_unwind(|| placed().when("order-1", Paid { amount: 0 }).then_fails("sold out")).is_err()
        );
    }
}
