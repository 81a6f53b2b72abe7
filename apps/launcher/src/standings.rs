//! What the processes that run here and answer on `control.socket` tell of projections and subscriptions.

use umbel_host::control::{ControlSettings, Place, Question, Standing, ask};
use umbel_settings::Settings;

/// What they say. That nobody does is no failure: what is kept of both is in the store.
pub(crate) fn standings(settings: &Settings) -> Vec<Standing> {
    let Ok(control) = settings.section::<ControlSettings>("control") else { return Vec::new() };
    let place = Place::parse(&control.socket).ok().flatten();
    let sockets = place.and_then(|place| place.sockets().ok()).unwrap_or_default();
    let ask = |socket| ask::<Vec<Standing>>(socket, &Question::Standings, control.deadline()).ok();
    sockets.iter().filter_map(|socket| ask(socket)).flatten().collect()
}

/// Why the one of this name is held up, in each process where it is.
pub(crate) fn held_up(standings: &[Standing], name: &str) -> Vec<String> {
    standings.iter().filter(|one| one.name == name).filter_map(|one| one.held_up.clone()).collect()
}
