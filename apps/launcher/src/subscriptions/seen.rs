//! Subscriptions as operators want to see them: as they are stored, and with what holds them up.

use serde::Serialize;
use umbel_bus::SubscriptionView;
use umbel_host::{ExitStatus, OrExit, control::Standing};
use umbel_settings::{LoadOptions, Settings};

use crate::{
    standings::{held_up, standings},
    tool::Done,
};

/// A subscription, and why it does not go on.
#[derive(Serialize)]
pub(super) struct Seen {
    #[serde(flatten)]
    pub(super) view: SubscriptionView,
    /// What the processes tell that hold it up; nothing when none answers on control.socket.
    pub(super) held_up: Vec<String>,
}

/// What the processes here tell.
pub(super) fn told_here(options: &LoadOptions) -> Done<Vec<Standing>> {
    // Those of the store were read with them.
    Ok(standings(&Settings::load(options).or_exit(ExitStatus::Settings)?))
}

impl Seen {
    pub(super) fn of(view: SubscriptionView, told: &[Standing]) -> Self {
        Self { held_up: held_up(told, view.state.name.as_str()), view }
    }

    /// How far a replay is, such as `1200 of 5000`; empty when there is none.
    pub(super) fn replaying(&self) -> String {
        self.view.replay.map(|replay| replay.to_string()).unwrap_or_default()
    }
}
