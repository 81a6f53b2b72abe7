//! The social app alone: bus, store and this app under the same supervisor as in the umbrella.

use std::process::ExitCode;

const ABOUT: &str = "Runs the social app alone, with the bus and the store it needs, until a signal.";

fn main() -> ExitCode {
    umbel_host::standalone("social", ABOUT, |foundation| {
        let app = social::app();
        let store = foundation.settings.section("store")?;
        let store = umbel_persistence::group(&store, &foundation.bus, foundation.policy());
        Ok(foundation.umbrella("social").with(store).with_app(&app))
    })
}
