//! The read model of users: found by id, by address, by name.

use contracts::accounts::{User, username_key};
use serde::{Deserialize, Serialize};
use umbel_core::{
    Changes, Document, Projection, RecordedEvent,
    document::{Collection, DocumentQuery},
};
use uuid::Uuid;

use crate::{
    account::{AccountEvent, PasswordHash, new_user},
    rules,
};

/// Keeps [`UserDocument`] and [`Credentials`] up to date.
pub(crate) struct Users;

/// A user; its key is the user's id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "accounts.users")]
pub(crate) struct UserDocument {
    /// What is shown.
    pub(crate) user: User,
    /// The name as it is compared.
    #[index]
    username_key: String,
    /// The address as it is compared.
    #[index]
    email_key: String,
}

/// A user's password's hash; its key is the user's id. A collection of its own, so that who reads a user does
/// not hold the hash by accident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "accounts.credentials")]
pub(crate) struct Credentials {
    pub(crate) password_hash: PasswordHash,
}

impl UserDocument {
    /// The query for the user with this address, however it is written.
    pub(crate) fn by_email(address: &str) -> DocumentQuery {
        DocumentQuery::of::<Self>().equal("email_key", rules::email_key(address)).page(0, 1)
    }

    /// The query for the user of this name, however it is written.
    pub(crate) fn by_username(name: &str) -> DocumentQuery {
        DocumentQuery::of::<Self>().equal("username_key", username_key(name)).page(0, 1)
    }

    fn of(user: User) -> Self {
        Self { username_key: username_key(&user.username), email_key: rules::email_key(&user.email), user }
    }
}

impl Projection for Users {
    const NAME: &'static str = "accounts.users";
    // 2: names and addresses are compared as they are read.
    const VERSION: u32 = 2;
    type Event = AccountEvent;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<UserDocument>(), Collection::of::<Credentials>()]
    }

    fn project(event: AccountEvent, _: &RecordedEvent, changes: &mut Changes) {
        match event {
            AccountEvent::Registered(event) => {
                changes.put(event.user_id, UserDocument::of(new_user(&event)));
            }
            AccountEvent::PasswordSet(event) => {
                changes.put(event.user_id, Credentials { password_hash: event.password_hash });
            }
            AccountEvent::UsernameChanged(event) => {
                change(changes, event.user_id, |user| user.username = event.username);
            }
            AccountEvent::EmailChanged(event) => {
                change(changes, event.user_id, |user| user.email = event.email);
            }
            AccountEvent::BioChanged(event) => change(changes, event.user_id, |user| user.bio = event.bio),
            AccountEvent::ImageChanged(event) => {
                change(changes, event.user_id, |user| user.image = event.image);
            }
        }
    }
}

fn change(changes: &mut Changes, user_id: Uuid, change: impl FnOnce(&mut User) + Send + 'static) {
    changes.update(user_id, |document: &mut UserDocument| {
        change(&mut document.user);
        *document = UserDocument::of(document.user.clone());
    });
}

#[cfg(test)]
mod tests {
    use contracts::accounts::{BioChanged, EmailChanged, ImageChanged, Registered, UsernameChanged};
    use umbel_testkit::projection::ReadModel;

    use super::*;
    use crate::account::PasswordSet;

    const ID: Uuid = Uuid::from_u128(7);
    const STREAM: &str = "account-00000000-0000-0000-0000-000000000007";

    fn registered() -> ReadModel<Users> {
        let event = Registered { user_id: ID, username: "Jake".into(), email: "Jake@Example.com".into() };
        let password = PasswordSet { user_id: ID, password_hash: PasswordHash("$1".into()) };
        ReadModel::new().after(STREAM, event).after(STREAM, password)
    }

    fn user(model: &ReadModel<Users>) -> UserDocument {
        model.document(&ID.to_string()).unwrap()
    }

    #[test]
    fn a_user_is_kept_as_written_and_found_as_compared() {
        let document = user(&registered());
        assert_eq!(
            (document.username_key.as_str(), document.email_key.as_str()),
            ("jake", "jake@example.com")
        );
        assert_eq!(
            (document.user.username.as_str(), document.user.email.as_str()),
            ("Jake", "Jake@Example.com")
        );
        assert_eq!(UserDocument::by_email("JAKE@example.com").check::<UserDocument>(), Ok(()));
        assert_eq!(UserDocument::by_username("JAKE").check::<UserDocument>(), Ok(()));
    }

    #[test]
    fn every_change_shows_and_moves_the_index() {
        let model = registered()
            .after(STREAM, UsernameChanged { user_id: ID, username: "Jacob".into() })
            .after(STREAM, EmailChanged { user_id: ID, email: "J@Example.com".into() })
            .after(STREAM, BioChanged { user_id: ID, bio: Some("Works.".into()) })
            .after(STREAM, ImageChanged { user_id: ID, image: Some("i.png".into()) });
        let document = user(&model);
        assert_eq!((document.username_key.as_str(), document.email_key.as_str()), ("jacob", "j@example.com"));
        assert_eq!(document.user.bio.as_deref(), Some("Works."));
        assert_eq!(document.user.image.as_deref(), Some("i.png"));
        let gone = model.after(STREAM, BioChanged { user_id: ID, bio: None });
        assert_eq!(user(&gone).user.bio, None);
    }

    #[test]
    fn the_last_password_counts_and_is_kept_apart() {
        let password = PasswordSet { user_id: ID, password_hash: PasswordHash("$2".into()) };
        let model = registered().after(STREAM, password);
        let credentials: Credentials = model.document(&ID.to_string()).unwrap();
        assert_eq!(credentials.password_hash, PasswordHash("$2".into()));
        assert!(!serde_json::to_string(&user(&model)).unwrap().contains('$'));
    }
}
