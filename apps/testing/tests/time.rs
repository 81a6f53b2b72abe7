//! Time that passes when the test says so: nights, timers, and what decisions plan.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use umbel_core::{
    Aggregate, Command, Context, Cue, Decide, Decision, Event, ProcessManager, Reaction, RecordedEvent,
    Route, Timestamp, events, process_manager::Occasion, schedule::When,
};
use umbel_host::App;
use umbel_testing::{
    TestUmbrella,
    aggregate::{NOW, given_nothing, later, later_as, taken_back},
    run,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "safe.open", rejection = String)]
struct Open {}

#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "safe.check", rejection = String)]
struct Check {}

#[derive(Clone, Debug, Serialize, Deserialize, Event)]
#[event(name = "safe.opened")]
struct Opened {}

#[derive(Clone, Debug, Serialize, Deserialize, Event)]
#[event(name = "safe.checked")]
struct Checked {
    at: Timestamp,
}

events! { #[derive(Clone)] enum SafeEvent { Opened(Opened), Checked(Checked) } }

#[derive(Default)]
struct Safe;

impl Aggregate for Safe {
    const CATEGORY: &'static str = "safe";
    type Event = SafeEvent;
    type Commands = (Open, Check);
    fn evolve(self, _: &SafeEvent) -> Self {
        self
    }
}

impl Decide<Open> for Safe {
    fn identify(_: &Open) -> String {
        "one".into()
    }
    fn decide(&self, _: &Open, _: &Context<'_>) -> Result<Decision<SafeEvent, ()>, String> {
        let opened = Decision::from(SafeEvent::from(Opened {}));
        Ok(opened
            .schedule(Check {}, When::After(DAY))
            .schedule_as("soon", Check {}, When::At(NOW))
            .cancel("soon"))
    }
}

impl Decide<Check> for Safe {
    fn identify(_: &Check) -> String {
        "one".into()
    }
    fn decide(&self, _: &Check, context: &Context<'_>) -> Result<Decision<SafeEvent, ()>, String> {
        Ok(SafeEvent::from(Checked { at: context.now() }).into())
    }
}

/// Has a safe checked two days after it was opened.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Guard {}

impl ProcessManager for Guard {
    const NAME: &'static str = "safe.guard";
    type Event = SafeEvent;
    type Error = String;

    fn route(event: &SafeEvent, _: &RecordedEvent) -> Route {
        match event {
            SafeEvent::Opened(_) => Route::start("one"),
            SafeEvent::Checked(_) => Route::ignore(),
        }
    }

    fn handle(&self, cue: Cue<'_, SafeEvent>, _: &Occasion<'_>) -> Result<Reaction, String> {
        Ok(match cue {
            Cue::Event(_) => Reaction::nothing().timer("check", 2 * DAY),
            Cue::Timer(_) => Reaction::command(Check {}).stop(),
        })
    }

    fn evolve(self, _: Cue<'_, SafeEvent>) -> Self {
        self
    }
}

async fn checked(umbrella: &TestUmbrella) -> Vec<Timestamp> {
    let events = umbrella.events::<SafeEvent>().await;
    events
        .iter()
        .filter_map(|event| match event {
            SafeEvent::Checked(Checked { at }) => Some(*at),
            SafeEvent::Opened(_) => None,
        })
        .collect()
}

/// TM-11: a command of each night is carried out three times in three days, each time at its moment, in hardly any real time.
#[test]
fn nights_pass_in_no_time() {
    run(async {
        let app = App::new("safe").aggregate::<Safe>().recurring("check", "30 3 * * *", || Check {});
        let umbrella = TestUmbrella::of(app).await;
        let (began, start) = (Instant::now(), umbrella.now());
        umbrella.advance(3 * DAY).await;
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        let times = checked(&umbrella).await;
        assert_eq!(times.len(), 3, "{times:?}");
        for time in &times {
            assert!(time.to_string().contains("T03:30:0"), "{time}");
        }
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]) && times[0] > start);
        assert!(umbrella.now() >= start.plus(3 * DAY));
        let umbrella = umbrella.restart().await;
        umbrella.advance(DAY).await;
        assert_eq!(checked(&umbrella).await.len(), 4, "time does not go back");
        umbrella.stop().await;
    });
}

/// TM-11: what a decision planned, and the timer of a process manager, come when their time has passed and not before.
#[test]
fn timers_run_out_when_told() {
    run(async {
        let app = App::new("safe").aggregate::<Safe>().process_manager::<Guard>();
        let umbrella = TestUmbrella::of(app).await;
        umbrella.dispatch(Open {}).await;
        for (hours, count) in [(23, 0), (2, 1), (22, 1), (2, 2), (240, 2)] {
            umbrella.advance(Duration::from_secs(hours * 3600)).await;
            assert_eq!(checked(&umbrella).await.len(), count, "after {hours} hours more");
        }
        umbrella.stop().await;
    });
}

/// TM-02, TM-04: though appends fail and answers are lost, what was planned and the timer come once.
#[test]
fn timers_outlive_a_store_that_fails() {
    run(async {
        let app = App::new("safe").aggregate::<Safe>().process_manager::<Guard>();
        let umbrella = TestUmbrella::of(app).await;
        umbrella.dispatch(Open {}).await;
        umbrella.settled().await;
        umbrella.fail_appends(2);
        umbrella.advance(DAY).await;
        assert_eq!(checked(&umbrella).await.len(), 1);
        umbrella.lose_answers(3);
        umbrella.advance(DAY).await;
        assert_eq!(checked(&umbrella).await.len(), 2);
        umbrella.advance(DAY).await;
        assert_eq!(checked(&umbrella).await.len(), 2);
        umbrella.stop().await;
    });
}

/// TM-09: what a decision plans is told by given, when, then.
#[test]
fn plans_are_told_by_the_rule() {
    let opened = || given_nothing::<Safe>().when(Open {}).then([Opened {}]);
    let then = NOW.plus(DAY);
    opened().plans([
        later(Check {}, When::At(then)),
        later_as("soon", Check {}, When::At(NOW)),
        taken_back("soon"),
    ]);
    for wrong in [later(Check {}, When::After(2 * DAY)), later(Open {}, When::After(DAY)), taken_back("soon")]
    {
        let test = std::panic::AssertUnwindSafe(|| drop(opened().plans([wrong])));
        assert!(std::panic::catch_unwind(test).is_err());
    }
}
