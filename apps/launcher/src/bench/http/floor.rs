//! A process with the gateway's floor in it: the same server, and behind it nothing, or an app that has nothing to do.

use gateway::{
    BoundAddress, GatewaySettings,
    floor::{Fill, filled},
};
use umbel_host::{App, ExitStatus, Failed, Foundation, OrExit};
use umbel_settings::LoadOptions;

use crate::{
    bench::{
        http::{ADDRESS, UP},
        worker::{beside, orders},
    },
    print::say,
};

/// Serves until standard input ends.
pub(in crate::bench) fn serve(options: &LoadOptions) -> Result<(), Failed> {
    let foundation = Foundation::lay(options).or_exit(ExitStatus::Settings)?;
    let settings: GatewaySettings = foundation.settings.section("gateway").or_exit(ExitStatus::Settings)?;
    let bound = BoundAddress::default();
    let app = App::new("floor").query(async |_, fill: Fill| Ok(filled(fill.bytes)));
    let floor = gateway::floor::worker(settings, foundation.bus.clone(), bound.clone());
    beside(foundation.umbrella("floor").with_app(&app).with(floor), async move || {
        let address = bound.get().map_or_else(String::new, |address| address.to_string());
        say(&format!("{ADDRESS}{address}\n{UP}\n"));
        let mut orders = orders();
        while orders.recv().await.is_some() {}
        Ok(())
    })
}
