//! What the processes on one store tell each other of themselves: so that whoever waits for all that listen knows of those that run
//! elsewhere, and whoever has a message for somebody who does not run here knows where it is answered.

use serde::{Deserialize, Serialize};

use crate::subscription::NodeId;

/// A projection, or a handler declared strong, that runs in a process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// Names of the events it listens to.
    pub events: Vec<String>,
}

/// What a process answers that others can reach, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reach {
    /// Where it is reached, such as `10.0.0.7:4100`.
    pub address: String,
    /// Wire names of the commands it carries out, those of the past included.
    pub commands: Vec<String>,
    /// Wire names of the queries it answers.
    pub queries: Vec<String>,
}

/// What a process tells of itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Process {
    /// Which one it is.
    pub node: NodeId,
    /// What runs there that others wait for.
    pub listeners: Vec<Listener>,
    /// What it answers to others; `None` when it is not reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
}

/// Tells of a process, in place of what was told of it before. The store forgets it after a time, unless it is told again.
#[derive(Clone, Debug)]
pub struct TellProcess {
    /// Its word. When there is nothing in it, nothing is kept.
    pub process: Process,
    /// For how long that is believed, in milliseconds. A store need not write anew what it keeps already while two thirds of that time are
    /// left; so it is told at least every third of it.
    pub lease_ms: u64,
}

impl Process {
    /// A process of which there is nothing to tell, or nothing any more.
    #[must_use]
    pub const fn silent(node: NodeId) -> Self {
        Self { node, listeners: Vec::new(), reach: None }
    }

    /// Whether there is nothing in its word.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.listeners.is_empty() && self.reach.is_none()
    }
}
