//! What projections listen to, for those who look at them from outside.

use umbel_core::{EventSet, Projection};

/// What a version of a projection listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// The projection's name.
    pub projection: &'static str,
    /// The version of its rule.
    pub version: u32,
    /// The names of the events, those that they had before included.
    pub events: &'static [&'static str],
}

impl Listening {
    pub(crate) const fn of<P: Projection>() -> Self {
        Self { projection: P::NAME, version: P::VERSION, events: P::Event::NAMES }
    }
}
