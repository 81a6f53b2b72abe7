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
use tokio::time::Instant;
use umbel_bus::{PeerView, Reached, at_least_one};
use umbel_core::Position;
use umbel_supervision::TreeNode;
use uuid::Uuid;

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
    /// How far projections and subscriptions have come, those of handlers among them; answered by a list of [`Standing`].
    Standings,
    /// Which other processes are known, and how it stands with them; answered by [`Peers`].
    Peers,
}

/// A process, and the others on its store that take messages, as it sees them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peers {
    /// Its number.
    pub process: u32,
    /// What it is called among the processes on the store.
    pub node: Uuid,
    /// Where others reach it; `None` when they do not.
    pub address: Option<String>,
    /// Whether others may be on its store, as on PostgreSQL.
    pub shares_store: bool,
    /// The others.
    pub peers: Vec<PeerStanding>,
}

/// Another process, as it is seen from one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStanding {
    /// What it is called among the processes on the store.
    pub node: Uuid,
    /// Where it says that it is reached.
    pub address: String,
    /// Whether it is.
    pub reached: Reached,
    /// For how long that is so, in milliseconds.
    pub for_ms: Option<u64>,
    /// Why it was not reached, the last time that it was not.
    pub last_error: Option<String>,
    /// Messages that did not get there since it is not reached.
    pub missed: u64,
    /// Names of the messages that it answers and this process does not.
    pub counted_on: Vec<String>,
}

impl From<PeerView> for PeerStanding {
    fn from(PeerView { peer, contact, counted_on }: PeerView) -> Self {
        let ms = |since: Instant| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        Self {
            node: peer.node.0,
            address: peer.address.to_string(),
            reached: contact.reached,
            for_ms: contact.since.map(ms),
            last_error: contact.last_error,
            missed: contact.missed,
            counted_on,
        }
    }
}

/// A projection, or a subscription such as that of a handler of events, as it tells itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Everything up to here has had its effect; of what follows one stream, its version.
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
