//! What stands around every dispatch of a process: looks at commands before they are sent, and at what became of them.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    future::{Future, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::time::timeout_at;
use umbel_core::{Command, EventName, Json, Position, Version};

use crate::{
    dispatch::{DispatchContext, DispatchError, Dispatched, Outcome},
    handle::Bus,
    returning::Refusal,
    visible::Awaits,
};

/// Stands around dispatches: in the process that dispatches, for commands from outside as well as for those that handlers dispatch.
///
/// `before` is called in the order in which they were added, `after` or `failure` in the reverse order, and only of those whose `before`
/// was called, the one that halted included: so who has opened something closes it. The built-in steps come behind all of them: metadata
/// is checked, the command is sent, and what shall be visible is waited for; so `after` sees the whole outcome. All of it is within the
/// one deadline of the dispatch, but for `after` and `failure`, which therefore do not wait for anything.
///
/// It stands around a dispatch once: where the owner of the command runs in another process, that process adds none of its own. Only what
/// is dispatched by name ([`Bus::dispatch_encoded`]) and owned elsewhere passes the owner's middleware instead, since no value of the
/// command's type can be made here.
///
/// A panic in `before` is the failure of that dispatch; one in `after` or `failure` is told by the log, since it changes nothing of
/// what has become of the command.
pub trait Middleware: Send + Sync + 'static {
    /// Its name, for errors and the log.
    const NAME: &'static str;

    /// Whether it wants to see commands of this name; all, unless it says otherwise.
    fn concerns(&self, command: &'static str) -> bool {
        let _unused = command;
        true
    }

    /// Looks at a command before it is sent, and may change it, what travels with it, or the outcome. Whom it concerns is told from what it
    /// is when all have had their say; to send another one see [`Passage::instead`].
    ///
    /// # Errors
    /// When it halts: nothing of the command is done. See [`Halt`].
    fn before(&self, passage: &mut Passage) -> impl Future<Output = Result<(), Halt>> + Send {
        let _unused = passage;
        ready(Ok(()))
    }

    /// The command was carried out, or a middleware answered in its place.
    fn after(&self, passage: &Passage, done: &Done<'_>) {
        let _unused = (passage, done);
    }

    /// The command was not carried out, or not visibly so.
    fn failure(&self, passage: &Passage, failed: &Failed<'_>) {
        let _unused = (passage, failed);
    }
}

/// A command on its way through the middleware. It can be looked at until it is sent; what `after` and `failure` need of it is noted
/// before.
pub struct Passage {
    name: &'static str,
    command: Option<Box<dyn Any + Send + Sync>>,
    encode: fn(&(dyn Any + Send + Sync)) -> Option<Json>,
    notes: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    bus: Bus,
    awaits: Awaits,
    /// Whether it is dispatched in the place of another one.
    replaces: bool,
    /// Whether another one was dispatched in its place, which may be stored whatever the middleware still waits for.
    replaced: AtomicBool,
    /// What travels with it. Metadata is checked when all have had their say.
    pub context: DispatchContext,
}

/// Why a middleware lets a command go no further.
#[derive(Debug)]
#[must_use = "it halts nothing unless it is returned"]
pub struct Halt(Halted);

enum Halted {
    /// For this reason, which the caller gets.
    Reason(String),
    /// A `Result<Dispatched<C::Reply>, DispatchError<C::Rejection>>`.
    Answer(Box<dyn Any + Send>),
}

/// A command that was carried out, as middleware sees it.
pub struct Done<'a> {
    /// Position of the last event it led to, if any.
    pub position: Option<Position>,
    /// Version of its aggregate after it, if known.
    pub version: Option<Version>,
    /// Names of the events it led to, if known.
    pub events: Option<&'a [EventName]>,
    /// Whether this id was carried out before.
    pub repeated: bool,
    reply: &'a (dyn Any + Send),
}

/// A command that failed, as middleware sees it.
pub struct Failed<'a> {
    /// What kind of failure: see [`DispatchError::code`].
    pub code: &'static str,
    /// The reason, in words: of a rejection what the domain says.
    pub reason: String,
    error: &'a (dyn Any + Send),
}

/// A [`Middleware`] of whatever type.
pub(crate) trait Around: Send + Sync {
    fn name(&self) -> &'static str;
    fn concerns(&self, command: &'static str) -> bool;
    fn before<'a>(&'a self, passage: &'a mut Passage) -> BoxFuture<'a, Result<(), Halt>>;
    fn after(&self, passage: &Passage, done: &Done<'_>);
    fn failure(&self, passage: &Passage, failed: &Failed<'_>);
}

/// All middleware, in the order in which it was added.
pub(crate) type Chain = Vec<Arc<dyn Around>>;

/// What a command leads to.
type Answer<C> = Result<Dispatched<<C as Command>::Reply>, DispatchError<<C as Command>::Rejection>>;

impl Bus {
    /// Carries out a command with its middleware around it.
    pub(crate) async fn dispatch_through<C: Command>(
        &self,
        chain: &Chain,
        command: C,
        context: DispatchContext,
        awaits: &Awaits,
        replaces: bool,
    ) -> Answer<C> {
        let concerned: Vec<_> = chain.iter().filter(|one| one.concerns(C::NAME)).collect();
        let mut passage = Passage::of(command, context, (self, awaits, replaces));
        let (mut called, mut halted) = (0, None);
        for one in &concerned {
            called += 1;
            if let Err(answer) = ask::<C>(&***one, &mut passage).await {
                halted = Some(answer);
                break;
            }
        }
        let answer = match halted {
            Some(answer) => answer,
            None => self.send_on::<C>(&mut passage, awaits).await,
        };
        for one in concerned.iter().take(called).rev() {
            tell::<C>(&***one, &passage, &answer);
        }
        answer
    }

    async fn send_on<C: Command>(&self, passage: &mut Passage, awaits: &Awaits) -> Answer<C> {
        let command = passage.command.take().and_then(|command| command.downcast::<C>().ok());
        let Some(command) = command else {
            return Err(DispatchError::Failed { reason: format!("{} was lost on its way", C::NAME) });
        };
        self.dispatch_straight(*command, passage.context.clone(), awaits).await
    }
}

/// Lets one middleware look at a command before it is sent; an answer ends its way.
async fn ask<C: Command>(one: &dyn Around, passage: &mut Passage) -> Result<(), Answer<C>> {
    let (by, deadline) = (one.name(), passage.context.deadline);
    // Called within, so that a panic before there is even a future is caught as well.
    let looked = AssertUnwindSafe(async { one.before(passage).await }).catch_unwind();
    match timeout_at(deadline, looked).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(Halt(Halted::Reason(reason))))) => {
            Err(Err(DispatchError::Refused(Refusal::Halted { by, reason })))
        }
        Ok(Ok(Err(Halt(Halted::Answer(answer))))) => Err(match answer.downcast::<Answer<C>>() {
            Ok(answer) => *answer,
            Err(_) => Err(DispatchError::Failed {
                reason: format!("{by} answered {} with that of another command", C::NAME),
            }),
        }),
        Ok(Err(_panic)) => {
            Err(Err(DispatchError::Failed { reason: format!("{by} panicked before {}", C::NAME) }))
        }
        Err(_elapsed) => {
            let replaced = passage.replaced.load(Ordering::Relaxed);
            let outcome = if replaced { Outcome::Unknown } else { Outcome::NothingStored };
            Err(Err(DispatchError::Timeout { command: C::NAME, outcome }))
        }
    }
}

/// Tells one middleware what became of a command.
fn tell<C: Command>(one: &dyn Around, passage: &Passage, answer: &Answer<C>) {
    let told = catch_unwind(AssertUnwindSafe(|| match answer {
        Ok(Dispatched { reply, position, version, events, repeated, .. }) => {
            let (position, version, repeated) = (*position, *version, *repeated);
            one.after(passage, &Done { position, version, events: events.as_deref(), repeated, reply });
        }
        Err(error) => {
            let reason = match error {
                DispatchError::Rejected(rejection) => rejection.to_string(),
                error => error.to_string(),
            };
            one.failure(passage, &Failed { code: error.code(), reason, error });
        }
    }));
    if told.is_err() {
        tracing::error!(
            middleware = one.name(),
            command = C::NAME,
            "panicked after the command; its outcome stands"
        );
    }
}

impl Passage {
    fn of<C: Command>(
        command: C,
        context: DispatchContext,
        (bus, awaits, replaces): (&Bus, &Awaits, bool),
    ) -> Self {
        Self {
            name: C::NAME,
            command: Some(Box::new(command)),
            encode: |command| Json::encode(command.downcast_ref::<C>()?).ok(),
            notes: HashMap::new(),
            bus: bus.clone(),
            awaits: awaits.clone(),
            replaces,
            replaced: AtomicBool::new(false),
            context,
        }
    }

    /// The command's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The command, if it is of this type and not sent yet.
    #[must_use]
    pub fn command<C: Command>(&self) -> Option<&C> {
        self.command.as_ref()?.downcast_ref()
    }

    /// The command, if it is of this type and not sent yet, to be changed.
    #[must_use]
    pub fn command_mut<C: Command>(&mut self) -> Option<&mut C> {
        self.command.as_mut()?.downcast_mut()
    }

    /// The command as JSON, whatever it is; `None` once it was sent, or when it has no JSON form.
    #[must_use]
    pub fn command_json(&self) -> Option<Json> {
        (self.encode)(&**self.command.as_ref()?)
    }

    /// Dispatches another command, which may have another owner, in the place of this one, `C`: within the same context and deadline, awaiting
    /// the same, through the middleware that concerns it. What becomes of it is the answer to this one, whose reply and rejection are
    /// made of its own; the middleware behind is not asked about a command that is not sent any more. "The same" holds for the version that
    /// the caller expects, too: it is then expected of the aggregate of the other command.
    ///
    /// ```
    /// # use umbel_bus::{Halt, Middleware, Passage};
    /// # use umbel_core::Command;
    /// # #[derive(Debug, serde::Serialize, serde::Deserialize, Command)]
    /// # #[command(name = "a.old", rejection = String)]
    /// # struct Old(u32);
    /// # #[derive(Debug, serde::Serialize, serde::Deserialize, Command)]
    /// # #[command(name = "a.new", reply = u32, rejection = String)]
    /// # struct New { id: u32 }
    /// struct Moved;
    ///
    /// impl Middleware for Moved {
    ///     const NAME: &'static str = "moved";
    ///
    ///     async fn before(&self, passage: &mut Passage) -> Result<(), Halt> {
    ///         let Some(Old(id)) = passage.command::<Old>() else { return Ok(()) };
    ///         let new = New { id: *id };
    ///         Err(passage.instead::<Old, New>(new, |_number| (), |rejection| rejection).await)
    ///     }
    /// }
    /// ```
    ///
    /// A command that is dispatched in the place of another one cannot be replaced again: that fails.
    pub async fn instead<C: Command, D: Command>(
        &self,
        command: D,
        reply: impl FnOnce(D::Reply) -> C::Reply + Send,
        rejection: impl FnOnce(D::Rejection) -> C::Rejection + Send,
    ) -> Halt {
        let fails = |reason| Halt::answer::<C>(Err(DispatchError::Failed { reason }));
        if self.replaces {
            return fails(format!(
                "{} is dispatched in the place of another command, and is not replaced again",
                self.name
            ));
        }
        self.replaced.store(true, Ordering::Relaxed);
        let (bus, chain) = (&self.bus, self.bus.middleware().unwrap_or_default());
        let dispatch = bus.dispatch_through(&chain, command, self.context.clone(), &self.awaits, true);
        // In a box, as dispatches may be nested.
        Halt::answer::<C>(match Box::pin(dispatch).await {
            Ok(dispatched) => dispatched.try_map(|made| Ok(reply(made))),
            Err(DispatchError::NotYetVisible { position, waiting_for, reply: made }) => {
                match made.decode::<D::Reply>().and_then(|made| Json::encode(&reply(made))) {
                    Ok(reply) => Err(DispatchError::NotYetVisible { position, waiting_for, reply }),
                    Err(error) => {
                        return fails(format!("the reply to {} has no JSON form: {error}", D::NAME));
                    }
                }
            }
            Err(error) => Err(error.map_rejection(|no| DispatchError::Rejected(rejection(no)))),
        })
    }

    /// Keeps a value with the command, for `after` and `failure` and for other middleware; one of each type.
    pub fn note<T: Send + Sync + 'static>(&mut self, value: T) {
        self.notes.insert(TypeId::of::<T>(), Box::new(value));
    }

    /// The value of this type that is kept with the command.
    #[must_use]
    pub fn noted<T: 'static>(&self) -> Option<&T> {
        self.notes.get(&TypeId::of::<T>())?.downcast_ref()
    }
}

impl Halt {
    /// The caller gets [`Refusal::Halted`] with this reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self(Halted::Reason(reason.into()))
    }

    /// The caller gets this reply, as if the command had been carried out and nothing been written.
    pub fn reply<C: Command>(reply: C::Reply) -> Self {
        Self::answer::<C>(Ok(Dispatched::reply_only(reply)))
    }

    /// The caller gets this rejection, as if it was the domain's.
    pub fn reject<C: Command>(rejection: C::Rejection) -> Self {
        Self::answer::<C>(Err(DispatchError::Rejected(rejection)))
    }

    fn answer<C: Command>(answer: Answer<C>) -> Self {
        Self(Halted::Answer(Box::new(answer)))
    }
}

impl Done<'_> {
    /// The reply to commands of this type.
    #[must_use]
    pub fn reply<C: Command>(&self) -> Option<&C::Reply> {
        self.reply.downcast_ref()
    }
}

impl Failed<'_> {
    /// The error of commands of this type.
    #[must_use]
    pub fn error<C: Command>(&self) -> Option<&DispatchError<C::Rejection>> {
        self.error.downcast_ref()
    }
}

impl<M: Middleware> Around for M {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn concerns(&self, command: &'static str) -> bool {
        Middleware::concerns(self, command)
    }

    fn before<'a>(&'a self, passage: &'a mut Passage) -> BoxFuture<'a, Result<(), Halt>> {
        Box::pin(Middleware::before(self, passage))
    }

    fn after(&self, passage: &Passage, done: &Done<'_>) {
        Middleware::after(self, passage, done);
    }

    fn failure(&self, passage: &Passage, failed: &Failed<'_>) {
        Middleware::failure(self, passage, failed);
    }
}

impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passage")
            .field("name", &self.name)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Halted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reason(reason) => f.debug_tuple("Reason").field(reason).finish(),
            Self::Answer(_) => f.write_str("Answer"),
        }
    }
}

impl fmt::Debug for Done<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Done")
            .field("position", &self.position)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Failed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failed")
            .field("code", &self.code)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}
