//! Linking: a second place for events that are in the log already.

use crate::{
    id::EventId,
    message::Request,
    store::{
        AppendError, InvalidAppend, StoreError,
        plan::{StreamState, check_expected},
    },
    stream::StreamName,
    version::{ExpectedVersion, Version},
};

/// Adds links to recorded events to a stream: all of them, or none.
///
/// A link has a version of its own in the target and points to the event in its own stream. The log does not grow.
/// A stream may hold both links and events of its own; each event is in it at most once.
#[derive(Clone, Debug)]
pub struct LinkEvents {
    /// The target.
    pub stream: StreamName,
    /// What the caller believes about it.
    pub expected: ExpectedVersion,
    /// Which events, in this order. At least one.
    pub events: Vec<EventId>,
}

/// Why nothing was linked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// No such event is in the log.
    #[error("event {id} is not in the log")]
    EventNotFound {
        /// Which id.
        id: EventId,
    },
    /// What an append would be refused for, too; [`AppendError::DuplicateEvent`] when the event is in the stream
    /// already.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl LinkEvents {
    /// Checks what can be checked without a store.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), InvalidAppend> {
        if self.stream.is_system() {
            return Err(InvalidAppend::Reserved(self.stream.clone()));
        }
        if self.events.is_empty() {
            return Err(InvalidAppend::NoEvents(self.stream.clone()));
        }
        let mut ids = self.events.clone();
        ids.sort_unstable();
        match ids.iter().zip(ids.iter().skip(1)).find(|(id, next)| id == next) {
            Some((id, _)) => Err(InvalidAppend::EventTwice(*id)),
            None => Ok(()),
        }
    }

    /// Decides against what the store holds: the target, whether an event is in the log, whether the target holds it.
    ///
    /// # Errors
    /// Why nothing is linked: what is wrong with the request, then with the target, then the first unknown event, then
    /// the first that the target holds.
    pub fn check(
        &self,
        target: Option<&StreamState>,
        in_log: impl Fn(EventId) -> bool,
        in_target: impl Fn(EventId) -> bool,
    ) -> Result<(), LinkError> {
        self.validate().map_err(AppendError::Invalid)?;
        check_expected(&self.stream, self.expected, target)?;
        if let Some(id) = self.events.iter().copied().find(|id| !in_log(*id)) {
            return Err(LinkError::EventNotFound { id });
        }
        match self.events.iter().copied().find(|id| in_target(*id)) {
            Some(id) => Err(AppendError::DuplicateEvent { id }.into()),
            None => Ok(()),
        }
    }
}

impl From<StoreError> for LinkError {
    fn from(error: StoreError) -> Self {
        Self::Append(error.into())
    }
}

impl Request for LinkEvents {
    const NAME: &'static str = "store.link_events";
    /// Version of the target after it.
    type Answer = Version;
    type Error = LinkError;
}
