//! Calls of the author's code: whatever it does, there is an outcome.

use std::panic::{AssertUnwindSafe, catch_unwind};

use umbel_core::{
    DecodeError, ProcessManager, RecordedEvent, Route,
    process_manager::{
        Cause, CommandDone, Decision, Failure, File, Memory, Onward, Task, Trouble, Verdict, decide,
        upgrade_or_decode,
    },
};
use umbel_supervision::describe_panic;
use uuid::Uuid;

use crate::event_handler::{self, FailurePolicy};

/// Why there is no decision, or no route.
pub(super) enum Failed<E> {
    Trouble(Trouble<E>),
    Panicked(String),
    Unreadable(DecodeError),
    Lost(u32),
}

/// An event and whom it concerns.
pub(super) type Routed<E> = (E, Route);

/// What a failure is about.
pub(super) struct About<'a> {
    pub(super) instance: Option<&'a str>,
    pub(super) recorded: Option<&'a RecordedEvent>,
    pub(super) timer: Option<&'a str>,
    pub(super) cause: Uuid,
    pub(super) attempt: u32,
    pub(super) pending: usize,
}

impl<E> Failed<E> {
    pub(super) fn cause(&self) -> Cause<'_, E> {
        match self {
            Self::Trouble(Trouble::Error(error)) => Cause::Error(error),
            Self::Trouble(Trouble::Started) => Cause::Started,
            Self::Trouble(Trouble::NotStarted) => Cause::NotStarted,
            Self::Trouble(Trouble::State(reason)) => Cause::State(reason),
            Self::Trouble(Trouble::Refused(reason)) => Cause::Refused(reason),
            Self::Panicked(message) => Cause::Panicked(message),
            Self::Unreadable(error) => Cause::Unreadable(error),
            Self::Lost(times) => Cause::Lost(*times),
        }
    }
}

fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| describe_panic(&*panic))
}

/// What the event is to the process manager, and whom each of these concerns: one as a rule, none or several if it has an old shape.
pub(super) fn route<P: ProcessManager>(
    recorded: &RecordedEvent,
) -> Result<Vec<Routed<P::Event>>, Failed<P::Error>> {
    let decoded = caught(|| recorded.decode::<P::Event>()).map_err(Failed::Panicked)?;
    let routed = |event| {
        let route = caught(|| P::route(&event, recorded)).map_err(Failed::Panicked)?;
        Ok((event, route))
    };
    decoded.map_err(Failed::Unreadable)?.into_iter().map(routed).collect()
}

/// What an instance makes of something.
pub(super) fn decided<P: ProcessManager>(
    instance: &str,
    file: Option<&File>,
    task: &Task<'_, P::Event>,
) -> Result<Decision, Failed<P::Error>> {
    caught(|| decide::<P>(instance, file, task)).map_err(Failed::Panicked)?.map_err(Failed::Trouble)
}

/// Whether an instance goes on after a command; if it cannot say, it does.
pub(super) fn after_command<P: ProcessManager>(file: &File, done: &CommandDone<'_>) -> Onward {
    if !file.is_alive() {
        return Onward::Stay;
    }
    let onward = caught(|| upgrade_or_decode::<P>(file).map(|state| state.after_command(done)));
    onward.and_then(|onward| onward).unwrap_or_else(|cause| {
        let (manager, instance, command) = (P::NAME, &file.instance, done.name);
        tracing::error!(manager, instance, command, cause, "after_command could not say whether to go on");
        Onward::Stay
    })
}

/// What the settings say of a failure.
pub(super) fn by_policy(policy: FailurePolicy, cause: Uuid, attempt: u32, error: &str) -> Verdict {
    match policy.verdict(cause, attempt, error) {
        event_handler::Verdict::Retry { after } => Verdict::Retry { after },
        event_handler::Verdict::Skip => Verdict::Skip,
        event_handler::Verdict::Park => Verdict::Park,
        event_handler::Verdict::Stop { reason } => Verdict::Stop { reason },
    }
}

/// What becomes of a failure as the process manager says, and the error in words.
pub(super) fn judge<P: ProcessManager>(
    file: Option<&File>,
    about: &About<'_>,
    cause: Cause<'_, P::Error>,
    policy: FailurePolicy,
    memory: &mut Memory,
) -> (Verdict, String) {
    let mut error = caught(|| cause.to_string()).unwrap_or_else(|panic| panic);
    let by_policy = by_policy(policy, about.cause, about.attempt, &error);
    let alive = file.filter(|file| file.is_alive());
    let state = alive.and_then(|file| caught(|| upgrade_or_decode::<P>(file).ok()).ok().flatten());
    let failure = Failure {
        instance: about.instance,
        recorded: about.recorded,
        timer: about.timer,
        attempt: about.attempt,
        cause,
        state: state.as_ref(),
        pending: about.pending,
        policy: by_policy.clone(),
    };
    let verdict = caught(|| P::on_error(&failure, memory)).unwrap_or_else(|message| {
        error = format!("{error}; on_error panicked over it: {message}");
        by_policy
    });
    let (manager, instance, attempt) = (P::NAME, about.instance, about.attempt);
    tracing::warn!(manager, instance, cause = %about.cause, attempt, %error, ?verdict,
        "a process could not go on as it should");
    (verdict, error)
}
