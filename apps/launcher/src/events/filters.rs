//! Which events are wanted.

use std::collections::BTreeSet;

use clap::Args;
use umbel_core::{Tag, TagQuery, Timestamp, store::Selector};
use uuid::Uuid;

use super::conditions::Conditions;
use crate::args::{event_name, time};

/// Conditions that must all hold; the database selects.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct FilterArgs {
    /// Only events of these names, such as articles.published
    #[arg(long = "type", value_name = "NAMES", value_delimiter = ',', num_args = 1, value_parser = event_name)]
    names: Vec<String>,
    /// Only streams of these categories: what stands before the first - of their names
    #[arg(long = "category", value_name = "CATEGORIES", value_delimiter = ',', num_args = 1)]
    categories: Vec<String>,
    /// Only with this tag, such as course:c1; may be given several times, and then all must be on the event
    #[arg(long = "tag", value_name = "NAME:VALUE")]
    tags: Vec<Tag>,
    /// Only this conversation
    #[arg(long, value_name = "UUID")]
    correlation: Option<Uuid>,
    /// Only what this message led to
    #[arg(long, value_name = "UUID")]
    causation: Option<Uuid>,
    /// Only recorded then or later: 2026-01-31, 2026-01-31T12:00:00Z, or so long ago: 5m, 2h, 7d
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Only recorded before then
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
}

impl FilterArgs {
    /// The same for the first line of an export that begins at this position.
    pub(super) fn conditions(&self, from: u64) -> Conditions {
        Conditions {
            from,
            names: sorted(&self.names),
            categories: sorted(&self.categories),
            tags: sorted(&self.tags),
            correlation: self.correlation,
            causation: self.causation,
            since: self.since,
            until: self.until,
        }
    }

    pub(crate) fn selector(&self) -> Selector {
        let some = |texts: &[String]| (!texts.is_empty()).then(|| texts.iter().cloned().collect());
        Selector {
            names: some(&self.names),
            categories: some(&self.categories),
            tags: (!self.tags.is_empty()).then(|| TagQuery::tagged(self.tags.iter().cloned().collect())),
            correlation_id: self.correlation,
            causation_id: self.causation,
            recorded_from: self.since,
            recorded_until: self.until,
        }
    }
}

/// In one order, each once: in which they were given says nothing.
fn sorted<T: Clone + Ord>(given: &[T]) -> Vec<T> {
    given.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}
