//! The store alone: bus and store under the same supervisor as in the umbrella.
//!
//! Brings the schema up to date, verifies that the log can be read, and tells how far it goes, whoever appends.

use std::process::ExitCode;

const ABOUT: &str = "Runs the store alone, with the bus: migrates it, reads the log's head, and tells it as it moves, \
                     until a signal.";

fn main() -> ExitCode {
    umbel_host::standalone("store", ABOUT, |foundation| {
        let store = foundation.settings.section("store")?;
        let store = umbel_persistence::group(&store, &foundation.bus, foundation.policy());
        Ok(foundation.umbrella("umbel-persistence").with(store))
    })
}
