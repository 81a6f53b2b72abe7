//! What becomes of commands that an instance has ordered, and of what it could not handle.

use std::{fmt::Display, time::Duration};

use serde_json::Value;
use umbel_core::{
    Command, Json, ProcessManager, RecordedEvent,
    process_manager::{
        Cause, CommandDone, CommandFailed, Decision, Failure, File, Memory, Onward, Order, Settled, Trouble,
        Verdict, settle, upgrade_or_decode,
    },
};
use uuid::Uuid;

use super::{Then, cause_of, ordered_of, words};

/// What the settings say of a failure: the process manager gives it back when it has no opinion of its own.
const SETTINGS: &str = "as the settings say";

/// Of what an instance was told.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) instance: String,
    pub(super) cause: Uuid,
    pub(super) recorded: Option<RecordedEvent>,
    pub(super) timer: Option<String>,
}

/// How far the commands have come that it led to.
#[derive(Default)]
pub(super) struct Progress {
    /// The place of the next one among them.
    next: usize,
    /// How often that one has failed.
    failures: u32,
    memory: Memory,
    /// Whether the instance ends with them.
    stop: bool,
}

/// A command that was not carried out, and nothing said of what becomes of it yet.
#[must_use]
pub struct Failed<P: ProcessManager> {
    verdict: Verdict,
    then: Then<P>,
}

/// What could not be handled; and whatever may be expected of that.
pub struct Unhandled<P: ProcessManager> {
    pub(super) told: Told,
    pub(super) file: Option<File>,
    pub(super) trouble: Trouble<P::Error>,
    pub(super) failures: u32,
    pub(super) memory: Memory,
}

impl<P: ProcessManager> Then<P> {
    /// The next command, which is this one, is carried out and gets this reply. Those that are ordered are carried out in order.
    #[track_caller]
    pub fn carried_out<C: Command>(mut self, reply: &C::Reply) -> Self {
        self.next_is::<C>();
        let reply = encoded(reply);
        let done = CommandDone { name: C::NAME, reply: &reply };
        let said = self
            .file
            .as_ref()
            .filter(|file| file.is_alive())
            .map(|file| state::<P>(file).after_command(&done));
        self.progress.stop |= said == Some(Onward::Stop);
        self.go_on(1)
    }

    /// The next command, which is this one, is refused by its owner with this rejection.
    #[track_caller]
    pub fn refused<C: Command>(self, rejection: &C::Rejection) -> Failed<P> {
        let rejection = Some(encoded(rejection));
        self.fails::<C>("rejected", "rejected", rejection)
    }

    /// The next command, which is this one, fails in another way: `code` is a word such as `timeout` or `no_handler`, as dispatching gives it.
    #[track_caller]
    pub fn failed<C: Command>(self, code: &'static str) -> Failed<P> {
        self.fails::<C>(code, code, None)
    }

    #[track_caller]
    fn fails<C: Command>(mut self, code: &'static str, reason: &str, rejection: Option<Json>) -> Failed<P> {
        let behind = self.next_is::<C>();
        let failed = CommandFailed { name: C::NAME.into(), code, reason: reason.into(), rejection };
        self.progress.failures += 1;
        let Progress { failures, memory, .. } = &mut self.progress;
        let verdict =
            judge::<P>(&self.told, (self.file.as_ref(), *failures, behind), Cause::Command(&failed), memory);
        Failed { verdict, then: self }
    }

    /// How many commands wait behind the next one, which is this.
    #[track_caller]
    fn next_is<C: Command>(&self) -> usize {
        let left = self.orders();
        match left.split_first() {
            Some((order, behind)) if order.name == C::NAME => behind.len(),
            Some((order, _)) => panic!("the next command is {}, and not {}", order.name, C::NAME),
            None => panic!("no command is left, and {} was to be", C::NAME),
        }
    }

    /// The commands that are left.
    fn orders(&self) -> &[Order] {
        let pending = self.file.as_ref().and_then(|file| file.pending_of(self.told.cause));
        pending.and_then(|pending| pending.orders.get(self.progress.next..)).unwrap_or_default()
    }

    /// So many commands are done with; with the last one the instance is settled, as a host does.
    #[track_caller]
    fn go_on(mut self, commands: usize) -> Self {
        (self.progress.next, self.progress.failures) = (self.progress.next + commands, 0);
        if self.orders().is_empty() {
            let stop = self.progress.stop;
            self.settle(&if stop { Settled::Stopped } else { Settled::Done });
        }
        self
    }

    #[track_caller]
    fn settle(&mut self, settled: &Settled<'_>) {
        let Some(file) = &self.file else { return };
        match settle(file, self.told.cause, settled, self.told.cause) {
            Ok(Some(Decision { file, .. })) => self.file = file,
            Ok(None) => {}
            Err(error) => panic!("what follows cannot be stored: {error}"),
        }
    }
}

impl<P: ProcessManager> Failed<P> {
    /// It is dispatched again, alone, after this time; what is said next is of that attempt.
    #[track_caller]
    pub fn then_retried(self, after: Duration) -> Then<P> {
        expect_retry(&self.verdict, after);
        self.then
    }

    /// It is left out; the next command follows.
    #[track_caller]
    pub fn then_skipped(self) -> Then<P> {
        assert!(matches!(self.verdict, Verdict::Skip), "it was to be left out, but: {:?}", self.verdict);
        self.then.go_on(1)
    }

    /// It is left out with all that are behind it.
    #[track_caller]
    pub fn then_rest_skipped(self) -> Then<P> {
        let Self { verdict, then } = self;
        assert!(
            matches!(verdict, Verdict::SkipRest),
            "all that is left was to be left out, but: {verdict:?}"
        );
        let left = then.orders().len();
        then.go_on(left)
    }

    /// Exactly these commands take its place and that of those behind it; [`ordered`](super::ordered) makes them. What is said next is of them.
    #[track_caller]
    pub fn then_instead(self, expected: impl IntoIterator<Item = (String, Value)>) -> Then<P> {
        let Self { verdict, mut then } = self;
        let Verdict::Instead(reaction) = verdict else {
            panic!("other commands were to take its place, but: {verdict:?}")
        };
        let stop = then.progress.stop;
        then.settle(&Settled::Instead { reaction: &reaction, stop });
        // The memory is of the event.
        let memory = std::mem::take(&mut then.progress.memory);
        then.progress = Progress { stop, memory, ..Progress::default() };
        let expected: Vec<_> = expected.into_iter().collect();
        let orders = ordered_of(then.orders());
        assert_eq!(orders, expected, "what takes its place (left) is not what was expected (right)");
        then
    }

    /// The event that led to it becomes a dead letter; this command and those behind it wait with it.
    #[track_caller]
    pub fn then_parked(self) {
        expect_park(&self.verdict);
    }

    /// The process manager fails for this reason, and its supervisor decides.
    #[track_caller]
    pub fn then_stopped(self, reason: impl Display) {
        expect_stop(&self.verdict, &reason);
    }

    /// The process manager has no opinion of its own: what the settings say is done.
    #[track_caller]
    pub fn then_as_the_settings_say(self) {
        expect_stop(&self.verdict, &SETTINGS);
    }
}

impl<P: ProcessManager> Unhandled<P> {
    /// It is handled again after this time. It fails again for the same reason, and what is said next is of that attempt.
    #[track_caller]
    pub fn then_retried(mut self, after: Duration) -> Self {
        expect_retry(&self.judge(), after);
        self
    }

    /// It counts as handled by this instance, and so for good.
    #[track_caller]
    pub fn then_skipped(mut self) {
        let verdict = self.judge();
        let is_skipped = matches!(verdict, Verdict::Skip | Verdict::SkipRest | Verdict::Instead(_));
        assert!(is_skipped, "it was to count as handled, but: {verdict:?}");
    }

    /// The event becomes a dead letter.
    #[track_caller]
    pub fn then_parked(mut self) {
        expect_park(&self.judge());
    }

    /// The process manager fails for this reason, and its supervisor decides.
    #[track_caller]
    pub fn then_stopped(mut self, reason: impl Display) {
        expect_stop(&self.judge(), &reason);
    }

    /// The process manager has no opinion of its own: what the settings say is done.
    #[track_caller]
    pub fn then_as_the_settings_say(mut self) {
        expect_stop(&self.judge(), &SETTINGS);
    }

    pub(super) fn words(&self) -> String {
        words(&self.trouble)
    }

    fn judge(&mut self) -> Verdict {
        self.failures += 1;
        let about = (self.file.as_ref(), self.failures, 0);
        judge::<P>(&self.told, about, cause_of(&self.trouble), &mut self.memory)
    }
}

/// What the process manager says of a failure: what it knows, which attempt it was, and how many commands wait behind.
#[track_caller]
fn judge<P: ProcessManager>(
    told: &Told,
    (file, attempt, pending): (Option<&File>, u32, usize),
    cause: Cause<'_, P::Error>,
    memory: &mut Memory,
) -> Verdict {
    let state = file.filter(|file| file.is_alive()).and_then(|file| upgrade_or_decode::<P>(file).ok());
    let failure = Failure {
        instance: Some(&*told.instance),
        recorded: told.recorded.as_ref(),
        timer: told.timer.as_deref(),
        attempt,
        cause,
        state: state.as_ref(),
        pending,
        policy: Verdict::Stop { reason: SETTINGS.to_owned() },
    };
    P::on_error(&failure, memory)
}

#[track_caller]
fn expect_retry(verdict: &Verdict, expected: Duration) {
    match verdict {
        Verdict::Retry { after } => {
            assert_eq!(*after, expected, "the pause (left) is not the expected one (right)");
        }
        other => panic!("it was to be tried again, but: {other:?}"),
    }
}

#[track_caller]
fn expect_park(verdict: &Verdict) {
    assert!(matches!(verdict, Verdict::Park), "the event was to become a dead letter, but: {verdict:?}");
}

#[track_caller]
fn expect_stop(verdict: &Verdict, expected: &dyn Display) {
    match verdict {
        Verdict::Stop { reason } => assert_eq!(*reason, expected.to_string()),
        other => panic!("it was to stop, {expected}, but: {other:?}"),
    }
}

#[track_caller]
fn state<P: ProcessManager>(file: &File) -> P {
    upgrade_or_decode(file).unwrap_or_else(|error| panic!("it could not be read again: {error}"))
}

#[track_caller]
fn encoded<T: serde::Serialize>(value: &T) -> Json {
    Json::encode(value).unwrap_or_else(|error| panic!("it cannot be encoded: {error}"))
}
