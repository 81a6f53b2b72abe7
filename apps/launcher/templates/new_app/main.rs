//! The app_name app alone: bus, store and this app under the same supervisor as in the umbrella.

use std::process::ExitCode;

const ABOUT: &str = "Runs the app_name app alone, with the bus and the store it needs, until a signal.";

fn main() -> ExitCode {
    umbel_host::standalone("app_name", ABOUT, |foundation| {
        let app = app_name::app(foundation.settings.section("app_name")?);
        let store = foundation.settings.section("store")?;
        let store = umbel_persistence::group(&store, &foundation.bus, foundation.policy());
        Ok(foundation.umbrella("app_name").with(store).with_app(&app))
    })
}
