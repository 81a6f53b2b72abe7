//! A hint that how a subscription stands has changed.

use super::{Key, SubscriptionName};
use crate::store::{Act, KeepLeases};

/// Whom such a hint is for. It says so much that those who run other subscriptions need not ask the store, and no more: no name
/// travels. It may be lost, late or doubled; see [`Input::Changed`](super::Input::Changed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    /// Who runs the subscription whose name has this key.
    Of(Key),
    /// All who run subscriptions.
    Any,
}

impl Change {
    /// The hint for those who run this subscription.
    #[must_use]
    pub fn of(name: &SubscriptionName) -> Self {
        Self::Of(Key::of(name.as_str()))
    }

    /// Whether it is for those who run this subscription. One of another name may be taken for it, once in a long while.
    #[must_use]
    pub fn concerns(self, name: &SubscriptionName) -> bool {
        self == Self::Any || self == Self::of(name)
    }

    /// What others should hear of once these leases are granted: what is given back may be theirs at once.
    #[must_use]
    pub fn by_leases(request: &KeepLeases) -> Option<Self> {
        (request.leave || !request.release.is_empty()).then(|| Self::of(&request.subscription))
    }

    /// What those who run subscriptions should hear of once this act is done.
    #[must_use]
    pub fn by_act(act: &Act) -> Option<Self> {
        match act {
            Act::PauseSubscription { subscription }
            | Act::ResumeSubscription { subscription }
            | Act::ResetSubscription { subscription, .. }
            | Act::DeleteSubscription { subscription }
            | Act::RenameSubscription { subscription, .. } => Some(Self::of(subscription)),
            Act::RetryLetters { filter, .. } | Act::DiscardLetters { filter, .. } => {
                Some(filter.subscription.as_ref().map_or(Self::Any, Self::of))
            }
            // Who follows a stream that is gone for good begins anew.
            Act::DeleteStream { .. } => act.is_hard().then_some(Self::Any),
            // Nobody holds on to what was asked for: it is read when it is due.
            Act::CancelRetries { .. }
            | Act::EditLetter { .. }
            | Act::TruncateStream { .. }
            | Act::Archive { .. }
            | Act::ForgetSubject { .. }
            | Act::RebuildProjection { .. }
            | Act::DropProjection { .. }
            | Act::SweepNotices { .. } => None,
        }
    }
}
