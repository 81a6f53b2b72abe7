//! Messages whose owner runs in another process: to whom they go, what is tried again, and what is known when no answer came.
//!
//! A *carrier* takes one message to one process and says how far it came; what that means is decided here, so that a caller is told the
//! same as by an owner of his own process. An owner here always comes first: while it restarts it is waited for, and nobody else is
//! asked. See ADR 63.

use std::borrow::Cow;

use futures_util::future::BoxFuture;
use tokio::time::Instant;
use umbel_core::{Command, Json, subscription::NodeId, waiting::schema_of};

use crate::{
    ask::AskError,
    dispatch::{Dispatch, DispatchContext, DispatchError, Dispatched, Outcome},
    elsewhere::{Kind, Peer},
    encoded::{EncodedAnswer, How},
    handle::Bus,
    names::lasting,
    peers::Contact,
    visible::{Awaits, Consistency},
};

/// Takes messages to other processes.
pub trait Carrier: Send + Sync + 'static {
    /// Takes one to this process and brings back what became of it, before its deadline.
    fn carry<'a>(&'a self, to: &'a Peer, parcel: &'a Parcel) -> BoxFuture<'a, Result<Delivery, NotCarried>>;

    /// How the contact to this process stands.
    fn contact(&self, to: NodeId) -> Contact;
}

/// A message for an owner in another process.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// Wire name of the message.
    pub name: Cow<'static, str>,
    /// The message as JSON.
    pub body: Json,
    /// When the sender stops waiting. The owner does not begin after that.
    pub deadline: Instant,
    /// What it is.
    pub errand: Errand,
}

/// What kind of message is carried, and what travels with it.
#[derive(Clone, Debug)]
pub enum Errand {
    /// A question.
    Query,
    /// A command.
    Command {
        /// Version of its shape.
        schema: u32,
        /// What it belongs to.
        context: Box<DispatchContext>,
        /// Whether the owner's process puts its middleware around it. The sender does that if he has the command as a value; of one that
        /// he has by name alone, only the owner can make the value that middleware sees.
        around: bool,
    },
}

/// What became of a message that was taken to its owner.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// What the owner of a query says.
    Query(Result<Json, AskError>),
    /// What the owner of a command says.
    Command {
        /// Its reply, or why there is none.
        answer: Box<EncodedAnswer>,
        /// What its app says that dispatches await that do not say it themselves.
        awaits: Option<Consistency>,
    },
}

/// How far a message came that has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCarried {
    /// It was not sent, or not begun. Another process may be tried.
    #[error("{0}")]
    NotSent(String),
    /// It was not sent, and will not be to that process until somebody changes something, as when their secrets differ. Another one may be
    /// tried.
    #[error("{0}")]
    Unwelcome(String),
    /// It is more than that process takes. Another one may be tried.
    #[error("{0}")]
    TooLarge(String),
    /// It cannot be sent, to nobody.
    #[error("{0}")]
    Impossible(String),
    /// It was sent, and nobody can be asked any more what became of it.
    #[error("{0}")]
    Lost(String),
    /// It was sent, and there was no answer before its deadline.
    #[error("there was no answer in time")]
    Late,
}

/// Why a message has no answer from another process.
#[derive(Debug)]
enum Unanswered {
    /// Nobody is known who answers it. Nothing was done.
    NoOwner,
    /// Who would answer it cannot be reached. Nothing was done.
    Unavailable(String),
    /// It cannot be carried. Nothing was done.
    Impossible(String),
    /// It was sent; nobody knows whether it was carried out.
    Unknown,
    /// It was sent, and its end is not worth knowing: only a question.
    Crashed(String),
}

impl Errand {
    const fn kind(&self) -> Kind {
        match self {
            Self::Query => Kind::Query,
            Self::Command { .. } => Kind::Command,
        }
    }

    /// Whether it does no harm to send it again when nobody knows what became of it.
    const fn may_be_repeated(&self) -> bool {
        match self {
            Self::Query => true,
            Self::Command { context, .. } => context.idempotent,
        }
    }
}

impl Delivery {
    /// Whether the process says that nobody there answers this, or knows this version of its shape: nothing was done. That an owner there
    /// has found nobody for something else, which he needs, is his answer.
    fn is_nobody(&self, asked: &str) -> bool {
        match self {
            Self::Query(Err(AskError::NoHandler { query })) => *query == asked,
            Self::Query(_) => false,
            Self::Command { answer, .. } => match &**answer {
                Err(DispatchError::NoHandler { command }) => {
                    command.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                }
                _ => false,
            },
        }
    }
}

impl DispatchError<Json> {
    /// "Nobody owns it" said of a command's name of today, as whoever asked for it by another one looks for it.
    fn under(self, today: Option<&str>, asked: &str) -> Self {
        match self {
            Self::NoHandler { command } => {
                let rest = today.and_then(|today| command.strip_prefix(today));
                let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with('/'));
                Self::NoHandler {
                    command: rest.map_or(command.clone(), |rest| format!("{asked}{rest}").into()),
                }
            }
            other => other,
        }
    }
}

impl Bus {
    /// Hands a message of another process to its owner here, and to nobody else: a message that was carried is not carried on.
    pub async fn deliver(&self, parcel: Parcel) -> Delivery {
        let Parcel { name, body, deadline, errand } = parcel;
        match errand {
            Errand::Query => Delivery::Query(match self.routes().query(&name) {
                Some(ask) => ask(self.clone(), body, deadline).await,
                None => Err(AskError::NoHandler { query: lasting(&name).unwrap_or("of that name") }),
            }),
            Errand::Command { schema, context, around } => {
                let awaits = self.said_by_app(&name);
                let answer = match self.routes().command(&name) {
                    Some(dispatch) => {
                        let how = How::Carried { context: *context, around };
                        let today = self.command_name(&name);
                        let answer = dispatch(self.clone(), schema, body, how).await;
                        answer.map_err(|error| error.under(today, &name))
                    }
                    None => Err(DispatchError::NoHandler { command: name }),
                };
                Delivery::Command { answer: Box::new(answer), awaits }
            }
        }
    }

    /// Sends a command to an owner in another process, and waits for what shall be visible.
    pub(crate) async fn dispatch_there<C: Command>(
        &self,
        dispatch: Dispatch<C>,
        awaits: &Awaits,
    ) -> Result<Dispatched<C::Reply>, DispatchError<C::Rejection>> {
        let Dispatch { command, context } = dispatch;
        if self.carrier().is_none() {
            return Err(DispatchError::NoHandler { command: C::NAME.into() });
        }
        let body = Json::encode(&command).map_err(|error| DispatchError::Failed {
            reason: format!("{} has no JSON form and cannot leave the process: {error}", C::NAME),
        })?;
        drop(command);
        let other_form = |what: &str, error| DispatchError::Failed {
            reason: format!(
                "the process that carried out {} has another form of its {what}: {error}",
                C::NAME
            ),
        };
        let sent = (const { schema_of::<C>() }, body);
        match self.dispatch_elsewhere(C::NAME.into(), sent, context, (awaits, false)).await {
            Ok(dispatched) => {
                dispatched.try_map(|reply| reply.decode()).map_err(|error| other_form("reply", error))
            }
            Err(error) => Err(error.map_rejection(|rejection| match rejection.decode() {
                Ok(rejection) => DispatchError::Rejected(rejection),
                Err(error) => other_form("rejection", error),
            })),
        }
    }

    /// The same, for one that is encoded; with the middleware of the owner's process around it, or none.
    pub(crate) async fn dispatch_elsewhere(
        &self,
        name: Cow<'static, str>,
        sent: (u32, Json),
        context: DispatchContext,
        (awaits, around): (&Awaits, bool),
    ) -> EncodedAnswer {
        context.metadata.check().map_err(|error| DispatchError::Refused(error.into()))?;
        let (deadline, within) = (context.deadline, context.within.clone());
        let (dispatched, by_app) = self.hand_out(name, sent, context, around).await?;
        match awaits.given(by_app.as_ref()) {
            Consistency::Eventual => Ok(dispatched),
            consistency => self.await_visible(dispatched, consistency, &within, deadline).await,
        }
    }

    /// Has a command carried out in another process. What its app there says that such dispatches await comes with the answer.
    async fn hand_out(
        &self,
        name: Cow<'static, str>,
        (schema, body): (u32, Json),
        context: DispatchContext,
        around: bool,
    ) -> Result<(Dispatched<Json>, Option<Consistency>), DispatchError<Json>> {
        let deadline = context.deadline;
        let errand = Errand::Command { schema, context: Box::new(context), around };
        let parcel = Parcel { name, body, deadline, errand };
        match self.carry(&parcel).await {
            Ok(Delivery::Command { answer, awaits }) => answer.map(|dispatched| (dispatched, awaits)),
            Ok(Delivery::Query(_)) => {
                Err(DispatchError::Failed { reason: format!("{} was answered as a query", parcel.name) })
            }
            Err(Unanswered::NoOwner) => Err(DispatchError::NoHandler { command: parcel.name }),
            Err(Unanswered::Unavailable(reason)) => Err(DispatchError::unavailable(reason)),
            Err(Unanswered::Impossible(reason)) => Err(DispatchError::Failed { reason }),
            Err(Unanswered::Unknown | Unanswered::Crashed(_)) => Err(DispatchError::Timeout {
                command: lasting(&parcel.name).unwrap_or("of that name"),
                outcome: Outcome::Unknown,
            }),
        }
    }

    /// Has a query answered in another process.
    pub(crate) async fn ask_elsewhere(
        &self,
        name: &'static str,
        body: Json,
        deadline: Instant,
    ) -> Result<Json, AskError> {
        let parcel = Parcel { name: name.into(), body, deadline, errand: Errand::Query };
        match self.carry(&parcel).await {
            Ok(Delivery::Query(answer)) => answer,
            Ok(Delivery::Command { .. }) => {
                Err(AskError::Failed { reason: format!("{name} was answered as a command") })
            }
            Err(Unanswered::NoOwner) => Err(AskError::NoHandler { query: name }),
            Err(Unanswered::Unavailable(reason) | Unanswered::Crashed(reason)) => {
                Err(AskError::unavailable(reason))
            }
            Err(Unanswered::Impossible(reason)) => Err(AskError::Failed { reason }),
            Err(Unanswered::Unknown) => Err(AskError::Timeout { query: name }),
        }
    }

    /// Takes a message to one of those who answer it. Who cannot be reached is passed over; when that is all of them the store is asked
    /// once more, for one that has been started anew is known under another address. That nobody answers it any more who did a moment ago
    /// passes; that those who do are not talked to does not, and counts as if nobody did.
    async fn carry(&self, parcel: &Parcel) -> Result<Delivery, Unanswered> {
        let Some(carrier) = self.carrier() else { return Err(Unanswered::NoOwner) };
        let (mut tried, mut attempts) = (Vec::<NodeId>::new(), Attempts::default());
        let mut peers = self.elsewhere().answering(parcel.errand.kind(), &parcel.name);
        let mut looked = false;
        loop {
            for peer in peers.extract_if(.., |_| true) {
                tried.push(peer.node);
                match carrier.carry(&peer, parcel).await {
                    Ok(delivery) => {
                        if let Some(delivery) = attempts.came_back(&parcel.name, delivery)? {
                            return Ok(delivery);
                        }
                    }
                    Err(error) => attempts.failed(&peer, parcel, error)?,
                }
            }
            if looked || Instant::now() >= parcel.deadline {
                return Err(match attempts.end() {
                    Unanswered::NoOwner => self.no_owner(parcel),
                    end => end,
                });
            }
            looked = true;
            self.look_elsewhere(parcel.deadline).await;
            peers = self.elsewhere().answering(parcel.errand.kind(), &parcel.name);
            peers.retain(|peer| !tried.contains(&peer.node));
        }
    }

    /// What it means that nobody is known who answers a message.
    fn no_owner(&self, parcel: &Parcel) -> Unanswered {
        let name = &parcel.name;
        match self.elsewhere().was_answered(parcel.errand.kind(), name) {
            Some(address) => Unanswered::Unavailable(format!(
                "{name} was answered at {address} until a moment ago; the process there has stopped"
            )),
            None => Unanswered::NoOwner,
        }
    }
}

/// What is known of a message after attempts to have it carried.
#[derive(Debug, Default)]
struct Attempts {
    /// Why somebody could not be reached, the last of them.
    unreached: Option<String>,
    /// Why somebody does not take one that is so large.
    too_large: Option<String>,
    /// Set when an attempt was made of which nobody knows how it ended: then nothing that comes later can say that nothing was done.
    lost: Option<String>,
}

impl Attempts {
    /// An answer, unless somebody else is to be asked.
    fn came_back(&mut self, asked: &str, delivery: Delivery) -> Result<Option<Delivery>, Unanswered> {
        if delivery.is_nobody(asked) {
            return Ok(None);
        }
        // "Nothing was stored" is said of this attempt; the one before may yet store something.
        let nothing_done = match &delivery {
            Delivery::Query(_) => false,
            Delivery::Command { answer, .. } => matches!(
                **answer,
                Err(DispatchError::Unavailable { .. }
                    | DispatchError::Conflict { .. }
                    | DispatchError::Refused(_)
                    | DispatchError::NoHandler { .. }
                    | DispatchError::Undecodable { .. }
                    | DispatchError::Timeout { outcome: Outcome::NothingStored, .. })
            ),
        };
        if nothing_done && self.lost.is_some() { Err(Unanswered::Unknown) } else { Ok(Some(delivery)) }
    }

    /// Whether it may be tried elsewhere; else how it ended.
    fn failed(&mut self, peer: &Peer, parcel: &Parcel, error: NotCarried) -> Result<(), Unanswered> {
        let name = &parcel.name;
        tracing::debug!(%error, message = %name, address = %peer.address, "another process has not answered");
        match error {
            NotCarried::NotSent(reason) => {
                self.unreached = Some(format!("{name} is answered at {}: {reason}", peer.address));
                Ok(())
            }
            NotCarried::Unwelcome(_) => Ok(()),
            NotCarried::TooLarge(reason) => {
                self.too_large = Some(reason);
                Ok(())
            }
            NotCarried::Lost(reason) if parcel.errand.may_be_repeated() => {
                self.lost = Some(format!("{name} was being answered at {}: {reason}", peer.address));
                Ok(())
            }
            NotCarried::Lost(_) | NotCarried::Late => Err(Unanswered::Unknown),
            NotCarried::Impossible(_) if self.lost.is_some() => Err(Unanswered::Unknown),
            NotCarried::Impossible(reason) => Err(Unanswered::Impossible(reason)),
        }
    }

    fn end(self) -> Unanswered {
        match self {
            Self { lost: Some(reason), .. } => Unanswered::Crashed(reason),
            Self { unreached: Some(reason), .. } => Unanswered::Unavailable(reason),
            Self { too_large: Some(reason), .. } => Unanswered::Impossible(reason),
            _ => Unanswered::NoOwner,
        }
    }
}
