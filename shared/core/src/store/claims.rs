//! Who holds which claim.

use serde::{Deserialize, Serialize};

use crate::{
    message::Request,
    store::{ClaimName, StoreError},
};

/// A claim that somebody holds. Those that nobody holds are not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Which.
    #[serde(flatten)]
    pub name: ClaimName,
    /// Whose: see [`Claims::owner`](super::Claims::owner).
    pub owner: String,
}

/// Lists claims by scope, and within one by value.
#[derive(Clone, Debug)]
pub struct ListClaims {
    /// Only those of this scope.
    pub scope: Option<String>,
    /// Only claims behind this one, bytewise. Where a scope is named it is one of these.
    pub after: Option<ClaimName>,
    /// How many at most; the store's own page limit applies too.
    pub limit: u32,
}

impl Request for ListClaims {
    const NAME: &'static str = "store.list_claims";
    type Answer = Vec<Claim>;
    type Error = StoreError;
}
