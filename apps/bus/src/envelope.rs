//! A request on its way: who holds it, until when, and what became of it.
//!
//! Sender and owner share the envelope's content until one of them takes it out. That makes every ending known:
//! an owner that dies with a closed envelope did nothing, so the request goes to the next owner; a sender whose
//! deadline passes takes a closed envelope back and knows that nothing was done, and finds an opened one empty
//! and knows that it does not know.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use umbel_core::Request;

/// What an owner answers: `None` when the envelope was withdrawn or too late to open.
pub type Answered<R> = Option<Result<<R as Request>::Answer, <R as Request>::Error>>;

/// A request in an owner's mailbox.
#[derive(Debug)]
pub struct Envelope<R> {
    content: Arc<Mutex<Option<R>>>,
    deadline: Instant,
    /// Its place in the owner's mailbox: given back when it is opened, or dropped with the mailbox. A withdrawn
    /// envelope keeps its place until the owner has come to it, for so long it takes up memory.
    place: Mutex<Option<OwnedSemaphorePermit>>,
}

/// Why a request has no answer from its owner, or what the owner refused it with.
#[derive(Debug, thiserror::Error)]
pub enum SendError<E> {
    /// The owner's own error.
    #[error("refused")]
    Refused(E),
    /// Nobody owns this kind of request. Nothing was done.
    #[error("nobody here answers {request}")]
    NoOwner {
        /// The request's name.
        request: &'static str,
    },
    /// The owner is down and was not back before the deadline, or had no room. Nothing was done; try again.
    #[error("{owner}, which answers {request}, is not available")]
    Unavailable {
        /// The request's name.
        request: &'static str,
        /// Who should answer.
        owner: String,
    },
    /// The deadline passed while the owner was at work. It may still finish.
    #[error("{owner} did not answer {request} in time")]
    Timeout {
        /// The request's name.
        request: &'static str,
        /// Who should answer.
        owner: String,
    },
    /// The owner died while it was at work. What it had done by then stays done.
    #[error("{owner} died while answering {request}")]
    Crashed {
        /// The request's name.
        request: &'static str,
        /// Who should have answered.
        owner: String,
    },
}

impl<R> Envelope<R> {
    /// Closes an envelope around a request.
    #[must_use]
    pub fn new(request: R, deadline: Instant) -> Self {
        Self { content: Arc::new(Mutex::new(Some(request))), deadline, place: Mutex::new(None) }
    }

    /// The same envelope with a place in the mailbox it is about to be put into.
    pub(crate) fn in_place(self, place: OwnedSemaphorePermit) -> Self {
        Self { place: Mutex::new(Some(place)), ..self }
    }

    /// Takes the request out. `None` when the sender has withdrawn it or its deadline has passed: then it must
    /// not be acted on.
    #[must_use]
    pub fn open(&self) -> Option<R> {
        drop(self.place.lock().unwrap_or_else(PoisonError::into_inner).take());
        if Instant::now() >= self.deadline { None } else { self.withdraw() }
    }

    /// When the sender stops waiting.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The sender's end of the same envelope.
    pub(crate) fn counterpart(&self) -> Self {
        Self { content: Arc::clone(&self.content), deadline: self.deadline, place: Mutex::new(None) }
    }

    /// Takes the request back if nobody has opened the envelope.
    pub(crate) fn withdraw(&self) -> Option<R> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<R: Request> actix::Message for Envelope<R> {
    type Result = Answered<R>;
}
