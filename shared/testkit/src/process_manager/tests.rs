//! What holds passes, and what does not hold fails.

mod commands;

use std::panic::catch_unwind;

use serde::{Deserialize, Serialize};
use umbel_core::{Event, Reaction, Route, events, process_manager::Occasion};

use super::*;

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(name = "library.lent")]
struct Lent {
    book: String,
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(name = "library.returned")]
struct Returned {
    book: String,
}

events! { enum LibraryEvent { Lent(Lent), Returned(Returned) } }

#[derive(Debug, Serialize, Deserialize, Command)]
#[command(name = "library.remind", rejection = String)]
struct Remind {
    times: u32,
}

#[derive(Default, Serialize, Deserialize)]
struct Loan {
    reminded: u32,
}

const MONTH: Duration = Duration::from_secs(30 * 86_400);

impl ProcessManager for Loan {
    const NAME: &'static str = "library.loan";
    type Event = LibraryEvent;
    type Error = String;

    fn route(event: &LibraryEvent, _: &RecordedEvent) -> Route {
        match event {
            LibraryEvent::Lent(lent) => Route::start(&lent.book).strictly(),
            LibraryEvent::Returned(returned) => Route::proceed(&returned.book).strictly(),
        }
    }

    fn handle(&self, cue: Cue<'_, LibraryEvent>, _: &Occasion<'_>) -> Result<Reaction, String> {
        match cue {
            Cue::Event(LibraryEvent::Lent(_)) => Ok(Reaction::nothing().timer("due", MONTH)),
            Cue::Event(LibraryEvent::Returned(_)) => Ok(Reaction::nothing().stop()),
            Cue::Timer(_) => Ok(Reaction::command(Remind { times: self.reminded + 1 }).timer("due", MONTH)),
        }
    }

    fn evolve(self, cue: Cue<'_, LibraryEvent>) -> Self {
        match cue {
            Cue::Timer(_) => Self { reminded: self.reminded + 1 },
            Cue::Event(_) => self,
        }
    }
}

fn lent() -> Lent {
    Lent { book: "emma".into() }
}

fn returned() -> Returned {
    Returned { book: "emma".into() }
}

#[test]
fn what_holds_passes() {
    given_nothing::<Loan>("emma").when(lent()).then_nothing().timers([("due", MONTH)]);
    let reminded = given::<Loan>("emma", [lent()]).when_timer("due").then([ordered(Remind { times: 1 })]);
    assert_eq!(reminded.timers([("due", MONTH)]).state().reminded, 1);
    given::<Loan>("emma", [lent()]).when(returned()).then_nothing().ends().timers([]);
    given_nothing::<Loan>("emma").when(returned()).then_error("the instance was to go on, and is not there");
}

#[test]
fn what_does_not_hold_fails() {
    assert!(catch_unwind(|| given_nothing::<Loan>("other").when(lent())).is_err());
    assert!(catch_unwind(|| given_nothing::<Loan>("emma").when(lent()).then_nothing().ends()).is_err());
    assert!(catch_unwind(|| given::<Loan>("emma", [lent()]).when(lent()).then_nothing()).is_err());
    assert!(catch_unwind(|| given::<Loan>("emma", [lent()]).when_timer("other")).is_err());
    assert!(catch_unwind(|| given::<Loan>("emma", [lent()]).when_timer("due").then_nothing()).is_err());
    assert!(catch_unwind(|| given::<Loan>("emma", [lent()]).when(returned()).then_error("no")).is_err());
}
