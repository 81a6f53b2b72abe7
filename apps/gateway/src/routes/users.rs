//! Users: register, log in, see and change oneself.

use actix_web::{HttpResponse, web::Json};
use contracts::{
    Password,
    accounts::{LogIn, LogInAnswer, Register, UpdateUser},
};
use tokio::time::Instant;
use umbel_bus::edge;

use crate::{
    auth::{ClientAddress, CurrentUser},
    body::Body,
    call::Call,
    error::ApiError,
    shapes::{ChangedUser, LogInUser, NewUser, UserEnvelope, UserShape},
};

type Answer = Result<Json<UserEnvelope<UserShape>>, ApiError>;

/// `POST /api/users`
pub(crate) async fn register(
    call: Call,
    body: Body<UserEnvelope<NewUser>>,
) -> Result<HttpResponse, ApiError> {
    let NewUser { username, email, password } = body.0.user;
    let user =
        call.dispatch_private(Register { username, email, password: Password::new(password) }, None).await?;
    let token = call.issue_token(user.id, edge::now())?;
    Ok(HttpResponse::Created().json(UserShape::new(user, token)))
}

/// `POST /api/users/login`
pub(crate) async fn log_in(from: ClientAddress, call: Call, body: Body<UserEnvelope<LogInUser>>) -> Answer {
    let LogInUser { email, password } = body.0.user;
    let begun = call.logins().begin(&email, from.0).await;
    let attempt = begun.map_err(ApiError::too_many_attempts)?;
    match call.ask(LogIn { email, password: Password::new(password) }).await? {
        LogInAnswer::LoggedIn(user) => {
            attempt.succeeded();
            let token = call.issue_token(user.id, edge::now())?;
            Ok(Json(UserShape::new(user, token)))
        }
        LogInAnswer::WrongCredentials => {
            attempt.failed(Instant::now());
            Err(ApiError::wrong_credentials())
        }
        LogInAnswer::Invalid(invalid) => Err(invalid.into()),
    }
}

/// `GET /api/user`
pub(crate) async fn current(me: CurrentUser, call: Call) -> Answer {
    let user = call.user(me.id).await?;
    Ok(Json(UserShape::new(user, me.token)))
}

/// `PUT /api/user`
pub(crate) async fn update(me: CurrentUser, call: Call, body: Body<UserEnvelope<ChangedUser>>) -> Answer {
    let ChangedUser { username, email, password, bio, image } = body.0.user;
    let password = password.map(Password::new);
    let command = UpdateUser { user_id: me.id, username, email, password, bio, image };
    let user = call.dispatch_private(command, Some(me.id)).await?;
    Ok(Json(UserShape::new(user, me.token)))
}
