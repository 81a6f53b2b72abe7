//! Components that die on demand.

use std::{future::Future, panic::Location};

use crate::umbrella::{TestUmbrella, failed};

impl TestUmbrella {
    /// The components that can be made to panic: `app/component` of apps, `app/category/instances` for the live aggregates of a kind,
    /// `store/reader`, `store/writer`, `bus`.
    #[must_use]
    pub fn components(&self) -> Vec<String> {
        self.bus.fault_targets()
    }

    /// Makes a component panic. Its supervisor starts it again; what is asked of it meanwhile waits.
    ///
    /// # Panics
    /// When there is no such component.
    #[track_caller]
    pub fn crash(&self, component: &str) -> impl Future<Output = ()> {
        let (at, component) = (Location::caller(), component.to_owned());
        async move {
            if !self.bus.inject_panic(&component).await {
                let there = self.components().join(", ");
                failed(
                    at,
                    &format!("there is no component {component:?} that could crash; there are: {there}"),
                );
            }
        }
    }
}
