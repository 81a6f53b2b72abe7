//! The account aggregate: what happens to one user, and what they may ask for.

mod decide;
mod messages;
#[cfg(test)]
mod tests;

pub(crate) use messages::{ChangeAccount, CreateAccount, PasswordHash, PasswordSet};

use contracts::accounts::{BioChanged, EmailChanged, ImageChanged, Registered, User, UsernameChanged};
use umbel_core::Aggregate;

/// Scope within which a username is unique.
const USERNAME_SCOPE: &str = "accounts.username";

/// Scope within which an e-mail address is unique.
const EMAIL_SCOPE: &str = "accounts.email";

/// One user's account: nobody until registered.
#[derive(Debug, Default)]
pub(crate) struct Account {
    user: Option<User>,
}

umbel_core::events! {
    /// What happens to an account. All but the password is published.
    #[derive(Clone)]
    pub(crate) enum AccountEvent {
        Registered(Registered),
        PasswordSet(PasswordSet),
        UsernameChanged(UsernameChanged),
        EmailChanged(EmailChanged),
        BioChanged(BioChanged),
        ImageChanged(ImageChanged),
    }
}

impl Aggregate for Account {
    const CATEGORY: &'static str = "account";
    type Event = AccountEvent;
    type Commands = (CreateAccount, ChangeAccount);

    fn evolve(mut self, event: &AccountEvent) -> Self {
        match (event, &mut self.user) {
            (AccountEvent::Registered(event), user) => *user = Some(new_user(event)),
            (AccountEvent::UsernameChanged(event), Some(user)) => user.username.clone_from(&event.username),
            (AccountEvent::EmailChanged(event), Some(user)) => user.email.clone_from(&event.email),
            (AccountEvent::BioChanged(event), Some(user)) => user.bio.clone_from(&event.bio),
            (AccountEvent::ImageChanged(event), Some(user)) => user.image.clone_from(&event.image),
            // Nothing is decided by the hash: it is compared where passwords are.
            (AccountEvent::PasswordSet(_), _) | (_, None) => {}
        }
        self
    }
}

/// A user as they are right after registration.
pub(crate) fn new_user(event: &Registered) -> User {
    User {
        id: event.user_id,
        username: event.username.clone(),
        email: event.email.clone(),
        bio: None,
        image: None,
    }
}
