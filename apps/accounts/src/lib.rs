//! Accounts: who may write, and under which name.
//!
//! Owns users: their unique names and addresses, their passwords' hashes, their profiles. Others learn of them
//! through the published events, which never hold a password or its hash.
//!
//! Promises: no two users share a name or an address, however many register in the same moment; hashing runs
//! beside the actors' threads and a bounded number at a time; an unknown address and a wrong password cannot be
//! told apart, neither by the answer nor by the time it takes.
//!
//! Knows nothing about HTTP, tokens, articles or databases.

mod account;
mod app;
mod hashing;
mod rules;
mod settings;
mod users;

pub use app::app;
pub use settings::AccountsSettings;
