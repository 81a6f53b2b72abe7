//! From a request to the bus and back: one deadline, one correlation id, every failure logged once.

use std::{
    fmt::Display,
    future::{Ready, ready},
    time::Duration,
};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, web};
use contracts::accounts::{GetUser, User};
use umbel_bus::{AskError, Bus, DispatchError, DispatchOptions, Kind, Whereabouts};
use umbel_core::{Command, CommandId, Json, Query, Timestamp, message::first_name};
use uuid::Uuid;

use crate::{
    edge::{IDEMPOTENCY_KEY, RequestContext},
    error::ApiError,
    guard::LoginGuard,
    state::State,
    token::TokenError,
};

/// The namespace of the ids that keys lead to. It never changes, so that what was done under one secret of the gateway is not done again under
/// the next.
const KEYS: Uuid = Uuid::from_u128(0x1f6a_2c0e_9d44_5b7a_8e13_6b0c_d2a5_7f39);

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
        self.dispatch_with(command, user, &KEYS).await
    }

    /// The same for a command that holds what the log does not show to its readers, such as a password: another secret of the gateway makes
    /// its keys new ones.
    pub(crate) async fn dispatch_private<C: Command>(
        &self,
        command: C,
        user: Option<Uuid>,
    ) -> Result<C::Reply, ApiError>
    where
        C::Rejection: Into<ApiError>,
    {
        self.dispatch_with(command, user, &self.state.pepper).await
    }

    async fn dispatch_with<C: Command>(
        &self,
        command: C,
        user: Option<Uuid>,
        keys: &Uuid,
    ) -> Result<C::Reply, ApiError>
    where
        C::Rejection: Into<ApiError>,
    {
        let options = self.options(&command, user, keys)?;
        match self.bus().dispatch_with(command, options).await {
            Ok(dispatched) => Ok(dispatched.reply),
            Err(DispatchError::NotYetVisible { position, waiting_for, reply }) => {
                let (command, request_id) = (C::NAME, self.context.id);
                tracing::warn!(command, %position, ?waiting_for, %request_id, "stored, not yet visible");
                self.decode(C::NAME, &reply)
            }
            Err(error) => {
                match &error {
                    DispatchError::Rejected(_) => {}
                    // The client is told why, and can repeat it at will; who said it shows only here.
                    DispatchError::Refused(refusal) => {
                        tracing::debug!(command = C::NAME, request_id = %self.context.id, "{refusal}");
                    }
                    DispatchError::NoHandler { .. } => self.warn_of_unanswered(C::NAME),
                    DispatchError::Unavailable { reason, .. } => {
                        self.log_unavailable(Kind::Command, C::NAME, reason);
                    }
                    error => self.log_failure(C::NAME, error),
                }
                Err(ApiError::of_dispatch(error))
            }
        }
    }

    /// Asks a query.
    pub(crate) async fn ask<Q: Query>(&self, query: Q) -> Result<Q::Answer, ApiError> {
        self.bus().ask_within(query, self.remaining()).await.map_err(|error| {
            match &error {
                AskError::NoHandler { .. } => self.warn_of_unanswered(Q::NAME),
                AskError::Unavailable { reason, .. } => self.log_unavailable(Kind::Query, Q::NAME, reason),
                error => self.log_failure(Q::NAME, error),
            }
            error.into()
        })
    }

    /// What counts failed log-ins.
    pub(crate) fn logins(&self) -> &LoginGuard {
        &self.state.logins
    }

    /// The user a token stands for.
    pub(crate) async fn user(&self, user_id: Uuid) -> Result<User, ApiError> {
        Ok(self.ask(GetUser { user_id }).await?.ok_or(TokenError::Invalid)?)
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

    fn options<C: Command>(
        &self,
        command: &C,
        user: Option<Uuid>,
        keys: &Uuid,
    ) -> Result<DispatchOptions, ApiError> {
        let mut options =
            DispatchOptions::default().strong().deadline(self.remaining()).correlation_id(self.context.id);
        if let Some(key) = self.idempotency_key {
            let id = command_id(keys, key, command, user).map_err(|error| {
                self.log_failure(C::NAME, &error);
                ApiError::internal()
            })?;
            options = options.command_id(id);
        }
        Ok(match user {
            Some(user) => options.metadata("user_id", user.to_string()),
            None => options,
        })
    }

    fn decode<R: serde::de::DeserializeOwned>(&self, command: &str, reply: &Json) -> Result<R, ApiError> {
        reply.decode().map_err(|error| {
            self.log_failure(command, &error);
            ApiError::internal()
        })
    }

    /// Once per message: which apps run here is for the operator to know, and nothing that each request changes.
    fn warn_of_unanswered(&self, message: &'static str) {
        if self.state.note_unanswered(message) {
            tracing::warn!(
                message_name = message,
                "nobody answers this; run the app that does, here or in a process that is reached from here ([link] address); \
                 `umbel peers` shows which there are"
            );
        }
    }

    /// That a process is away is told once by what carries messages to it, with how many it missed, and not again for each of them.
    fn log_unavailable(&self, kind: Kind, message: &'static str, reason: &str) {
        match self.bus().whereabouts(kind, message) {
            Whereabouts::Here | Whereabouts::There => self.log_failure(message, &reason),
            Whereabouts::Unreached | Whereabouts::Nowhere => {
                tracing::debug!(message_name = message, request_id = %self.context.id, reason, "not available");
            }
        }
    }

    fn log_failure(&self, what: &str, error: &dyn Display) {
        tracing::error!(what, request_id = %self.context.id, "failed: {error:#}");
    }
}

/// A client's key means "the same request again": it stands for this user, this kind of request and all that was
/// sent, so nobody gets the reply to another's request by it, nor to another request of their own.
///
/// The log keeps the id. Where the command holds more than the log shows, such as a password, the pepper as the namespace keeps whoever reads
/// the log, and knows the key, from trying passwords against it; for all others it is [`KEYS`].
fn command_id<C: Command>(
    namespace: &Uuid,
    key: Uuid,
    command: &C,
    user: Option<Uuid>,
) -> serde_json::Result<CommandId> {
    // Fields come in the order of their declaration: equal commands have equal texts, however they were sent.
    let intent = serde_json::to_vec(&(key, first_name::<C>(), user, command))?;
    Ok(CommandId(Uuid::new_v5(namespace, &intent)))
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
    use contracts::{Password, accounts::Register, articles::Publish};

    use super::*;

    const KEY: Uuid = Uuid::from_u128(1);
    const ADA: Option<Uuid> = Some(Uuid::from_u128(2));
    const BOB: Option<Uuid> = Some(Uuid::from_u128(3));

    fn id_of(command: &impl Command, user: Option<Uuid>) -> CommandId {
        command_id(&KEYS, KEY, command, user).unwrap()
    }

    fn register(username: &str, password: &str) -> Register {
        Register { username: username.into(), email: "ada@x.org".into(), password: Password::new(password) }
    }

    fn publish(title: &str, body: &str) -> Publish {
        let (title, body) = (title.into(), body.into());
        Publish { author_id: KEY, title, description: String::new(), body, tags: Vec::new() }
    }

    #[test]
    fn a_key_is_its_users_own() {
        let id = id_of(&publish("a", "b"), ADA);
        assert_eq!(id_of(&publish("a", "b"), ADA), id);
        assert_ne!(id_of(&publish("a", "b"), BOB), id);
        assert_ne!(id_of(&publish("a", "b"), None), id);
    }

    #[test]
    fn a_key_with_another_body_is_another_request() {
        let id = id_of(&register("ada", "pw"), None);
        assert_eq!(id_of(&register("ada", "pw"), None), id);
        assert_ne!(id_of(&register("bob", "pw"), None), id);
        assert_ne!(id_of(&register("ada", "guess"), None), id);
        assert_ne!(id_of(&publish("a", "b"), ADA), id_of(&publish("ab", ""), ADA));
    }

    /// Whoever reads the log finds the id there, and may know the key.
    #[test]
    fn an_id_tells_nothing_without_the_pepper() {
        let id = |pepper| command_id(&Uuid::from_u128(pepper), KEY, &register("ada", "pw"), None).unwrap();
        assert_ne!(id(1), id(2));
    }
}
