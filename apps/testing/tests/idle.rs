//! What leaves memory when its time has passed, and the test says when that is.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::future::{BoxFuture, ready};
use serde::{Deserialize, Serialize};
use umbel_bus::DispatchError;
use umbel_core::{
    After, Aggregate, Command, Context, Cue, Decide, Decision, Event, Lifespan, ProcessManager, Reaction,
    RecordedEvent, Route, Timestamp, events,
    process_manager::{ManagerOptions, Occasion},
    store::{Append, AppendError, Appended, StoreError},
};
use umbel_host::App;
use umbel_persistence::Adapter;
use umbel_testing::{Call, Intercept, Intercepted, TestUmbrella, run};

const MINUTE: Duration = Duration::from_secs(60);

/// Tests that count lamps.
static COUNTING: Mutex<()> = Mutex::new(());

/// Lamps in memory, and how often one was looked up in the log.
static ALIVE: AtomicU32 = AtomicU32::new(0);
static EVOLVED: AtomicU32 = AtomicU32::new(0);

#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "lamp.light", rejection = String)]
struct Light {
    lamp: String,
    /// For how long it stays in memory; the default without.
    minutes: Option<u32>,
}

/// Does not light it.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "lamp.fumble", rejection = String)]
struct Fumble {
    lamp: String,
    how: How,
    stays: Stays,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum How {
    Rejected,
    Panicked,
    /// By the store, after an event that says something else.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stays {
    Default,
    Minutes(u32),
    Stop,
    Forever,
}

#[derive(Clone, Debug, Serialize, Deserialize, Event)]
#[event(name = "lamp.lit")]
struct Lit {
    lamp: String,
    minutes: Option<u32>,
}

events! { #[derive(Clone)] enum LampEvent { Lit(Lit) } }

struct Lamp;

impl Default for Lamp {
    fn default() -> Self {
        ALIVE.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Lamp {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Aggregate for Lamp {
    const CATEGORY: &'static str = "lamp";
    type Event = LampEvent;
    type Commands = (Light, Fumble);

    fn evolve(self, _: &LampEvent) -> Self {
        EVOLVED.fetch_add(1, Ordering::SeqCst);
        self
    }

    fn lifespan(after: After<'_, LampEvent>) -> Lifespan {
        match after {
            After::Event(LampEvent::Lit(Lit { minutes: Some(minutes), .. })) => {
                Lifespan::Keep(*minutes * MINUTE)
            }
            After::Rejection(asked, _) | After::Failure(asked) => {
                asked.command::<Fumble>().map_or(Lifespan::Default, |fumble| fumble.stays.into())
            }
            _ => Lifespan::Default,
        }
    }
}

impl From<Stays> for Lifespan {
    fn from(stays: Stays) -> Self {
        match stays {
            Stays::Default => Self::Default,
            Stays::Minutes(minutes) => Self::Keep(minutes * MINUTE),
            Stays::Stop => Self::Stop,
            Stays::Forever => Self::Forever,
        }
    }
}

impl Decide<Fumble> for Lamp {
    fn identify(command: &Fumble) -> String {
        command.lamp.clone()
    }

    fn decide(&self, command: &Fumble, _: &Context<'_>) -> Result<Decision<LampEvent, ()>, String> {
        match command.how {
            How::Rejected => Err("told to".into()),
            How::Panicked => panic!("told to"),
            How::Refused => Ok(LampEvent::from(Lit { lamp: command.lamp.clone(), minutes: Some(30) }).into()),
        }
    }
}

/// Whether the store takes nothing.
#[derive(Default)]
struct Full(AtomicBool);

impl Intercept for Full {
    fn append<'a>(
        &'a self,
        inner: &'a dyn Adapter,
        group: Vec<Append>,
        now: Timestamp,
    ) -> BoxFuture<'a, Vec<Result<Appended, AppendError>>> {
        if self.0.load(Ordering::SeqCst) {
            let full = || StoreError::Failed { reason: "told to refuse".into() };
            return Box::pin(ready(group.iter().map(|_| Err(full().into())).collect()));
        }
        inner.append(group, now)
    }
}

impl Decide<Light> for Lamp {
    fn identify(command: &Light) -> String {
        command.lamp.clone()
    }

    fn decide(&self, command: &Light, _: &Context<'_>) -> Result<Decision<LampEvent, ()>, String> {
        let Light { lamp, minutes } = command.clone();
        Ok(LampEvent::from(Lit { lamp, minutes }).into())
    }
}

/// Counts how often a lamp was lit, and remembers the count for ten minutes.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Meter {
    times: u32,
}

impl ProcessManager for Meter {
    const NAME: &'static str = "lamp.meter";
    type Event = LampEvent;
    type Error = String;

    fn options() -> ManagerOptions {
        ManagerOptions::default().idle(10 * MINUTE)
    }

    fn route(LampEvent::Lit(lit): &LampEvent, _: &RecordedEvent) -> Route {
        Route::start(&lit.lamp)
    }

    fn handle(&self, _: Cue<'_, LampEvent>, _: &Occasion<'_>) -> Result<Reaction, String> {
        Ok(Reaction::nothing())
    }

    fn evolve(self, _: Cue<'_, LampEvent>) -> Self {
        Self { times: self.times + 1 }
    }
}

/// Counts how often documents are read.
#[derive(Default)]
struct Reads(AtomicU32);

impl Intercept for Reads {
    fn after(&self, call: Call) -> Result<(), StoreError> {
        if call == Call::GetDocuments {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// AG-08: given a lifespan, or that of the settings, then an aggregate leaves memory once a test has let so much time pass, and not
/// before.
#[test]
fn aggregates_leave_memory_when_told() {
    let _counting = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    run(async {
        let builder = TestUmbrella::builder().app(App::new("lamp").aggregate::<Lamp>());
        let umbrella = builder.host(|host| host.aggregate_idle_ms = 600_000).start().await;
        let steps = [
            (Duration::ZERO, None, true),
            (9 * MINUTE, None, false),
            (9 * MINUTE, None, false),
            (10 * MINUTE, Some(2), true),
            (MINUTE, Some(2), false),
            (2 * MINUTE, Some(60), true),
            (59 * MINUTE, None, false),
            (10 * MINUTE, None, true),
        ];
        for (stored, (waits, minutes, is_read_again)) in (0..).zip(steps) {
            umbrella.advance(waits).await;
            let before = EVOLVED.load(Ordering::SeqCst);
            umbrella.dispatch(Light { lamp: "a".into(), minutes }).await;
            let evolved = EVOLVED.load(Ordering::SeqCst) - before;
            assert_eq!(evolved, if is_read_again { stored + 1 } else { 1 }, "{waits:?} after event {stored}");
        }
        umbrella.dispatch(Light { lamp: "b".into(), minutes: Some(1) }).await;
        for (waits, alive) in [(MINUTE, 1), (9 * MINUTE, 0)] {
            umbrella.advance(waits).await;
            // Nobody asks for them: they go by themselves.
            while ALIVE.load(Ordering::SeqCst) != alive {
                tokio::task::yield_now().await;
            }
        }
        umbrella.stop().await;
    });
}

/// AG-08: given a command that is rejected, that panics, or whose events the store refuses, then its aggregate stays for as long as is said
/// of that, whatever was said of the event before, and leaves by itself; the next command that says something else counts.
#[test]
fn aggregates_stay_after_a_failure_as_long_as_that_says() {
    let _counting = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    run(async {
        let store = Arc::<Intercepted<Full>>::default();
        let builder = TestUmbrella::builder().over(Arc::clone(&store) as _);
        let builder = builder.app(App::new("lamp").aggregate::<Lamp>());
        let umbrella = builder.host(|host| host.aggregate_idle_ms = 600_000).start().await;
        let light = async |minutes| {
            let before = EVOLVED.load(Ordering::SeqCst);
            umbrella.dispatch(Light { lamp: "a".into(), minutes }).await;
            EVOLVED.load(Ordering::SeqCst) - before
        };
        let fumble = async |how, stays| {
            store.0.store(how == How::Refused, Ordering::SeqCst);
            let fumbled = umbrella.bus().dispatch(Fumble { lamp: "a".into(), how, stays }).await.unwrap_err();
            store.0.store(false, Ordering::SeqCst);
            assert_eq!(matches!(fumbled, DispatchError::Rejected(_)), how == How::Rejected, "{fumbled:?}");
        };
        let until = async |alive| {
            while ALIVE.load(Ordering::SeqCst) > alive {
                tokio::task::yield_now().await;
            }
        };
        // Whoever had to leave by now has left when one does that comes later.
        let is_there = async || {
            umbrella.dispatch(Light { lamp: "b".into(), minutes: Some(0) }).await;
            until(1).await;
            ALIVE.load(Ordering::SeqCst) == 1
        };
        let mut stored = 0;
        for how in [How::Rejected, How::Panicked, How::Refused] {
            for (stays, minutes) in [(Stays::Minutes(2), 2), (Stays::Default, 10), (Stays::Minutes(60), 60)] {
                light(Some(20)).await;
                fumble(how, stays).await;
                umbrella.advance((minutes - 1) * MINUTE).await;
                assert!(is_there().await, "{how:?} {stays:?}");
                // A panic leaves nothing of the state.
                let evolved = if how == How::Panicked { stored + 2 } else { 1 };
                assert_eq!(light(None).await, evolved, "{how:?} {stays:?}");
                fumble(how, stays).await;
                umbrella.advance(minutes * MINUTE).await;
                until(0).await;
                stored += 2;
            }
            // What is gone is read again.
            assert_eq!(light(Some(20)).await, stored + 1);
            fumble(how, Stays::Stop).await;
            until(0).await;

            assert_eq!(light(Some(20)).await, stored + 2);
            fumble(how, Stays::Forever).await;
            umbrella.advance(10_000 * MINUTE).await;
            assert!(is_there().await, "{how:?}");
            light(Some(1)).await;
            umbrella.advance(MINUTE).await;
            until(0).await;
            stored += 3;
        }
        // One that was not there is read for it, and stays as long.
        fumble(How::Rejected, Stays::Minutes(30)).await;
        umbrella.advance(29 * MINUTE).await;
        assert_eq!(light(None).await, 1);
        umbrella.stop().await;
    });
}

/// PM-08: given an idle limit, then an instance of a process manager leaves memory once a test has let so much time pass, and is
/// read again.
#[test]
fn process_managers_leave_memory_when_told() {
    run(async {
        let store = Arc::<Intercepted<Reads>>::default();
        let builder = TestUmbrella::builder().over(Arc::clone(&store) as _);
        let umbrella = builder.app(App::new("lamp").process_manager::<Meter>()).start().await;
        for (waits, reads) in [(0, 1), (9, 1), (9, 1), (10, 2), (1, 2), (60, 3)] {
            umbrella.advance(waits * MINUTE).await;
            umbrella.append("lamp-a", &Lit { lamp: "a".into(), minutes: None }).await;
            umbrella.settled().await;
            assert_eq!(store.0.load(Ordering::SeqCst), reads, "after {waits} minutes more");
        }
        umbrella.stop().await;
    });
}
