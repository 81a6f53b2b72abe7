//! Commands by their wire names, from JSON: for those who keep commands for later, and so hold no typed value.

use futures_util::future::BoxFuture;
use umbel_core::{
    Command, Json,
    waiting::{self, WaitingError},
};

use crate::{
    dispatch::{DispatchError, DispatchOptions, Dispatched},
    handle::Bus,
};

/// What an encoded command leads to: its reply, or its rejection, as JSON.
pub type EncodedAnswer = Result<Dispatched<Json>, DispatchError<Json>>;

/// Decodes a command of one type and dispatches it.
pub(crate) type DispatchEncoded = fn(Bus, u32, Json, DispatchOptions) -> BoxFuture<'static, EncodedAnswer>;

impl Bus {
    /// Dispatches the command of this wire name, or of one that it had before, from its JSON, as if it had been dispatched as a typed
    /// value: through the same middleware, to the same owner. An old version of its shape is brought to that of today.
    ///
    /// # Errors
    /// See [`DispatchError`]: [`NoHandler`](DispatchError::NoHandler) when nobody here owns a command of this name, or knows this version
    /// of its shape; [`Undecodable`](DispatchError::Undecodable) when the JSON is not such a command.
    pub async fn dispatch_encoded(
        &self,
        name: &str,
        schema: u32,
        body: Json,
        options: DispatchOptions,
    ) -> Result<Dispatched<Json>, DispatchError<Json>> {
        let Some(dispatch) = self.routes().command(name) else {
            return Err(DispatchError::NoHandler { command: name.to_owned().into() });
        };
        dispatch(self.clone(), schema, body, options).await
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
    options: DispatchOptions,
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
        match bus.dispatch_with(command, options).await {
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
