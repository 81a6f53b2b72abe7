//! Queries: to their one owner, with a deadline.

use std::time::Duration;

use tokio::time::Instant;
use umbel_core::{Json, Query, Request, store::StoreError};

use crate::{
    envelope::SendError,
    handle::{self, Bus, RETRY_AFTER},
};

/// A query on its way to its owner.
#[derive(Debug)]
pub struct Ask<Q>(
    /// The query.
    pub Q,
);

/// Why a query has no answer; by what the caller can do. Asking again is always safe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Nobody owns this query, here or in a process that is reached from here. Start the app that does.
    #[error("nobody here owns the query {query}; is its app running?")]
    NoHandler {
        /// The query's name.
        query: &'static str,
    },
    /// Something it needs is down or full, or its owner died. Try again after the given time.
    #[error("not available: {reason}")]
    Unavailable {
        /// What, and why.
        reason: String,
        /// When it makes sense to try again.
        retry_after: Duration,
    },
    /// There was no answer in time.
    #[error("no answer to {query} in time")]
    Timeout {
        /// The query's name.
        query: &'static str,
    },
    /// A bug, a wrong setting or damage; the same query will fail again.
    #[error("failed: {reason}")]
    Failed {
        /// What went wrong.
        reason: String,
    },
}

impl Bus {
    /// Asks a query within the default deadline.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn ask<Q: Query>(&self, query: Q) -> Result<Q::Answer, AskError> {
        self.ask_within(query, self.settings().default_deadline()).await
    }

    /// Asks a query.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn ask_within<Q: Query>(&self, query: Q, within: Duration) -> Result<Q::Answer, AskError> {
        let deadline = handle::within(within);
        match self.ask_here(query, deadline).await {
            Ok(answer) => answer,
            // In a box, so that questions that stay here are as small as they were.
            Err(query) => Box::pin(self.ask_there(query, deadline)).await,
        }
    }

    /// Asks the owner here; the query comes back when there is none.
    pub(crate) async fn ask_here<Q: Query>(
        &self,
        query: Q,
        deadline: Instant,
    ) -> Result<Result<Q::Answer, AskError>, Q> {
        let answer = self.send_here(Ask(query), deadline).await.map_err(|Ask(query)| query)?;
        Ok(answer.map_err(|error| match error {
            SendError::Refused(error) => error,
            SendError::NoOwner { .. } => AskError::NoHandler { query: Q::NAME },
            SendError::Timeout { .. } => AskError::Timeout { query: Q::NAME },
            error @ (SendError::Unavailable { .. } | SendError::Crashed { .. }) => {
                AskError::unavailable(error.to_string())
            }
        }))
    }

    /// Asks an owner in another process.
    async fn ask_there<Q: Query>(&self, query: Q, deadline: Instant) -> Result<Q::Answer, AskError> {
        let failed =
            |what: &str, error| AskError::Failed { reason: format!("the {what} {}: {error}", Q::NAME) };
        if self.carrier().is_none() {
            return Err(AskError::NoHandler { query: Q::NAME });
        }
        let body = Json::encode(&query).map_err(|error| failed("query has no JSON form,", error))?;
        let answer = self.ask_elsewhere(Q::NAME, body, deadline).await?;
        answer
            .decode()
            .map_err(|error| failed("process that answered has another form of the answer to", error))
    }
}

impl AskError {
    /// Something is down for now.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), retry_after: RETRY_AFTER }
    }
}

impl From<StoreError> for AskError {
    fn from(error: StoreError) -> Self {
        if error.is_transient() {
            Self::unavailable(error.to_string())
        } else {
            Self::Failed { reason: error.to_string() }
        }
    }
}

impl<Q: Query> Request for Ask<Q> {
    const NAME: &'static str = Q::NAME;
    type Answer = Q::Answer;
    type Error = AskError;
}
