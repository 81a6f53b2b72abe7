//! A process with the gateway's floor in it: the same server, and nothing behind it.

use gateway::{BoundAddress, GatewaySettings};
use umbel_host::{ExitStatus, Failed, Foundation, OrExit};
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
    let floor = gateway::floor::worker(settings, bound.clone());
    beside(foundation.umbrella("floor").with(floor), async move || {
        let address = bound.get().map_or_else(String::new, |address| address.to_string());
        say(&format!("{ADDRESS}{address}\n{UP}\n"));
        let mut orders = orders();
        while orders.recv().await.is_some() {}
        Ok(())
    })
}
