//! What only this app says and reads: commands that hold a hash instead of a password, and the hash's event.

use std::fmt;

use contracts::accounts::{Rejection, User};
use serde::{Deserialize, Serialize};
use umbel_core::{Command, Event};
use uuid::Uuid;

/// A password's hash with its salt and parameters, as a PHC string. It prints as stars: whoever has it can try
/// passwords at leisure.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct PasswordHash(pub(crate) String);

/// [`contracts::accounts::Register`] once its password is hashed.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "accounts.create_account", reply = User, rejection = Rejection)]
pub(crate) struct CreateAccount {
    pub(crate) user_id: Uuid,
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) password_hash: PasswordHash,
}

/// [`contracts::accounts::UpdateUser`] once its password is hashed.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "accounts.change_account", reply = User, rejection = Rejection)]
pub(crate) struct ChangeAccount {
    pub(crate) user_id: Uuid,
    pub(crate) username: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) password_hash: Option<PasswordHash>,
    pub(crate) bio: Option<String>,
    pub(crate) image: Option<String>,
}

/// A user has this password now. Not published: no other app has a use for it.
#[derive(Clone, Debug, Serialize, Deserialize, Event)]
#[event(name = "accounts.password_set")]
pub(crate) struct PasswordSet {
    pub(crate) user_id: Uuid,
    pub(crate) password_hash: PasswordHash,
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
