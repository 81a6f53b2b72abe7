//! Which dead letters are meant.

use clap::Args;
use umbel_core::{store::LetterFilter, subscription::SubscriptionName, version::Place};

use crate::args::{event_name, subscription};

/// What is not given does not restrict; everything else must hold together.
#[derive(Clone, Debug, Args)]
pub(super) struct FilterArgs {
    /// Only of this subscription
    #[arg(long, value_name = "NAME", value_parser = subscription)]
    subscription: Option<SubscriptionName>,
    /// Only with this key
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Only with this event name
    #[arg(long, value_name = "NAME", value_parser = event_name)]
    event: Option<String>,
    /// Only at this place: a position, or a version of the one stream that the subscription follows
    #[arg(long, value_name = "PLACE", conflicts_with = "through")]
    place: Option<u64>,
    /// Only at this place or before
    #[arg(long, value_name = "PLACE")]
    through: Option<u64>,
    /// Only those whose error contains this text
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Only those that have failed, and not those that wait behind them
    #[arg(long)]
    failed: bool,
}

impl FilterArgs {
    pub(super) fn get(&self) -> LetterFilter {
        LetterFilter {
            subscription: self.subscription.clone(),
            place: self.place.map(Place::new),
            key: self.key.clone(),
            event_name: self.event.as_deref().map(Into::into),
            after: None,
            through: self.through.map(Place::new),
            error_contains: self.error.clone(),
            failed: self.failed.then_some(true),
            asked: None,
        }
    }
}
