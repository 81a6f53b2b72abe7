//! What an account decides.

use contracts::{
    Invalid,
    accounts::{
        BioChanged, EmailChanged, ImageChanged, Registered, Rejection, UniqueField, User, UsernameChanged,
        username_key,
    },
};
use umbel_core::{Context, Decide, Decision, store::ClaimName};

use crate::rules;

use super::{
    Account, AccountEvent, ChangeAccount, CreateAccount, EMAIL_SCOPE, PasswordSet, USERNAME_SCOPE, new_user,
};

type Decided = Result<Decision<AccountEvent, User>, Rejection>;

impl Decide<CreateAccount> for Account {
    fn identify(command: &CreateAccount) -> String {
        command.user_id.to_string()
    }

    fn decide(&self, command: &CreateAccount, _: &Context<'_>) -> Decided {
        // The id is fresh for every registration, so this one has been carried out already.
        if let Some(user) = &self.user {
            return Ok(Decision::nothing(user.clone()));
        }
        Invalid::check([
            ("username", rules::username(&command.username)),
            ("email", rules::email(&command.email)),
        ])?;
        let registered = Registered {
            user_id: command.user_id,
            username: command.username.clone(),
            email: command.email.clone(),
        };
        let user = new_user(&registered);
        let password = PasswordSet { user_id: command.user_id, password_hash: command.password_hash.clone() };
        Ok(Decision::new(vec![registered.into(), password.into()], user)
            .take(USERNAME_SCOPE, &username_key(&command.username))
            .take(EMAIL_SCOPE, &rules::email_key(&command.email)))
    }

    fn claimed(_: &CreateAccount, claim: &ClaimName) -> Option<Rejection> {
        taken(claim)
    }
}

impl Decide<ChangeAccount> for Account {
    fn identify(command: &ChangeAccount) -> String {
        command.user_id.to_string()
    }

    fn decide(&self, command: &ChangeAccount, _: &Context<'_>) -> Decided {
        let old = self.user.as_ref().ok_or(Rejection::UnknownUser)?;
        Invalid::check([
            ("username", command.username.as_deref().and_then(rules::username)),
            ("email", command.email.as_deref().and_then(rules::email)),
            ("bio", command.bio.as_deref().and_then(rules::bio)),
            ("image", command.image.as_deref().and_then(rules::image)),
        ])?;
        let new = changed(old, command);
        let decision = Decision::new(difference(old, &new, command), new.clone());
        let decision = reclaim(decision, USERNAME_SCOPE, username_key, &old.username, &new.username);
        Ok(reclaim(decision, EMAIL_SCOPE, rules::email_key, &old.email, &new.email))
    }

    fn claimed(_: &ChangeAccount, claim: &ClaimName) -> Option<Rejection> {
        taken(claim)
    }
}

/// The user as the command wants them.
fn changed(old: &User, command: &ChangeAccount) -> User {
    let text = |new: &Option<String>, old: &String| new.as_ref().unwrap_or(old).clone();
    let optional = |new: &Option<String>, old: &Option<String>| match new {
        Some(text) => rules::or_none(text),
        None => old.clone(),
    };
    User {
        id: old.id,
        username: text(&command.username, &old.username),
        email: text(&command.email, &old.email),
        bio: optional(&command.bio, &old.bio),
        image: optional(&command.image, &old.image),
    }
}

/// One event for each thing that is not as it was.
fn difference(old: &User, new: &User, command: &ChangeAccount) -> Vec<AccountEvent> {
    let user_id = new.id;
    let mut events = Vec::new();
    if new.username != old.username {
        events.push(UsernameChanged { user_id, username: new.username.clone() }.into());
    }
    if new.email != old.email {
        events.push(EmailChanged { user_id, email: new.email.clone() }.into());
    }
    if let Some(password_hash) = command.password_hash.clone() {
        events.push(PasswordSet { user_id, password_hash }.into());
    }
    if new.bio != old.bio {
        events.push(BioChanged { user_id, bio: new.bio.clone() }.into());
    }
    if new.image != old.image {
        events.push(ImageChanged { user_id, image: new.image.clone() }.into());
    }
    events
}

/// Takes the new value and frees the old one, unless both count as the same.
fn reclaim<E, R>(
    decision: Decision<E, R>,
    scope: &str,
    key: fn(&str) -> String,
    old: &str,
    new: &str,
) -> Decision<E, R> {
    let (old, new) = (key(old), key(new));
    if old == new { decision } else { decision.take(scope, &new).release(scope, &old) }
}

fn taken(claim: &ClaimName) -> Option<Rejection> {
    match claim.scope.as_str() {
        USERNAME_SCOPE => Some(Rejection::Taken(UniqueField::Username)),
        EMAIL_SCOPE => Some(Rejection::Taken(UniqueField::Email)),
        _ => None,
    }
}
