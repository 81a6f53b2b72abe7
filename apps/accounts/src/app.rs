//! The declaration: what of accounts runs on the bus.

use contracts::{
    Invalid,
    accounts::{GetProfile, GetUser, LogIn, LogInAnswer, Profile, Register, Rejection, UpdateUser, User},
};
use umbel_host::{App, AskError, DispatchError, Handling, ReadModels};

use crate::{
    account::{Account, ChangeAccount, CreateAccount},
    hashing::{Hasher, HashingError},
    rules,
    settings::AccountsSettings,
    users::{Credentials, UserDocument, Users},
};

/// The accounts app.
///
/// # Errors
/// When Argon2 does not take the settings.
pub fn app(settings: &AccountsSettings) -> anyhow::Result<App> {
    let hasher = Hasher::new(settings)
        .map_err(|error| anyhow::anyhow!("the settings in [accounts] do not work: {error}"))?;
    let (registering, updating, verifying) = (hasher.clone(), hasher.clone(), hasher);
    Ok(App::new("accounts")
        .aggregate::<Account>()
        .projection::<Users>()
        .command(move |handling: Handling, command: Register| {
            register(registering.clone(), handling, command)
        })
        .command(move |handling: Handling, command: UpdateUser| update(updating.clone(), handling, command))
        .query(get_user)
        .query(get_profile)
        .query(move |models: ReadModels, query: LogIn| log_in(verifying.clone(), models, query)))
}

/// Checks what can be checked before the costly part, hashes, and leaves the decision to the aggregate.
async fn register(
    hasher: Hasher,
    handling: Handling,
    command: Register,
) -> Result<User, DispatchError<Rejection>> {
    let Register { username, email, password } = command;
    valid([
        ("username", rules::username(&username)),
        ("email", rules::email(&email)),
        ("password", rules::first_password(&password)),
    ])?;
    let password_hash = hasher.hash(password).await.map_err(HashingError::into_dispatch_error)?;
    let user_id = handling.fresh_id();
    handling.dispatch(CreateAccount { user_id, username, email, password_hash }).await
}

/// As [`register`], for what is to be changed only.
async fn update(
    hasher: Hasher,
    handling: Handling,
    command: UpdateUser,
) -> Result<User, DispatchError<Rejection>> {
    let UpdateUser { user_id, username, email, password, bio, image } = command;
    valid([
        ("username", username.as_deref().and_then(rules::username)),
        ("email", email.as_deref().and_then(rules::email)),
        ("password", password.as_ref().and_then(rules::new_password)),
        ("bio", bio.as_deref().and_then(rules::bio)),
        ("image", image.as_deref().and_then(rules::image)),
    ])?;
    let password_hash = match password {
        Some(password) => Some(hasher.hash(password).await.map_err(HashingError::into_dispatch_error)?),
        None => None,
    };
    handling.dispatch(ChangeAccount { user_id, username, email, password_hash, bio, image }).await
}

async fn get_user(models: ReadModels, query: GetUser) -> Result<Option<User>, AskError> {
    let found = models.get::<UserDocument>(query.user_id).await?;
    Ok(found.map(|document| document.user))
}

async fn get_profile(models: ReadModels, query: GetProfile) -> Result<Option<Profile>, AskError> {
    let found = models.query::<UserDocument>(UserDocument::by_username(&query.username)).await?;
    let profile = |User { id, username, email: _, bio, image }| Profile { id, username, bio, image };
    Ok(found.documents.into_iter().next().map(|(_, document)| profile(document.user)))
}

async fn log_in(hasher: Hasher, models: ReadModels, query: LogIn) -> Result<LogInAnswer, AskError> {
    let LogIn { email, password } = query;
    let blank = |text: &str| text.trim().is_empty().then_some(contracts::Problem::Blank);
    if let Err(invalid) = Invalid::check([("email", blank(&email)), ("password", blank(password.expose()))]) {
        return Ok(LogInAnswer::Invalid(invalid));
    }
    let found = models.query::<UserDocument>(UserDocument::by_email(&email)).await?;
    let user = found.documents.into_iter().next().map(|(_, document)| document.user);
    let credentials = match &user {
        Some(user) => models.get::<Credentials>(user.id).await?,
        None => None,
    };
    let matches = hasher.verify(password, credentials.map(|known| known.password_hash)).await?;
    Ok(match user {
        Some(user) if matches => LogInAnswer::LoggedIn(user),
        _ => LogInAnswer::WrongCredentials,
    })
}

fn valid<'a>(
    checks: impl IntoIterator<Item = (&'a str, Option<contracts::Problem>)>,
) -> Result<(), DispatchError<Rejection>> {
    Invalid::check(checks).map_err(|invalid| DispatchError::Rejected(invalid.into()))
}
