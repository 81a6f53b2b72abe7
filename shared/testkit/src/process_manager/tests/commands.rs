//! Commands that are refused or fail, and what could not be handled.

use std::panic::catch_unwind;

use serde::{Deserialize, Serialize};
use umbel_core::{
    Event, Reaction, Route, events,
    process_manager::{CommandDone, Failure, Memory, Occasion, Onward, Verdict},
};

use super::super::*;

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(name = "shop.placed")]
struct Placed {
    order: String,
}

events! { enum OrderEvent { Placed(Placed) } }

macro_rules! commands {
    ($($command:ident $name:literal)*) => {$(
        #[derive(Debug, Serialize, Deserialize)]
        struct $command {}
        impl Command for $command {
            const NAME: &'static str = $name;
            type Reply = u32;
            type Rejection = String;
        }
    )*};
}

commands! { Reserve "shop.reserve" Pay "shop.pay" Ship "shop.ship" Cancel "shop.cancel" }

#[derive(Default, Serialize, Deserialize)]
struct Order {
    placed: bool,
}

impl ProcessManager for Order {
    const NAME: &'static str = "shop.order";
    type Event = OrderEvent;
    type Error = String;

    fn route(event: &OrderEvent, _: &RecordedEvent) -> Route {
        let OrderEvent::Placed(placed) = event;
        Route::start(&placed.order)
    }

    fn handle(&self, _: Cue<'_, OrderEvent>, _: &Occasion<'_>) -> Result<Reaction, String> {
        if self.placed {
            return Err("placed before".to_owned());
        }
        Ok(Reaction::command(Reserve {}).and(Pay {}).and(Ship {}).timer("late", Duration::from_secs(9)))
    }

    fn evolve(self, _: Cue<'_, OrderEvent>) -> Self {
        Self { placed: true }
    }

    fn after_command(&self, done: &CommandDone<'_>) -> Onward {
        assert!(self.placed, "it knows the event");
        if done.reply::<Ship>() == Some(7) { Onward::Stop } else { Onward::Stay }
    }

    fn on_error(failure: &Failure<'_, Self>, memory: &mut Memory) -> Verdict {
        let stop = |reason: &str| Verdict::Stop { reason: reason.to_owned() };
        match &failure.cause {
            Cause::Command(failed) if let Some(why) = failed.rejection::<Reserve>() => match &*why {
                "sold out" => Verdict::Instead(Reaction::command(Cancel {}).and(Pay {})),
                "never mind" => Verdict::SkipRest,
                _ => Verdict::Skip,
            },
            Cause::Command(failed) if failed.code == "timeout" && failure.attempt < 3 => {
                memory.insert("slow".to_owned(), failed.name.clone().into());
                Verdict::Retry { after: Duration::from_secs(failure.attempt.into()) }
            }
            Cause::Command(failed) if failed.code == "timeout" => {
                assert_eq!((failure.pending, &memory["slow"]), (1, &Value::from("shop.pay")));
                Verdict::Park
            }
            Cause::Command(failed) if failed.name == Cancel::NAME => stop("not even that"),
            Cause::Error(_) if failure.attempt == 1 => Verdict::Retry { after: Duration::from_secs(5) },
            Cause::Error(_) => Verdict::Skip,
            _ => failure.policy.clone(),
        }
    }
}

fn placed() -> Placed {
    Placed { order: "1".into() }
}

fn ordered_all() -> Then<Order> {
    given_nothing::<Order>("1").when(placed()).then([ordered(Reserve {}), ordered(Pay {}), ordered(Ship {})])
}

/// Each verdict of a failed command, and what follows.
#[test]
fn what_becomes_of_a_command_is_told() {
    let skipped = ordered_all().refused::<Reserve>(&"so what".to_owned()).then_skipped();
    let paid = skipped.carried_out::<Pay>(&1);
    assert!(paid.carried_out::<Ship>(&1).state().placed, "it goes on");
    ordered_all()
        .carried_out::<Reserve>(&1)
        .failed::<Pay>("timeout")
        .then_retried(Duration::from_secs(1))
        .failed::<Pay>("timeout")
        .then_retried(Duration::from_secs(2))
        .failed::<Pay>("timeout")
        .then_parked();
    let rest = ordered_all().refused::<Reserve>(&"never mind".to_owned()).then_rest_skipped();
    assert!(rest.state().placed);
    ordered_all()
        .refused::<Reserve>(&"sold out".to_owned())
        .then_instead([ordered(Cancel {}), ordered(Pay {})])
        .failed::<Cancel>("no_handler")
        .then_stopped("not even that");
    ordered_all().failed::<Reserve>("no_handler").then_as_the_settings_say();
}

/// A command that was carried out may be the instance's last deed.
#[test]
fn an_instance_may_end_with_a_command() {
    let last = ordered_all().carried_out::<Reserve>(&1).carried_out::<Pay>(&1).carried_out::<Ship>(&7);
    last.ends().timers([]);
}

/// What the manager could not handle is judged as often as it is said.
#[test]
fn what_becomes_of_an_error_is_told() {
    let again = || given::<Order>("1", [placed()]).when(placed()).then_error("placed before");
    again().then_retried(Duration::from_secs(5)).then_skipped();
    assert!(catch_unwind(|| again().then_skipped()).is_err());
    assert!(catch_unwind(|| again().then_retried(Duration::from_secs(4))).is_err());
    assert!(catch_unwind(|| again().then_parked()).is_err());
    assert!(catch_unwind(|| again().then_as_the_settings_say()).is_err());
}

#[test]
fn what_does_not_hold_fails() {
    let refused = |why: &str| ordered_all().refused::<Reserve>(&why.to_owned());
    assert!(catch_unwind(|| ordered_all().carried_out::<Pay>(&1)).is_err(), "another one is first");
    assert!(catch_unwind(|| ordered_all().failed::<Ship>("timeout")).is_err(), "another one is first");
    assert!(catch_unwind(|| refused("so what").then_rest_skipped()).is_err());
    assert!(catch_unwind(|| refused("so what").then_parked()).is_err());
    assert!(catch_unwind(|| refused("sold out").then_instead([ordered(Pay {})])).is_err());
    assert!(catch_unwind(|| refused("sold out").then_stopped("no")).is_err());
    let rest = || refused("never mind").then_rest_skipped();
    assert!(catch_unwind(|| rest().carried_out::<Pay>(&1)).is_err(), "none is left");
    assert!(catch_unwind(|| rest().ends()).is_err());
}
