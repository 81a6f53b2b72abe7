//! What a log is exported under, as its file says in the first line.

use std::fmt;

use serde::{Deserialize, Serialize};
use umbel_core::{Tag, Timestamp};
use uuid::Uuid;

/// Conditions of an export, named as its options are. Those of one are the same in whatever order they were given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Conditions {
    /// The first position.
    pub(super) from: u64,
    #[serde(rename = "type", skip_serializing_if = "Vec::is_empty")]
    pub(super) names: Vec<String>,
    #[serde(rename = "category", skip_serializing_if = "Vec::is_empty")]
    pub(super) categories: Vec<String>,
    #[serde(rename = "tag", skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Vec<Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) correlation: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) causation: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Timestamp>,
}

impl Default for Conditions {
    /// None: everything.
    fn default() -> Self {
        Self {
            from: 1,
            names: Vec::new(),
            categories: Vec::new(),
            tags: Vec::new(),
            correlation: None,
            causation: None,
            since: None,
            until: None,
        }
    }
}

impl Conditions {
    /// Whether there are none.
    pub(super) fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// The options to give for them.
impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.are_none() {
            return write!(f, "everything");
        }
        write!(f, "--from {}", self.from)?;
        self.names.iter().try_for_each(|name| write!(f, " --type {name}"))?;
        self.categories.iter().try_for_each(|category| write!(f, " --category {category}"))?;
        self.tags.iter().try_for_each(|tag| write!(f, " --tag {tag}"))?;
        self.correlation.iter().try_for_each(|id| write!(f, " --correlation {id}"))?;
        self.causation.iter().try_for_each(|id| write!(f, " --causation {id}"))?;
        self.since.iter().try_for_each(|time| write!(f, " --since {time}"))?;
        self.until.iter().try_for_each(|time| write!(f, " --until {time}"))
    }
}
