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

pub(crate) use client::{Unanswered, ask};
pub(crate) use endpoint::Place;
pub(crate) use server::worker;

/// The section `[control]`, documented in `config/default.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ControlSettings {
    /// Where the socket is, as [`Place::parse`] reads it; empty for none.
    pub(crate) socket: String,
    /// Conversations at a time; further ones wait.
    #[serde(deserialize_with = "at_least_one")]
    pub(crate) connections_max: usize,
    /// Bytes of one question.
    #[serde(deserialize_with = "at_least_one")]
    pub(crate) request_max_bytes: u64,
    /// How long either side waits for the other.
    #[serde(deserialize_with = "at_least_one")]
    pub(crate) deadline_ms: u64,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub(crate) enum Question {
    /// What the supervision tree looks like; answered by a [`Process`].
    Tree,
    /// How far projections and handlers of events have come; answered by a list of [`Standing`].
    Standings,
}

/// A projection or a handler of events, as it tells itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// Its name.
    pub(crate) name: String,
    /// Everything up to here has had its effect.
    pub(crate) position: Position,
    /// What keeps it from going on, or what is to be told of it besides.
    pub(crate) held_up: Option<String>,
}

/// A line back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply<T> {
    /// The answer to the question.
    Answer(T),
    /// Why there is none, for people.
    Error(String),
}

/// A process and its supervision tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) process: u32,
    /// Of the program.
    pub(crate) version: String,
    /// Whose settings it has.
    pub(crate) environment: String,
    /// As it is now.
    pub(crate) tree: TreeNode,
}

impl ControlSettings {
    pub(crate) const fn deadline(&self) -> std::time::Duration {
        std::time::Duration::from_millis(self.deadline_ms)
    }
}
