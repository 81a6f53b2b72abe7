//! From a request to the bus and back: one deadline, one correlation id, every failure logged once.

use std::{
    fmt::Debug,
    future::{Ready, ready},
    time::Duration,
};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, web};
use umbel_bus::{Bus, DispatchError, DispatchOptions};
use umbel_core::{Command, CommandId, Json, Query, Timestamp};
use uuid::Uuid;

use crate::{
    edge::{IDEMPOTENCY_KEY, RequestContext},
    error::ApiError,
    state::State,
};

/// One request's access to the bus.
#[derive(Clone)]
pub(crate) struct Call {
    state: web::Data<State>,
    context: RequestContext,
    idempotency_key: Option<Uuid>,
}

impl Call {
    pub(crate) fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let state = request.app_data::<web::Data<State>>().cloned().ok_or_else(ApiError::internal)?;
        let context = request.extensions().get::<RequestContext>().copied().ok_or_else(ApiError::internal)?;
        let idempotency_key = match request.headers().get(&IDEMPOTENCY_KEY) {
            None => None,
            Some(value) => {
                let key = value.to_str().ok().and_then(|text| text.trim().parse().ok());
                Some(key.ok_or_else(|| ApiError::unprocessable("Idempotency-Key", "is not a UUID"))?)
            }
        };
        Ok(Self { state, context, idempotency_key })
    }

    /// What is left of the request's time.
    pub(crate) fn remaining(&self) -> Duration {
        self.context.remaining()
    }

    /// Carries out a command and waits until the next request can see it. What is stored but not visible in time
    /// is a success all the same: it will not be lost, and the client must not send it again.
    pub(crate) async fn dispatch<C: Command>(
        &self,
        command: C,
        user: Option<Uuid>,
    ) -> Result<C::Reply, ApiError>
    where
        C::Rejection: Into<ApiError>,
    {
        match self.bus().dispatch_with(command, self.options(C::NAME, user)).await {
            Ok(dispatched) => Ok(dispatched.reply),
            Err(DispatchError::NotYetVisible { position, waiting_for, reply }) => {
                let (command, request_id) = (C::NAME, self.context.id);
                tracing::warn!(command, %position, ?waiting_for, %request_id, "stored, not yet visible");
                self.decode(C::NAME, &reply)
            }
            Err(error) => {
                if !matches!(error, DispatchError::Rejected(_)) {
                    self.log_failure(C::NAME, &error);
                }
                Err(ApiError::of_dispatch(error))
            }
        }
    }

    /// Asks a query.
    pub(crate) async fn ask<Q: Query>(&self, query: Q) -> Result<Q::Answer, ApiError> {
        self.bus().ask_within(query, self.remaining()).await.map_err(|error| {
            self.log_failure(Q::NAME, &error);
            error.into()
        })
    }

    /// A token for the user.
    pub(crate) fn issue_token(&self, user_id: Uuid, now: Timestamp) -> Result<String, ApiError> {
        self.state.tokens.issue(user_id, now).map_err(|error| {
            self.log_failure("issue a token", &error);
            ApiError::internal()
        })
    }

    fn bus(&self) -> &Bus {
        &self.state.bus
    }

    fn options(&self, command: &str, user: Option<Uuid>) -> DispatchOptions {
        let mut options =
            DispatchOptions::default().strong().deadline(self.remaining()).correlation_id(self.context.id);
        if let Some(key) = self.idempotency_key {
            options = options.command_id(command_id(key, command, user));
        }
        match user {
            Some(user) => options.metadata("user_id", user.to_string()),
            None => options,
        }
    }

    fn decode<R: serde::de::DeserializeOwned>(&self, command: &str, reply: &Json) -> Result<R, ApiError> {
        reply.decode().map_err(|error| {
            self.log_failure(command, &error);
            ApiError::internal()
        })
    }

    fn log_failure(&self, what: &str, error: &dyn Debug) {
        tracing::error!(what, request_id = %self.context.id, "failed: {error:?}");
    }
}

/// A client's key means something for this user and this kind of request only: nobody gets another's reply by it.
fn command_id(key: Uuid, command: &str, user: Option<Uuid>) -> CommandId {
    let user = user.map_or_else(String::new, |user| user.to_string());
    CommandId(Uuid::new_v5(&key, format!("{command}/{user}").as_bytes()))
}

impl FromRequest for Call {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_users_own() {
        let (key, ada, bob) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let id = command_id(key, "a.b", Some(ada));
        assert_eq!(command_id(key, "a.b", Some(ada)), id);
        for other in [
            command_id(key, "a.b", Some(bob)),
            command_id(key, "a.b", None),
            command_id(key, "a.c", Some(ada)),
        ] {
            assert_ne!(other, id);
        }
    }
}
