//! A process manager: each event leads to a command of its own, some to a timer, some to the end.

use std::{convert::Infallible, time::Duration};

use serde::{Deserialize, Serialize};
use umbel_core::{
    Command, Event, ProcessManager, RecordedEvent, events,
    process_manager::{Cue, Occasion, Reaction, Route, Step},
};

/// What becomes of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Begin,
    GoOn,
    /// It says itself that it ends, with a last command.
    Finish,
    /// It ends without being asked.
    Drop,
}

/// Something has happened; its number is another one each time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, Event)]
#[event(name = "sim.happened")]
pub(super) struct Happened {
    pub(super) number: u64,
    pub(super) kind: Kind,
}

events! { pub(super) enum Happening { Happened(Happened) } }

/// What is to be done: another thing each time.
#[derive(Debug, Serialize, Deserialize, Command)]
#[command(name = "sim.do", rejection = String)]
pub(super) struct Do {
    pub(super) what: String,
}

/// The events that an instance has seen since it began.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Errands {
    pub(super) seen: Vec<u64>,
}

impl Kind {
    pub(super) const fn step(self) -> Step {
        match self {
            Self::Begin => Step::Start,
            Self::GoOn | Self::Finish => Step::Continue,
            Self::Drop => Step::Stop,
        }
    }
}

impl ProcessManager for Errands {
    const NAME: &'static str = "sim.errands";
    type Event = Happening;
    type Error = Infallible;

    fn route(event: &Happening, recorded: &RecordedEvent) -> Route {
        let Happening::Happened(Happened { kind, .. }) = event;
        let instance = recorded.stream.as_str();
        match kind.step() {
            Step::Start => Route::start(instance),
            Step::Continue => Route::proceed(instance),
            Step::Stop => Route::stop(instance),
        }
    }

    fn handle(&self, cue: Cue<'_, Happening>, occasion: &Occasion<'_>) -> Result<Reaction, Infallible> {
        let (number, kind) = match cue {
            Cue::Event(Happening::Happened(Happened { number, kind })) => (*number, *kind),
            Cue::Timer(_) => {
                return Ok(Reaction::command(Do { what: format!("timer {}", occasion.origin.cause) }));
            }
        };
        let first = Reaction::command(Do { what: format!("first of {number}") });
        Ok(match kind {
            Kind::Begin => first.and(Do { what: format!("second of {number}") }),
            Kind::Finish => first.stop(),
            _ if number.is_multiple_of(3) => first.cancel("later"),
            _ => first.timer("later", Duration::from_millis(number % 7 * 300)),
        })
    }

    fn evolve(mut self, cue: Cue<'_, Happening>) -> Self {
        if let Cue::Event(Happening::Happened(happened)) = cue {
            self.seen.push(happened.number);
        }
        self
    }
}
