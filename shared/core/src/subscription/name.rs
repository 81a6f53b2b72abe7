//! Names of subscriptions, and of the nodes that share them.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::names::{NameError, check_event_name};

/// The name of a durable subscription, `app.handler`: 1 to 250 bytes without control characters. Its checkpoints and dead
/// letters are kept under it. Clones share the text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubscriptionName(Arc<str>);

/// Why a text names no subscription.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} names no subscription: {reason}")]
pub struct SubscriptionNameError {
    /// The text.
    pub name: String,
    /// What is wrong with it.
    pub reason: NameError,
}

/// One running process, as long as it runs: a fresh id for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub Uuid);

impl SubscriptionName {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// When the text breaks the rules of [`SubscriptionName`].
    pub fn new(name: impl Into<Arc<str>>) -> Result<Self, SubscriptionNameError> {
        let name = name.into();
        match check_event_name(&name) {
            Ok(()) => Ok(Self(name)),
            Err(reason) => Err(SubscriptionNameError { name: name.to_string(), reason }),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SubscriptionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SubscriptionName {
    type Err = SubscriptionNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl TryFrom<String> for SubscriptionName {
    type Error = SubscriptionNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<SubscriptionName> for String {
    fn from(name: SubscriptionName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
