//! The words of the accounts app: who there is, under which name, and whether it is really them.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use umbel_core::{Command, Event, Query};
use unicode_normalization::UnicodeNormalization as _;
use uuid::Uuid;

use crate::{Invalid, Password};

/// A user as the accounts app shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Never changes; what a token holds.
    pub id: Uuid,
    /// As the user wrote it.
    pub username: String,
    /// As the user wrote it.
    pub email: String,
    /// What the user tells about themselves.
    pub bio: Option<String>,
    /// Where a picture of the user is.
    pub image: Option<String>,
}

/// Creates a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Command)]
#[command(name = "accounts.register", reply = User, rejection = Rejection)]
pub struct Register {
    /// Unique, whatever the case of its letters.
    pub username: String,
    /// Unique, whatever the case of its letters.
    pub email: String,
    /// To log in with. Only its hash is kept.
    pub password: Password,
}

/// Changes a user. What is `None` stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Command)]
#[command(name = "accounts.update_user", reply = User, rejection = Rejection)]
pub struct UpdateUser {
    /// Who.
    pub user_id: Uuid,
    /// A new name; not blank.
    pub username: Option<String>,
    /// A new address; not blank.
    pub email: Option<String>,
    /// A new password; not blank and not too short.
    pub password: Option<Password>,
    /// A new text; an empty one takes the old away.
    pub bio: Option<String>,
    /// A new picture; an empty text takes the old away.
    pub image: Option<String>,
}

/// Why a user cannot be created or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// Some fields are not as they must be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Another user has this already.
    #[error("{0} has already been taken")]
    Taken(UniqueField),
    /// There is no such user.
    #[error("there is no such user")]
    UnknownUser,
}

/// What no two users share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UniqueField {
    /// The name.
    Username,
    /// The e-mail address.
    Email,
}

/// Asks for a user by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Query)]
#[query(name = "accounts.get_user", answer = Option<User>)]
pub struct GetUser {
    /// Whom.
    pub user_id: Uuid,
}

/// Asks for a user by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Query)]
#[query(name = "accounts.get_profile", answer = Option<Profile>)]
pub struct GetProfile {
    /// The name; the case of its letters does not matter.
    pub username: String,
}

/// A user as everybody may see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The user's id.
    pub id: Uuid,
    /// As the user wrote it.
    pub username: String,
    /// What the user tells about themselves.
    pub bio: Option<String>,
    /// Where a picture of the user is.
    pub image: Option<String>,
}

/// Asks who has this address and this password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Query)]
#[query(name = "accounts.log_in", answer = LogInAnswer)]
pub struct LogIn {
    /// The address; the case of its letters does not matter.
    pub email: String,
    /// The password.
    pub password: Password,
}

/// The answer to [`LogIn`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogInAnswer {
    /// This user does.
    LoggedIn(User),
    /// Nobody does. Which of the two was wrong is not told.
    WrongCredentials,
    /// There was nothing to compare.
    Invalid(Invalid),
}

/// A user came into being.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "accounts.registered")]
pub struct Registered {
    /// The user's id, for ever.
    pub user_id: Uuid,
    /// The first name.
    pub username: String,
    /// The first address.
    pub email: String,
}

/// A user goes by another name now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "accounts.username_changed")]
pub struct UsernameChanged {
    /// Who.
    pub user_id: Uuid,
    /// The new name.
    pub username: String,
}

/// A user has another address now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "accounts.email_changed")]
pub struct EmailChanged {
    /// Who.
    pub user_id: Uuid,
    /// The new address.
    pub email: String,
}

/// A user tells something else about themselves now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "accounts.bio_changed")]
pub struct BioChanged {
    /// Who.
    pub user_id: Uuid,
    /// The new text, or none any more.
    pub bio: Option<String>,
}

/// A user has another picture now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "accounts.image_changed")]
pub struct ImageChanged {
    /// Who.
    pub user_id: Uuid,
    /// The new picture, or none any more.
    pub image: Option<String>,
}

/// The form in which usernames are compared: two that differ only in case, in white space around them, or in how Unicode writes their
/// letters could not be told apart by a reader, so they are the same name. What is shown is always what the user wrote.
///
/// It stands here because it belongs to what [`Register::username`] promises: the app that keeps names unique and every
/// app that finds somebody by name must compare alike, or people are not found under names that they have. A change
/// of it asks for projections that keep the form to be built anew.
#[must_use]
pub fn username_key(name: &str) -> String {
    as_read(name)
}

/// What a reader sees of what somebody has typed: not its case, no white space around it, and of the ways in which Unicode writes a letter with
/// an accent one (NFC), whatever the keyboard sends.
#[must_use]
pub fn as_read(text: &str) -> String {
    text.trim().nfc().flat_map(char::to_lowercase).nfc().collect()
}

impl fmt::Display for UniqueField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Username => "username",
            Self::Email => "email",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_margins() {
        assert_eq!(username_key(" JÜrgen\t"), username_key("jürgen"));
        assert_ne!(username_key("jurgen"), username_key("jürgen"));
    }
}
