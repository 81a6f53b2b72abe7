//! For tests of apps: a whole umbrella in memory per test, and what tests ask of it.
//!
//! [`TestUmbrella`] runs apps as they are declared, over a store in memory of its own: commands, aggregates, projections, handlers and
//! queries, on real actors and threads. It starts within milliseconds, shares nothing with others, and waits for what is to happen
//! instead of sleeping. Rules alone are tested faster without it, by [`aggregate`], [`boundary`], [`projection`] and [`process_manager`];
//! what becomes of old events by [`golden`]. The guide to testing has examples.
//!
//! Promises:
//! - what does not come within its [patience](TestUmbrella::patience) fails the test, and says what there was instead and what is
//!   held up;
//! - failures name the line of the test;
//! - pauses of retries and polls are a few milliseconds, so no test waits for a clock; nights and days pass by
//!   [`TestUmbrella::advance`]. A rule that depends on the moment is tested with [`aggregate::Given::at`];
//! - the store fails when the test says so, and only then: [`TestUmbrella::fail_appends`], [`lose_answers`](TestUmbrella::lose_answers),
//!   [`outage`](TestUmbrella::outage).

#![allow(clippy::panic, reason = "a failed expectation of a test is a panic")]

mod advance;
#[cfg(feature = "faults")]
mod faults;
mod intercepted;
mod log;
mod run;
mod settle;
mod switches;
mod umbrella;

pub use intercepted::{Call, Intercept, Intercepted};
pub use log::Received;
pub use run::{LIMIT, run};
pub use switches::{Faults, Outage};
pub use umbrella::{PATIENCE, TestUmbrella, TestUmbrellaBuilder};

pub use umbel_testkit::{aggregate, boundary, golden, process_manager, projection};

/// The guide's examples, which are doctests by this.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/testing.md")]
struct GuideToTesting;

/// The guide's examples, which are doctests by this.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/evolution.md")]
struct GuideToEvolution;
