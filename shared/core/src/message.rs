//! The kinds of message that apps exchange. A message is a plain type with a stable wire name.
//!
//! | kind | owner | answer |
//! |---|---|---|
//! | [`Command`] | exactly one | a reply, or a rejection by the domain |
//! | [`Query`] | exactly one | an answer |
//! | [`Event`](crate::Event) | the stream it is in | none; whoever wants reads it from the log |
//! | [`Notice`] | nobody | none; whoever listens right now gets it, nothing is stored |
//! | [`Request`] | exactly one | what the bus itself moves: store requests, and the above wrapped |

use std::fmt::{Debug, Display};

use serde::{Serialize, de::DeserializeOwned};

use crate::{personal::Subject, waiting::CommandUpcaster};

pub use umbel_derive::{Command, Query};

/// An intent to change something. It may be rejected.
///
/// A derive implements it; what its attribute does not say has the default, and `reply` is `()`:
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use umbel_core::Command;
///
/// #[derive(Debug, Serialize, Deserialize, Command)]
/// #[command(name = "bank.open", reply = u64, rejection = String)]
/// struct Open { owner: String }
///
/// #[derive(Debug, Serialize, Deserialize, Command)]
/// #[command(name = "bank.shut", rejection = String, schema = 2, upcasters = [|old| Ok(old.clone())], formerly = ["bank.close"])]
/// struct Shut {}
///
/// assert_eq!((Open::NAME, Open::SCHEMA, Open::FORMERLY), ("bank.open", 1, &[][..]));
/// assert_eq!((Shut::NAME, Shut::SCHEMA, Shut::FORMERLY), ("bank.shut", 2, &["bank.close"][..]));
/// ```
///
/// What is missing, unknown or said twice does not compile:
///
/// ```compile_fail
/// #[derive(Debug, serde::Serialize, serde::Deserialize, umbel_core::Command)]
/// #[command(name = "bank.open")]
/// struct Open {}
/// ```
/// ```compile_fail
/// #[derive(Debug, serde::Serialize, serde::Deserialize, umbel_core::Command)]
/// #[command(name = "bank.open", rejection = String, answer = u64)]
/// struct Open {}
/// ```
/// ```compile_fail
/// #[derive(Debug, serde::Serialize, serde::Deserialize, umbel_core::Command)]
/// #[command(name = "bank.open", name = "bank.shut", rejection = String)]
/// struct Open {}
/// ```
pub trait Command: Serialize + DeserializeOwned + Debug + Send + Sync + 'static {
    /// Stable wire name, `app.verb`.
    const NAME: &'static str;
    /// Version of the shape, from 1. It matters where commands wait in the store: planned for later, or ordered by a process manager.
    const SCHEMA: u32 = 1;
    /// What each older shape has become in the next one, as JSON: the first makes version 2 of version 1, and so on, one for each version
    /// before [`Command::SCHEMA`] - else it does not compile. They are pure.
    const UPCASTERS: &'static [CommandUpcaster] = &[];
    /// Names it had before, the oldest first: what waits under one of these is this command, and what is remembered of it goes by
    /// [`first_name`]. Its versions count on over a change of name.
    const FORMERLY: &'static [&'static str] = &[];
    /// What the caller learns when the command was carried out.
    type Reply: Serialize + DeserializeOwned + Debug + Send + 'static;
    /// Why the domain says no. A rejected command changed nothing.
    type Rejection: Serialize + DeserializeOwned + Debug + Display + Send + 'static;

    /// Whose personal data its [`Personal`](crate::Personal) fields are: where the command waits in the store, scheduled or ordered by a
    /// process manager, they are kept sealed. `None`, the default, when it has none.
    fn subject(&self) -> Option<Subject> {
        None
    }
}

/// The name that a command was first given: what stays when it is called differently, for ids that are made of a command's name.
#[must_use]
pub const fn first_name<C: Command>() -> &'static str {
    match C::FORMERLY {
        [first, ..] => first,
        [] => C::NAME,
    }
}

/// Whether a command is called this, or was.
#[must_use]
pub fn is_called<C: Command>(name: &str) -> bool {
    name == C::NAME || C::FORMERLY.contains(&name)
}

/// A question. Asking changes nothing.
///
/// ```
/// #[derive(Debug, serde::Serialize, serde::Deserialize, umbel_core::Query)]
/// #[query(name = "bank.count_accounts", answer = Option<u64>)]
/// struct CountAccounts;
/// ```
pub trait Query: Serialize + DeserializeOwned + Debug + Send + Sync + 'static {
    /// Stable wire name, `app.question`.
    const NAME: &'static str;
    /// The answer; "there is none" is an answer too.
    type Answer: Serialize + DeserializeOwned + Debug + Send + 'static;
}

/// A transient announcement: delivered to those who listen now, never stored.
pub trait Notice: Clone + Debug + Send + Sync + 'static {
    /// The topic it is published under.
    const TOPIC: &'static str;
}

/// Anything sent to exactly one owner that answers once.
pub trait Request: Send + 'static {
    /// Name for routes, logs and errors.
    const NAME: &'static str;
    /// The answer.
    type Answer: Send + 'static;
    /// The owner's refusal or failure.
    type Error: Send + 'static;
}
