//! An aggregate that uses all that there is to declare: snapshots, lifespans, documents of its own, a hook, steps.

use std::{
    sync::atomic::{AtomicIsize, Ordering},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use umbel_core::{
    After, Aggregate, Changes, Command, Context, Decide, Decision, Document, Event, Happening, Lifespan,
    Snapshots, Steps, document::Collection, events, store::State,
};
use umbel_host::App;

/// Amounts at which the documents fail, each in its own way.
pub(crate) const PANICS_INLINE: i64 = 666;
pub(crate) const WRITES_ELSEWHERE: i64 = 667;
pub(crate) const WRITES_UNDECLARED: i64 = 668;

/// States of [`Brief`] in memory. One test counts them; no other may make any.
pub(crate) static BRIEF_ALIVE: AtomicIsize = AtomicIsize::new(0);

#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "kitchen.fill", reply = i64, rejection = String)]
pub(crate) struct Fill {
    pub(crate) pot: String,
    pub(crate) amount: i64,
}

/// Out of the pot, one after the other.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "kitchen.pour", reply = i64, rejection = String)]
pub(crate) struct Pour {
    pub(crate) pot: String,
    pub(crate) amounts: Vec<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "kitchen.changed")]
pub(crate) struct Changed {
    pub(crate) by: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pot {
    pub(crate) level: i64,
}

/// How full it is, as a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Document)]
#[document(collection = "kitchen.levels")]
pub(crate) struct Level {
    pub(crate) level: i64,
    pub(crate) version: u64,
}

/// An aggregate that lives as long as it is told.
pub(crate) struct Brief;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Touch {
    Event,
    Nothing,
    Reject,
    Panic,
}

/// Touches it; it stays for so many milliseconds, for ever without a number.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "kitchen.live", rejection = String)]
pub(crate) struct Live {
    pub(crate) id: String,
    pub(crate) touch: Touch,
    pub(crate) stays: Stays,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stays {
    Default,
    Milliseconds(u64),
    Stop,
    Forever,
}

#[derive(Clone, Debug, Serialize, Deserialize, Event)]
#[event(name = "kitchen.lived")]
pub(crate) struct Lived {
    stays: Stays,
}

events! {
    #[derive(Clone)]
    pub(crate) enum PotEvent { Changed(Changed) }
}

events! {
    pub(crate) enum BriefEvent { Lived(Lived) }
}

pub(crate) fn app() -> App {
    App::new("kitchen").aggregate::<Pot>().aggregate::<Brief>()
}

pub(crate) fn fill(pot: &str, amount: i64) -> Fill {
    Fill { pot: pot.into(), amount }
}

pub(crate) fn pour(pot: &str, amounts: &[i64]) -> Pour {
    Pour { pot: pot.into(), amounts: amounts.to_vec() }
}

impl State for Pot {
    const NAME: &'static str = "kitchen.pot";
    const SCHEMA: u32 = 3;
}

/// A document that the pot does not say it writes.
#[derive(Serialize, Deserialize, Document)]
#[document(collection = "kitchen.leftovers")]
struct Leftover {}

impl Aggregate for Pot {
    const CATEGORY: &'static str = "pot";
    type Event = PotEvent;
    type Commands = (Fill, Pour);

    fn evolve(self, PotEvent::Changed(Changed { by }): &PotEvent) -> Self {
        Self { level: self.level + by }
    }

    fn snapshots() -> Snapshots<Self> {
        Snapshots::every(3)
    }

    fn inline(
        PotEvent::Changed(Changed { by }): &PotEvent,
        happening: &Happening<'_>,
        changes: &mut Changes,
    ) {
        assert_ne!(*by, PANICS_INLINE, "told to panic");
        let (by, version) = (*by, happening.version.get());
        let key = if by == WRITES_ELSEWHERE { "elsewhere" } else { happening.stream.id() };
        if by == WRITES_UNDECLARED {
            changes.put(key, Leftover {});
        }
        changes.modify(key, move |old: Option<Level>| {
            Some(Level { level: old.map_or(0, |old| old.level) + by, version })
        });
    }

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<Level>()]
    }
}

impl Decide<Fill> for Pot {
    fn identify(command: &Fill) -> String {
        command.pot.clone()
    }

    fn before_decide(&self, _: &Fill, context: &Context<'_>) -> Result<(), String> {
        match context.metadata().and_then(|metadata| metadata.custom.get("who")?.as_str()) {
            Some("mallory") => Err(format!("not by mallory, at {}", self.level)),
            _ => Ok(()),
        }
    }

    fn decide(
        &self,
        &Fill { amount, .. }: &Fill,
        _: &Context<'_>,
    ) -> Result<Decision<PotEvent, i64>, String> {
        let events = if amount == 0 { vec![] } else { vec![Changed { by: amount }.into()] };
        Ok(Decision::new(events, self.level + amount))
    }
}

impl Decide<Pour> for Pot {
    fn identify(command: &Pour) -> String {
        command.pot.clone()
    }

    fn decide(&self, command: &Pour, _: &Context<'_>) -> Result<Decision<PotEvent, i64>, String> {
        Steps::on(self)
            .reduce(&command.amounts, |pot, amount| match pot.level - amount {
                ..0 => Err(format!("only {} left", pot.level)),
                _ => Ok([Changed { by: -amount }]),
            })
            .reply(|pot| pot.level)
    }
}

impl Default for Brief {
    fn default() -> Self {
        BRIEF_ALIVE.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Brief {
    fn drop(&mut self) {
        BRIEF_ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Aggregate for Brief {
    const CATEGORY: &'static str = "brief";
    type Event = BriefEvent;
    type Commands = (Live,);

    fn evolve(self, _: &BriefEvent) -> Self {
        self
    }

    fn lifespan(after: After<'_, BriefEvent>) -> Lifespan {
        let stays = match after {
            After::Event(BriefEvent::Lived(lived)) => lived.stays,
            After::Nothing(asked) | After::Failure(asked) => asked.command::<Live>().unwrap().stays,
            After::Rejection(asked, why) => {
                assert_eq!(why.rejection::<String>().unwrap(), "told to");
                asked.command::<Live>().unwrap().stays
            }
        };
        match stays {
            Stays::Default => Lifespan::Default,
            Stays::Milliseconds(milliseconds) => Lifespan::Keep(Duration::from_millis(milliseconds)),
            Stays::Stop => Lifespan::Stop,
            Stays::Forever => Lifespan::Forever,
        }
    }
}

impl Decide<Live> for Brief {
    fn identify(command: &Live) -> String {
        command.id.clone()
    }

    fn decide(&self, command: &Live, _: &Context<'_>) -> Result<Decision<BriefEvent, ()>, String> {
        match command.touch {
            Touch::Event => Ok(vec![Lived { stays: command.stays }.into()].into()),
            Touch::Nothing => Ok(Decision::nothing(())),
            Touch::Reject => Err("told to".to_owned()),
            Touch::Panic => panic!("told to"),
        }
    }
}
