//! What leaves memory when its time has passed, and the test says when that is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use umbel_core::{
    After, Aggregate, Command, Context, Cue, Decide, Decision, Event, Lifespan, ProcessManager, Reaction,
    RecordedEvent, Route, events,
    process_manager::{ManagerOptions, Occasion},
    store::StoreError,
};
use umbel_host::App;
use umbel_testing::{Call, Intercept, Intercepted, TestUmbrella, run};

const MINUTE: Duration = Duration::from_secs(60);

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
    type Commands = (Light,);

    fn evolve(self, _: &LampEvent) -> Self {
        EVOLVED.fetch_add(1, Ordering::SeqCst);
        self
    }

    fn lifespan(after: After<'_, LampEvent>) -> Lifespan {
        match after {
            After::Event(LampEvent::Lit(Lit { minutes: Some(minutes), .. })) => {
                Lifespan::Keep(*minutes * MINUTE)
            }
            _ => Lifespan::Default,
        }
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
