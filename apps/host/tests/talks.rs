//! A process manager that does what the events tell it.

use std::{
    collections::BTreeMap,
    marker::PhantomData,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use umbel_core::{
    Command, Cue, Event, EventId, ExpectedVersion, Metadata, NewEvent, Place, ProcessManager, Reaction,
    RecordedEvent, Route, StreamName, events,
    process_manager::{
        Cause, CommandDone, Failure, File, ManagerOptions, Memory, Occasion, Onward, Verdict, key,
        upgrade_or_decode,
    },
    store::Append,
};
use umbel_host::App;
use uuid::Uuid;

use crate::{
    bank::{self, Deposit, Rename, Renamed, deposit, withdraw},
    world::*,
};

/// The reply of a deposit after which an instance ends.
pub(crate) const LAST: i64 = 1313;

/// The instance whose timers' commands are tried again however often.
pub(crate) const PATIENT: &str = "patient";

/// What an event tells its instances.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "talks.said")]
pub(crate) struct Said {
    pub(crate) way: Way,
    pub(crate) to: Vec<String>,
    pub(crate) acts: Vec<Do>,
    /// What is said of failures, attempt by attempt; then the settings say.
    pub(crate) verdicts: Vec<Say>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Way {
    #[default]
    Start,
    StartStrictly,
    Proceed,
    ProceedStrictly,
    Stop,
    Ignore,
    Panic,
}

/// What an instance does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Do {
    /// Deposits to the account of its name.
    Deposit(i64),
    Withdraw(i64),
    /// A timer that deposits or withdraws that much when it runs out, or fails for nothing, after so many milliseconds.
    Timer(i64, u64),
    Cancel(i64),
    Stop,
    Fail,
    Panic,
    PanicInEvolve,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Say {
    Retry(u64),
    /// However often.
    Always(u64),
    Skip,
    /// However often; but what others wait behind is left out.
    SkipAllButLast(u64),
    /// However often; but what takes too long is left out.
    SkipLate(u64),
    SkipRest,
    Instead(i64),
    /// A command that cannot be stored, in place of what failed.
    InsteadGarbled,
    Park,
    Stop,
}

/// It has no JSON form.
#[derive(Debug, Deserialize, Command)]
#[command(name = "bank.garbled", rejection = String)]
pub(crate) struct Garbled;

impl Serialize for Garbled {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("told to have no form"))
    }
}

events! { pub(crate) enum Talk { Said(Said), Renamed(Renamed) } }

/// One of several process managers that differ in name and options.
pub(crate) trait Kind: Send + 'static {
    const NAME: &'static str;
    const STRONG: bool = false;

    fn options() -> ManagerOptions {
        ManagerOptions::default()
    }
}

/// What is remembered: the ids of what was heard.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Talks<K> {
    pub(crate) heard: Vec<String>,
    kind: PhantomData<fn() -> K>,
}

macro_rules! kinds {
    ($($kind:ident $name:literal $strong:literal => $options:expr;)*) => {$(
        pub(crate) struct $kind;
        impl Kind for $kind {
            const NAME: &'static str = $name;
            const STRONG: bool = $strong;
            fn options() -> ManagerOptions {
                $options
            }
        }
    )*};
}

kinds! {
    Plain "talks.plain" false => ManagerOptions::default();
    Hasty "talks.hasty" false => ManagerOptions::default().event_limit(Duration::from_millis(500));
    Later "talks.later" false => ManagerOptions::default();
    Brief "talks.brief" false => ManagerOptions::default().idle(Duration::from_millis(1));
    Strong "talks.strong" true => ManagerOptions::default().strong_commands();
}

/// By instance, what went wrong: attempt, words, what the instance remembered, what it noted.
static FAILURES: Mutex<BTreeMap<String, Vec<Failed>>> = Mutex::new(BTreeMap::new());

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failed {
    pub(crate) attempt: u32,
    pub(crate) error: String,
    pub(crate) heard: Option<usize>,
    pub(crate) pending: usize,
    pub(crate) noted: Option<u64>,
}

pub(crate) fn failures(instance: &str) -> Vec<Failed> {
    FAILURES.lock().unwrap_or_else(PoisonError::into_inner).get(instance).cloned().unwrap_or_default()
}

impl<K> Default for Talks<K> {
    fn default() -> Self {
        Self { heard: Vec::new(), kind: PhantomData }
    }
}

impl<K: Kind> ProcessManager for Talks<K> {
    const NAME: &'static str = K::NAME;
    const STRONG: bool = K::STRONG;
    type Event = Talk;
    type Error = String;

    fn options() -> ManagerOptions {
        K::options()
    }

    fn route(event: &Talk, recorded: &RecordedEvent) -> Route {
        let said = match event {
            Talk::Said(said) => said,
            Talk::Renamed(Renamed { name }) if name.ends_with('!') => {
                return Route::start(recorded.stream.id());
            }
            Talk::Renamed(_) => return Route::ignore(),
        };
        let to = said.to.as_slice();
        match said.way {
            Way::Start => Route::start(to),
            Way::StartStrictly => Route::start(to).strictly(),
            Way::Proceed => Route::proceed(to),
            Way::ProceedStrictly => Route::proceed(to).strictly(),
            Way::Stop => Route::stop(to),
            Way::Ignore => Route::ignore(),
            Way::Panic => panic!("told to panic in route"),
        }
    }

    fn handle(&self, cue: Cue<'_, Talk>, occasion: &Occasion<'_>) -> Result<Reaction, String> {
        let account = occasion.instance;
        let said = match cue {
            Cue::Event(Talk::Said(said)) => said,
            Cue::Event(Talk::Renamed(Renamed { name })) => {
                let (account, name) = (account.to_owned(), name.trim_end_matches('!').to_owned());
                return Ok(Reaction::command(Rename { account, name }));
            }
            Cue::Timer(amount) => {
                let amount: i64 = amount.parse().unwrap();
                return Ok(match amount {
                    0 => return Err("told to fail".to_owned()),
                    ..0 => Reaction::command(withdraw(account, -amount)),
                    _ => Reaction::command(deposit(account, amount)),
                });
            }
        };
        said.acts.iter().try_fold(Reaction::nothing(), |reaction, act| {
            Ok(match act {
                Do::Deposit(amount) => reaction.and(deposit(account, *amount)),
                Do::Withdraw(amount) => reaction.and(withdraw(account, *amount)),
                Do::Timer(amount, millis) => {
                    reaction.timer(amount.to_string(), Duration::from_millis(*millis))
                }
                Do::Cancel(amount) => reaction.cancel(amount.to_string()),
                Do::Stop => reaction.stop(),
                Do::Fail => return Err("told to fail".to_owned()),
                Do::Panic => panic!("told to panic in handle"),
                Do::PanicInEvolve => reaction,
            })
        })
    }

    fn evolve(mut self, cue: Cue<'_, Talk>) -> Self {
        self.heard.push(match cue {
            Cue::Event(Talk::Said(said)) if said.acts.contains(&Do::PanicInEvolve) => {
                panic!("told to panic in evolve")
            }
            Cue::Event(Talk::Said(said)) => format!("{} acts", said.acts.len()),
            Cue::Event(Talk::Renamed(renamed)) => renamed.name.clone(),
            Cue::Timer(name) => name.to_owned(),
        });
        self
    }

    fn after_command(&self, done: &CommandDone<'_>) -> Onward {
        if done.reply::<Deposit>() == Some(LAST) { Onward::Stop } else { Onward::Stay }
    }

    fn on_error(failure: &Failure<'_, Self>, memory: &mut Memory) -> Verdict {
        let noted = memory.get("noted").and_then(serde_json::Value::as_u64);
        memory.insert("noted".into(), u64::from(failure.attempt).into());
        let failed = Failed {
            attempt: failure.attempt,
            error: failure.cause.to_string(),
            heard: failure.state.map(|state| state.heard.len()),
            pending: failure.pending,
            noted,
        };
        let instance = failure.instance.unwrap_or("nobody").to_owned();
        FAILURES.lock().unwrap_or_else(PoisonError::into_inner).entry(instance).or_default().push(failed);
        let said = failure.recorded.and_then(|recorded| recorded.decode::<Talk>().ok()?.one());
        let verdicts = match said {
            Some(Talk::Said(said)) => said.verdicts,
            // Nothing is said to a timer.
            None if failure.instance == Some(PATIENT) => vec![Say::Always(1)],
            _ => Vec::new(),
        };
        if matches!(failure.cause, Cause::TookTooLong(_)) {
            let is_left_out = verdicts.iter().any(|say| matches!(say, Say::SkipLate(_)));
            return if is_left_out { Verdict::Skip } else { failure.policy.clone() };
        }
        let is_always =
            |say: &&Say| matches!(say, Say::Always(_) | Say::SkipAllButLast(_) | Say::SkipLate(_));
        let always = verdicts.last().filter(is_always);
        match verdicts.get(usize::try_from(failure.attempt - 1).unwrap()).or(always) {
            Some(Say::Retry(millis) | Say::Always(millis) | Say::SkipLate(millis)) => {
                Verdict::Retry { after: Duration::from_millis(*millis) }
            }
            Some(Say::SkipAllButLast(millis)) if failure.pending == 0 => {
                Verdict::Retry { after: Duration::from_millis(*millis) }
            }
            Some(Say::Skip | Say::SkipAllButLast(_)) => Verdict::Skip,
            Some(Say::SkipRest) => Verdict::SkipRest,
            Some(Say::Instead(amount)) => {
                Verdict::Instead(Reaction::command(deposit(failure.instance.unwrap(), *amount)))
            }
            Some(Say::InsteadGarbled) => Verdict::Instead(Reaction::command(Garbled)),
            Some(Say::Park) => Verdict::Park,
            Some(Say::Stop) => Verdict::Stop { reason: "told to stop".into() },
            None => failure.policy.clone(),
        }
    }
}

pub(crate) fn app<K: Kind>() -> App {
    App::new("talks").process_manager::<Talks<K>>()
}

pub(crate) fn with_bank<K: Kind>() -> [App; 2] {
    [bank::app(), app::<K>()]
}

pub(crate) fn said(way: Way, to: &[&str], acts: &[Do]) -> Said {
    Said { way, to: to.iter().map(|&id| id.to_owned()).collect(), acts: acts.to_vec(), verdicts: Vec::new() }
}

impl Said {
    pub(crate) fn verdicts(self, verdicts: &[Say]) -> Self {
        Self { verdicts: verdicts.to_vec(), ..self }
    }
}

/// Says something, in a stream of this id; the place of the event.
pub(crate) async fn say(world: &World, stream: &str, said: Said) -> Place {
    let metadata = Metadata { correlation_id: Some(Uuid::from_u128(7)), ..Metadata::default() };
    let event =
        NewEvent::of(EventId(umbel_bus::edge::fresh_id()), &said, metadata.with("who", "ada")).unwrap();
    let stream = StreamName::of("talk", stream).unwrap();
    let append = Append::to_stream(stream, ExpectedVersion::Any, vec![event]);
    Place::new(world.bus.store().append(append).await.unwrap().last_position.unwrap().get())
}

/// What is kept of an instance.
pub(crate) async fn file<K: Kind>(world: &World, instance: &str) -> Option<File> {
    let found = world.bus.store().get_documents(vec![key(K::NAME, instance)]).await.unwrap().pop().flatten();
    found.map(|body| body.decode().unwrap())
}

/// What an instance has heard; nothing if it is not there.
pub(crate) async fn heard<K: Kind>(world: &World, instance: &str) -> Option<Vec<String>> {
    let file = file::<K>(world, instance).await.filter(File::is_alive)?;
    Some(upgrade_or_decode::<Talks<K>>(&file).unwrap().heard)
}

/// The amounts of an account's events, in order; withdrawals are negative.
pub(crate) async fn amounts(world: &World, account: &str) -> Vec<i64> {
    let history = world.history(account).await;
    let amount = |event: &RecordedEvent| match event.decode::<bank::AccountEvent>().unwrap().one().unwrap() {
        bank::AccountEvent::Deposited(deposited) => deposited.amount,
        bank::AccountEvent::Withdrawn(withdrawn) => -withdrawn.amount,
        _ => 0,
    };
    history.iter().map(amount).collect()
}

/// Waits until an account has these amounts.
pub(crate) async fn until_amounts(world: &World, account: &str, expected: &[i64]) {
    while amounts(world, account).await != expected {
        tokio::task::yield_now().await;
    }
}

/// Waits until so many failures of an instance are told.
pub(crate) async fn until_failures(instance: &str, count: usize) -> Vec<Failed> {
    loop {
        let failed = failures(instance);
        if failed.len() >= count {
            return failed;
        }
        tokio::task::yield_now().await;
    }
}
