//! Who listens to what in which process: so that whoever waits for all that listen knows of those that run elsewhere.

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

/// Tells what runs in a process, in place of what was told of it before. The store forgets it after a time, unless it is told again.
#[derive(Clone, Debug)]
pub struct TellListeners {
    /// Of which process.
    pub node: NodeId,
    /// What runs there. When that is nothing, nothing is kept.
    pub listeners: Vec<Listener>,
    /// For how long that is believed, in milliseconds. A store need not write anew what it keeps already while two thirds of that time are
    /// left; so it is told at least every third of it.
    pub lease_ms: u64,
}
