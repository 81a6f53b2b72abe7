//! Handlers of events that do as a test says and note what they are given.

use std::{
    marker::PhantomData,
    sync::Mutex,
    time::{Duration, Instant},
};

use tokio::sync::watch;
use umbel_bus::{Bus, BusSettings};
use umbel_core::{Place, Position};
use umbel_host::{
    BatchHandler, Cause, DispatchError, EventHandler, Failure, FailurePolicy, HandlerContext, HandlerOptions,
    HandlerStart, Memory, Pauses, Verdict,
};

use crate::bank::{Deposited, Moved, No, Withdrawn};

/// A kind of probe.
pub(crate) trait Kind: 'static {
    const NAME: &'static str;
    const STRONG: bool = false;

    fn options() -> HandlerOptions {
        HandlerOptions::default()
    }
}

/// A handler of events that does as it is told.
pub(crate) struct Probe<K> {
    bus: Bus,
    /// Events that it has handled since it began.
    seen: u64,
    _kind: PhantomData<K>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) handler: &'static str,
    pub(crate) position: Position,
    pub(crate) place: Place,
    pub(crate) account: String,
    pub(crate) amount: i64,
    pub(crate) attempt: u32,
    pub(crate) letter: bool,
    pub(crate) replay: bool,
    /// Events that this handler had handled before.
    pub(crate) seen: u64,
    /// Events in the same call.
    pub(crate) together: usize,
}

/// What a probe is to do.
#[derive(Clone, Debug, Default)]
pub(crate) enum Act {
    #[default]
    Handle,
    /// Give an error of which the policy decides.
    Fail,
    /// Give an error with a verdict.
    FailWith(Verdict),
    /// Give an error over which `on_error` panics.
    FailAndPanicOverIt,
    Panic,
    /// Handle it when the door is opened.
    Wait,
    /// Dispatch a deposit to this account, and wait until it is visible everywhere.
    Deposit(&'static str),
    /// The same, until this deadline, and go on whatever comes of it.
    TryDeposit(&'static str, Duration),
}

/// What the probes of one bus are told and what they tell.
pub(crate) struct Journal {
    script: Mutex<Script>,
    begun: watch::Sender<Vec<Note>>,
    done: watch::Sender<Vec<Note>>,
    memories: Mutex<Vec<(u32, u64)>>,
    tried: Mutex<Vec<Tried>>,
    door: watch::Sender<bool>,
}

/// What came of a deposit that was tried, and after how long.
pub(crate) type Tried = (Result<(), DispatchError<No>>, Duration);

type Script = Box<dyn Fn(&Note) -> Act + Send>;

/// Why a probe could not handle an event.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Broken {
    what: String,
    verdict: Option<Verdict>,
    panics: bool,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            script: Mutex::new(Box::new(|_| Act::Handle)),
            begun: watch::Sender::default(),
            done: watch::Sender::default(),
            memories: Mutex::default(),
            tried: Mutex::default(),
            door: watch::Sender::default(),
        }
    }
}

/// A bus whose probes do as they are told.
pub(crate) fn scripted(script: impl Fn(&Note) -> Act + Send + 'static) -> Bus {
    scripted_on(Bus::new(BusSettings::default()), script)
}

/// The same on a bus that is there.
pub(crate) fn scripted_on(bus: Bus, script: impl Fn(&Note) -> Act + Send + 'static) -> Bus {
    bus.common::<Journal>().tell(script);
    bus
}

impl Journal {
    pub(crate) fn tell(&self, script: impl Fn(&Note) -> Act + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    pub(crate) fn open(&self) {
        self.door.send_replace(true);
    }

    /// What was handled.
    pub(crate) fn done(&self) -> Vec<Note> {
        self.done.borrow().clone()
    }

    /// What was begun.
    pub(crate) fn begun(&self) -> Vec<Note> {
        self.begun.borrow().clone()
    }

    /// What was noted from attempt to attempt: attempts with how many failures were known by then.
    pub(crate) fn memories(&self) -> Vec<(u32, u64)> {
        self.memories.lock().unwrap().clone()
    }

    /// What came of deposits that were tried.
    pub(crate) fn tried(&self) -> Vec<Tried> {
        self.tried.lock().unwrap().clone()
    }

    /// Waits until as much was handled.
    pub(crate) async fn until_done(&self, count: usize) -> Vec<Note> {
        self.done.subscribe().wait_for(|notes| notes.len() >= count).await.unwrap().clone()
    }

    /// Waits until as much was begun.
    pub(crate) async fn until_begun(&self, count: usize) -> Vec<Note> {
        self.begun.subscribe().wait_for(|notes| notes.len() >= count).await.unwrap().clone()
    }

    fn remember(&self, attempt: u32, memory: &mut Memory) {
        let known = memory.get("failures").and_then(serde_json::Value::as_u64).unwrap_or(0);
        memory.insert("failures".into(), (known + 1).into());
        self.memories.lock().unwrap().push((attempt, known));
    }
}

/// Short pauses, so that tests need not wait.
pub(crate) fn pauses() -> Pauses {
    Pauses { min: Duration::from_millis(1), max: Duration::from_millis(5) }
}

pub(crate) fn parks_after(retries: u32) -> HandlerOptions {
    HandlerOptions::default().on_failure(FailurePolicy::Park { retries, pauses: pauses() })
}

impl<K: Kind> Probe<K> {
    fn note(&self, event: &Moved, context: &HandlerContext, together: usize) -> Note {
        Note {
            handler: K::NAME,
            position: context.recorded().position,
            place: context.place(),
            account: context.recorded().stream.id().to_owned(),
            amount: match event {
                Moved::Deposited(Deposited { amount }) => *amount,
                Moved::Withdrawn(Withdrawn { amount }) => -amount,
            },
            attempt: context.attempt(),
            letter: context.is_letter(),
            replay: context.is_replay(),
            seen: self.seen,
            together,
        }
    }

    async fn act(&mut self, notes: Vec<(Note, &HandlerContext)>) -> Result<(), Broken> {
        let journal = self.bus.common::<Journal>();
        journal.begun.send_modify(|begun| begun.extend(notes.iter().map(|(note, _)| note.clone())));
        for (note, context) in &notes {
            let act = (journal.script.lock().unwrap())(note);
            let broken =
                |verdict, panics| Broken { what: format!("broken by {}", note.amount), verdict, panics };
            match act {
                Act::Handle => {}
                Act::Fail => return Err(broken(None, false)),
                Act::FailWith(verdict) => return Err(broken(Some(verdict), false)),
                Act::FailAndPanicOverIt => return Err(broken(None, true)),
                Act::Panic => panic!("told to panic over {}", note.amount),
                Act::Wait => drop(journal.door.subscribe().wait_for(|open| *open).await),
                Act::Deposit(account) => {
                    let id = context.next_id::<crate::bank::Deposit>();
                    let options = context.options().command_id(id).strong();
                    let deposit = crate::bank::deposit(account, 1);
                    self.bus.dispatch_with(deposit, options).await.unwrap();
                }
                Act::TryDeposit(account, deadline) => {
                    let id = context.next_id::<crate::bank::Deposit>();
                    let options = context.options().command_id(id).strong().deadline(deadline);
                    let (since, deposit) = (Instant::now(), crate::bank::deposit(account, 1));
                    let tried = self.bus.dispatch_with(deposit, options).await.map(drop);
                    journal.tried.lock().unwrap().push((tried, since.elapsed()));
                }
            }
        }
        let notes: Vec<_> = notes.into_iter().map(|(note, _)| note).collect();
        self.seen += u64::try_from(notes.len()).unwrap();
        journal.done.send_modify(|done| done.extend(notes));
        Ok(())
    }
}

impl<K: Kind> EventHandler for Probe<K> {
    const NAME: &'static str = K::NAME;
    const STRONG: bool = K::STRONG;
    type Event = Moved;
    type Error = Broken;

    fn options() -> HandlerOptions {
        K::options()
    }

    async fn init(start: &HandlerStart) -> Result<Self, Broken> {
        LAST_JOURNAL.with(|last| *last.borrow_mut() = Some(start.bus().common::<Journal>()));
        Ok(Self { bus: start.bus().clone(), seen: 0, _kind: PhantomData })
    }

    async fn handle(&mut self, event: Moved, context: &HandlerContext) -> Result<(), Broken> {
        let note = self.note(&event, context, 1);
        self.act(vec![(note, context)]).await
    }

    fn on_error(failure: &Failure<'_, Broken>, memory: &mut Memory) -> Verdict {
        LAST_JOURNAL.with(|last| {
            if let Some(journal) = &*last.borrow() {
                journal.remember(failure.attempt, memory);
            }
        });
        match failure.cause {
            Cause::Error(Broken { panics: true, .. }) => panic!("told to panic in on_error"),
            Cause::Error(Broken { verdict: Some(verdict), .. }) => verdict.clone(),
            _ => failure.policy.clone(),
        }
    }
}

impl<K: Kind> BatchHandler for Probe<K> {
    async fn handle_batch(&mut self, batch: Vec<(Moved, HandlerContext)>) -> Result<(), Broken> {
        let together = batch.len();
        let notes = batch.iter().map(|(event, context)| (self.note(event, context, together), context));
        self.act(notes.collect()).await
    }
}

thread_local! {
    /// The journal of the handlers of this thread, for what knows no bus.
    static LAST_JOURNAL: std::cell::RefCell<Option<std::sync::Arc<Journal>>> = const { std::cell::RefCell::new(None) };
}

/// Declares kinds of probes.
macro_rules! probes {
    ($($kind:ident $name:literal $(strong $strong:literal)? => $options:expr;)*) => {$(
        pub(crate) struct $kind;
        impl $crate::probe::Kind for $kind {
            const NAME: &'static str = $name;
            $(const STRONG: bool = $strong;)?
            fn options() -> umbel_host::HandlerOptions { $options }
        }
    )*};
}
pub(crate) use probes;
