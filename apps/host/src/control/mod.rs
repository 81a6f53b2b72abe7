//! The control socket: how the tools reach an umbrella that runs, and not only its store.
//!
//! A Unix-domain socket that only its owner (and root) may use. A client sends a question as a line of JSON,
//! `{"ask":"tree"}`, and gets a line back: `{"answer":...}` or `{"error":"..."}`; then it may ask again. Lines and times are
//! bounded on both sides.
//!
//! `endpoint` owns the socket as a file, `server` answers as a part of the umbrella, `client` asks.

mod client;
mod endpoint;
mod server;

use serde::{Deserialize, Serialize};
use umbel_bus::at_least_one;
use umbel_core::Position;
use umbel_supervision::TreeNode;

pub use client::{Unanswered, ask};
pub use endpoint::Place;
pub(crate) use server::worker;

/// The section `[control]`, documented in `config/default.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlSettings {
    /// Where the socket is, as [`Place::parse`] reads it; empty for none.
    pub socket: String,
    /// Conversations at a time; further ones wait.
    #[serde(deserialize_with = "at_least_one")]
    pub connections_max: usize,
    /// Bytes of one question.
    #[serde(deserialize_with = "at_least_one")]
    pub request_max_bytes: u64,
    /// How long either side waits for the other.
    #[serde(deserialize_with = "at_least_one")]
    pub deadline_ms: u64,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Question {
    /// What the supervision tree looks like; answered by a [`Process`].
    Tree,
    /// How far projections and handlers of events have come; answered by a list of [`Standing`].
    Standings,
}

/// A projection or a handler of events, as it tells itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Everything up to here has had its effect.
    pub position: Position,
    /// What keeps it from going on, or what is to be told of it besides.
    pub held_up: Option<String>,
}

/// A line back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply<T> {
    /// The answer to the question.
    Answer(T),
    /// Why there is none, for people.
    Error(String),
}

/// A process and its supervision tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub process: u32,
    /// Of the program.
    pub version: String,
    /// Whose settings it has.
    pub environment: String,
    /// As it is now.
    pub tree: TreeNode,
}

impl ControlSettings {
    /// How long either side waits for the other.
    #[must_use]
    pub const fn deadline(&self) -> std::time::Duration {
        std::time::Duration::from_millis(self.deadline_ms)
    }
}
