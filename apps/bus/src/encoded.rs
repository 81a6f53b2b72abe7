//! Commands and queries by their wire names, from JSON: for those who keep commands for later, or have a message of another process in
//! hand, and so hold no typed value.

use futures_util::future::BoxFuture;
use tokio::time::Instant;
use umbel_core::{
    Command, Json, Query,
    waiting::{self, WaitingError},
};

use crate::{
    ask::AskError,
    dispatch::{DispatchContext, DispatchError, DispatchOptions, Dispatched},
    handle::{self, Bus},
    visible::Awaits,
};

/// What an encoded command leads to: its reply, or its rejection, as JSON.
pub type EncodedAnswer = Result<Dispatched<Json>, DispatchError<Json>>;

/// Decodes a command of one type and dispatches it.
pub(crate) type DispatchEncoded = fn(Bus, u32, Json, How) -> BoxFuture<'static, EncodedAnswer>;

/// Decodes a query of one type and asks its owner here.
pub(crate) type AskEncoded = fn(Bus, Json, Instant) -> BoxFuture<'static, Result<Json, AskError>>;

/// Where an encoded command comes from.
pub(crate) enum How {
    /// From this process: it is dispatched as typed ones are.
    Anew(DispatchOptions),
    /// From another one, where it was dispatched and what shall be visible is waited for.
    Carried {
        /// What it belongs to.
        context: DispatchContext,
        /// Whether middleware of this process stands around it.
        around: bool,
    },
}

impl Bus {
    /// Dispatches the command of this wire name, or of one that it had before, from its JSON, as if it had been dispatched as a typed
    /// value: through the same middleware, to the same owner. An old version of its shape is brought to that of today.
    ///
    /// If its owner runs in another process, the middleware is that of the owner's process: only there is it known what type the command has.
    ///
    /// # Errors
    /// See [`DispatchError`]: [`NoHandler`](DispatchError::NoHandler) when nobody owns a command of this name, or knows this version
    /// of its shape; [`Undecodable`](DispatchError::Undecodable) when the JSON is not such a command.
    pub async fn dispatch_encoded(
        &self,
        name: &str,
        schema: u32,
        body: Json,
        options: DispatchOptions,
    ) -> Result<Dispatched<Json>, DispatchError<Json>> {
        match self.routes().command(name) {
            Some(dispatch) => dispatch(self.clone(), schema, body, How::Anew(options)).await,
            None => {
                let (context, awaits) = self.context_of(name, options);
                let name = name.to_owned().into();
                self.dispatch_elsewhere(name, (schema, body), context, (&awaits, true)).await
            }
        }
    }

    /// Asks the query of this wire name from its JSON, as if it had been asked as a typed value.
    ///
    /// # Errors
    /// See [`AskError`]: [`Failed`](AskError::Failed) when the JSON is not such a query.
    pub async fn ask_encoded(
        &self,
        name: &'static str,
        body: Json,
        within: std::time::Duration,
    ) -> Result<Json, AskError> {
        let deadline = handle::within(within);
        match self.routes().query(name) {
            Some(ask) => ask(self.clone(), body, deadline).await,
            None => self.ask_elsewhere(name, body, deadline).await,
        }
    }

    /// Whether a command of this wire name has an owner here.
    #[must_use]
    pub fn owns_command(&self, name: &str) -> bool {
        self.routes().command(name).is_some()
    }

    /// What the command of this wire name is called today, if it has an owner here.
    #[must_use]
    pub fn command_name(&self, name: &str) -> Option<&'static str> {
        self.routes().command_name(name)
    }
}

/// [`DispatchEncoded`] for commands of type `C`.
pub(crate) fn dispatch_encoded<C: Command>(
    bus: Bus,
    schema: u32,
    body: Json,
    how: How,
) -> BoxFuture<'static, EncodedAnswer> {
    Box::pin(async move {
        let command = waiting::decode::<C>(schema, &body).map_err(|error| match error {
            // Somebody with newer code may carry it out.
            WaitingError::UnknownSchema { command, schema, .. } => {
                DispatchError::NoHandler { command: format!("{command}/{schema}").into() }
            }
            error => DispatchError::Undecodable { command: C::NAME, reason: error.to_string() },
        })?;
        let unencodable = |what: &str, error| DispatchError::Failed {
            reason: format!("the {what} of {} has no JSON form: {error}", C::NAME),
        };
        let answer = match how {
            How::Anew(options) => bus.dispatch_with(command, options).await,
            How::Carried { context, around: true } => bus.conduct(command, context, &Awaits::nothing()).await,
            How::Carried { context, around: false } => bus.hand_in_here(command, context).await,
        };
        match answer {
            Ok(dispatched) => {
                dispatched.try_map(|reply| Json::encode(&reply)).map_err(|error| unencodable("reply", error))
            }
            Err(error) => Err(error.map_rejection(|rejection| {
                Json::encode(&rejection).map_or_else(
                    |error| unencodable(&format!("rejection ({rejection})"), error),
                    DispatchError::Rejected,
                )
            })),
        }
    })
}

/// [`AskEncoded`] for queries of type `Q`.
pub(crate) fn ask_encoded<Q: Query>(
    bus: Bus,
    body: Json,
    deadline: Instant,
) -> BoxFuture<'static, Result<Json, AskError>> {
    Box::pin(async move {
        let query = body.decode::<Q>().map_err(|error| AskError::Failed {
            reason: format!("this is not a query {}: {error}", Q::NAME),
        })?;
        let answer = bus.ask_here(query, deadline).await;
        let answer = answer.unwrap_or(Err(AskError::NoHandler { query: Q::NAME }))?;
        Json::encode(&answer).map_err(|error| AskError::Failed {
            reason: format!("the answer to {} has no JSON form: {error}", Q::NAME),
        })
    })
}
