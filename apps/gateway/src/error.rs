//! Failures as clients see them: a status by what they can do, and `{"errors": {key: [message]}}`.

use std::{collections::BTreeMap, fmt, time::Duration};

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use contracts::{Invalid, accounts, articles, comments, social};
use serde_json::json;
use umbel_bus::{AskError, DispatchError, Outcome, Refusal};

use crate::token::TokenError;

/// A failed request's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    status: StatusCode,
    errors: BTreeMap<String, Vec<String>>,
    retry_after: Option<Duration>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, key: &str, message: impl Into<String>) -> Self {
        let errors = BTreeMap::from([(key.to_owned(), vec![message.into()])]);
        Self { status, errors, retry_after: None }
    }

    pub(crate) fn unprocessable(key: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, key, message)
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, what, "not found")
    }

    pub(crate) fn forbidden(what: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, what, "forbidden")
    }

    pub(crate) fn missing_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "token", "is missing")
    }

    pub(crate) fn wrong_credentials() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "credentials", "invalid")
    }

    pub(crate) fn too_many_attempts(retry_after: Duration) -> Self {
        let message = "were wrong too often, try again later";
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "credentials", message);
        Self { retry_after: Some(retry_after), ..error }
    }

    /// Something of ours is not as it must be; the log says what.
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server", "failed")
    }

    fn unavailable(retry_after: Duration) -> Self {
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "server", "is not available, try again");
        Self { retry_after: Some(retry_after), ..error }
    }

    /// The app that would answer runs neither here nor, as of late, in a process that is talked to. Trying again will not change that.
    fn not_here() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server", "does not run the app that answers this")
    }

    /// What a failed command means to the client. The cause of a server's error is for the log, not for them.
    pub(crate) fn of_dispatch<R: Into<Self>>(error: DispatchError<R>) -> Self {
        match error {
            DispatchError::Rejected(rejection) => rejection.into(),
            DispatchError::Unavailable { retry_after, .. } => Self::unavailable(retry_after),
            DispatchError::BadIdentity { reason, .. } => Self::unprocessable("id", reason.of_id()),
            DispatchError::NoHandler { .. } => Self::not_here(),
            DispatchError::Conflict { .. }
            | DispatchError::Timeout { outcome: Outcome::NothingStored, .. } => {
                Self::unavailable(RETRY_AFTER)
            }
            DispatchError::Timeout { outcome: Outcome::Unknown, .. } => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "server",
                "did not answer in time; it may have been done, try again with the same Idempotency-Key",
            ),
            DispatchError::Refused(refusal) => refusal.into(),
            DispatchError::NotYetVisible { .. }
            | DispatchError::Undecodable { .. }
            | DispatchError::Incomplete(_)
            | DispatchError::Failed { .. } => Self::internal(),
        }
    }
}

/// When to try again if nobody knows better: after what a restart takes.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            // Which middleware it was is nothing that a client can use; why is meant for whoever sent the command.
            Refusal::Halted { by: _, reason } => Self::new(StatusCode::FORBIDDEN, "request", reason),
            Refusal::WrongVersion { .. } => {
                Self::new(StatusCode::CONFLICT, "version", "has changed meanwhile, read it again")
            }
            // Below the domain, by an operator: what it was about is there no more, though documents may still show it.
            Refusal::Gone { stream } => Self::not_found(stream.category().0),
            Refusal::NoVersion => Self::unprocessable("version", "cannot be expected of this"),
            Refusal::Metadata(error) => Self::unprocessable("metadata", error.to_string()),
        }
    }
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Unavailable { retry_after, .. } => Self::unavailable(retry_after),
            AskError::NoHandler { .. } => Self::not_here(),
            AskError::Timeout { .. } => Self::unavailable(RETRY_AFTER),
            AskError::Failed { .. } => Self::internal(),
        }
    }
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        let mut errors: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for found in invalid.0 {
            errors.entry(found.field).or_default().push(found.problem.to_string());
        }
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, errors, retry_after: None }
    }
}

impl From<accounts::Rejection> for ApiError {
    fn from(rejection: accounts::Rejection) -> Self {
        match rejection {
            accounts::Rejection::Invalid(invalid) => invalid.into(),
            accounts::Rejection::Taken(field) => {
                Self::new(StatusCode::CONFLICT, &field.to_string(), "has already been taken")
            }
            // The token is good, but its user is gone.
            accounts::Rejection::UnknownUser => TokenError::Invalid.into(),
        }
    }
}

impl From<articles::Rejection> for ApiError {
    fn from(rejection: articles::Rejection) -> Self {
        match rejection {
            articles::Rejection::Invalid(invalid) => invalid.into(),
            articles::Rejection::SlugTaken => {
                Self::new(StatusCode::CONFLICT, "title", "has already been taken")
            }
            articles::Rejection::UnknownArticle => Self::not_found("article"),
            articles::Rejection::NotTheAuthor => Self::forbidden("article"),
        }
    }
}

impl From<comments::Rejection> for ApiError {
    fn from(rejection: comments::Rejection) -> Self {
        match rejection {
            comments::Rejection::Invalid(invalid) => invalid.into(),
            comments::Rejection::UnknownArticle => Self::not_found("article"),
            comments::Rejection::UnknownComment => Self::not_found("comment"),
            comments::Rejection::NotTheAuthor => Self::forbidden("comment"),
        }
    }
}

impl From<social::Rejection> for ApiError {
    fn from(rejection: social::Rejection) -> Self {
        match rejection {}
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        let message = match error {
            TokenError::Invalid => "is invalid",
            TokenError::Expired => "has expired",
        };
        Self::new(StatusCode::UNAUTHORIZED, "token", message)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.status, self.errors)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(retry_after) = self.retry_after {
            let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
            response.insert_header((header::RETRY_AFTER, seconds.max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Token"));
        }
        response.json(json!({ "errors": self.errors }))
    }
}

#[cfg(test)]
mod tests {
    use contracts::{FieldProblem, Problem, accounts::UniqueField};
    use umbel_core::{ExpectedVersion, Metadata, StreamName, Version};

    use super::*;

    fn seen(error: impl Into<ApiError>) -> (u16, serde_json::Value) {
        let error = error.into();
        (error.status.as_u16(), json!(error.errors))
    }

    fn dispatch_seen(error: DispatchError<accounts::Rejection>) -> (u16, Option<Duration>) {
        let error = ApiError::of_dispatch(error);
        (error.status.as_u16(), error.retry_after)
    }

    #[test]
    fn rejections() {
        let problem = |field: &str, problem| FieldProblem { field: field.into(), problem };
        let invalid = Invalid(vec![
            problem("username", Problem::Blank),
            problem("password", Problem::TooShort { min: 8 }),
        ]);
        let expected = json!({ "username": ["can't be blank"], "password": ["is too short (minimum is 8)"] });
        assert_eq!(seen(accounts::Rejection::Invalid(invalid)), (422, expected));
        let taken = accounts::Rejection::Taken(UniqueField::Email);
        assert_eq!(seen(taken), (409, json!({ "email": ["has already been taken"] })));
        assert_eq!(seen(accounts::Rejection::UnknownUser), (401, json!({ "token": ["is invalid"] })));
        let not_found = |key: &str| (404, json!({ key: ["not found"] }));
        let forbidden = |key: &str| (403, json!({ key: ["forbidden"] }));
        assert_eq!(seen(articles::Rejection::UnknownArticle), not_found("article"));
        assert_eq!(seen(articles::Rejection::NotTheAuthor), forbidden("article"));
        assert_eq!(seen(comments::Rejection::UnknownArticle), not_found("article"));
        assert_eq!(seen(comments::Rejection::UnknownComment), not_found("comment"));
        assert_eq!(seen(comments::Rejection::NotTheAuthor), forbidden("comment"));
        assert_eq!(seen(TokenError::Expired), (401, json!({ "token": ["has expired"] })));
    }

    /// What can be tried again says so and when; what may have been done is another status.
    #[test]
    fn failures_by_what_the_client_can_do() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let timeout = |outcome| DispatchError::Timeout { command: "accounts.register", outcome };
        let unavailable = DispatchError::Unavailable { reason: "full".into(), retry_after: minute };
        assert_eq!(dispatch_seen(unavailable), (503, Some(minute)));
        assert_eq!(dispatch_seen(DispatchError::Conflict { attempts: 3 }), (503, Some(second)));
        assert_eq!(dispatch_seen(DispatchError::NoHandler { command: "x".into() }), (503, None));
        assert_eq!(dispatch_seen(timeout(Outcome::NothingStored)), (503, Some(second)));
        assert_eq!(dispatch_seen(timeout(Outcome::Unknown)), (504, None));
        let reason = umbel_core::StreamNameError::Empty;
        let bad = || DispatchError::BadIdentity { command: "x.y", id: String::new(), reason: reason.clone() };
        assert_eq!(dispatch_seen(bad()), (422, None));
        let seen_of = ApiError::of_dispatch::<accounts::Rejection>(bad());
        assert_eq!(json!(seen_of.errors), json!({ "id": ["cannot be empty"] }));
        assert_eq!(dispatch_seen(DispatchError::Failed { reason: "secret path".into() }), (500, None));
        assert_eq!(seen(AskError::Timeout { query: "x" }).0, 503);
        assert_eq!(seen(AskError::Failed { reason: "x".into() }), (500, json!({ "server": ["failed"] })));
    }

    /// A no that came before the domain was asked is the client's to deal with, and no failure of the server.
    #[test]
    fn refusals_say_what_to_change() {
        let refused = |refusal| {
            let error = ApiError::of_dispatch(DispatchError::<accounts::Rejection>::Refused(refusal));
            (error.status.as_u16(), json!(error.errors))
        };
        let halted = Refusal::Halted { by: "quota", reason: "no more today".into() };
        assert_eq!(refused(halted), (403, json!({ "request": ["no more today"] })));
        let expected = ExpectedVersion::Exact(Version::new(1));
        let stale = Refusal::WrongVersion { expected, actual: Version::new(2) };
        let message = "has changed meanwhile, read it again";
        assert_eq!(refused(stale), (409, json!({ "version": [message] })));
        let none = (422, json!({ "version": ["cannot be expected of this"] }));
        assert_eq!(refused(Refusal::NoVersion), none);
        let gone = Refusal::Gone { stream: StreamName::new("article-1").unwrap() };
        assert_eq!(refused(gone), (404, json!({ "article": ["not found"] })));
        let wrong = Metadata::default().with("", "x").check().unwrap_err();
        let (status, errors) = refused(wrong.into());
        assert_eq!((status, errors["metadata"].as_array().map(Vec::len)), (422, Some(1)));
    }

    #[test]
    fn an_answer_says_when_to_try_again() {
        let response = ApiError::unavailable(Duration::from_millis(1200)).error_response();
        assert_eq!(response.headers().get("retry-after").unwrap(), "2");
    }
}
