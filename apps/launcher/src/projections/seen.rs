//! Projections as operators want to see them: with how far each generation is behind, and what holds them up.

use std::collections::BTreeMap;

use serde::Serialize;
use umbel_bus::edge;
use umbel_core::{
    document::Direction,
    store::{Generation, ListProjections, Phase, ReadAll, Selector},
};
use umbel_host::control::{ControlSettings, Place, Question, Standing, ask};
use umbel_settings::{LoadOptions, Settings};

use crate::tool::{Done, Tool};

/// A projection with its generations.
#[derive(Serialize)]
pub(super) struct Seen {
    pub(super) projection: String,
    /// What readers get.
    pub(super) serving: Option<Stage>,
    /// What is being built, by whichever versions.
    pub(super) building: Vec<Stage>,
    /// Generations whose documents are still to be removed.
    pub(super) retired: usize,
    /// What the processes tell that hold it up; nothing when none answers on control.socket.
    pub(super) held_up: Vec<String>,
}

/// A generation and how far it is behind.
#[derive(Serialize)]
pub(super) struct Stage {
    #[serde(flatten)]
    pub(super) generation: Generation,
    /// Events behind its checkpoint, also those that it does not listen to.
    pub(super) lag_events: u64,
    /// Seconds since the first of them was recorded.
    pub(super) lag_seconds: u64,
}

/// All projections, or the one of this name if it is there.
pub(super) async fn seen(tool: &Tool, options: &LoadOptions, name: Option<&str>) -> Done<Vec<Seen>> {
    let request = ListProjections { projection: name.map(str::to_owned) };
    let mut by_name: BTreeMap<String, Vec<Generation>> = BTreeMap::new();
    for generation in tool.store().list_projections(request).await? {
        by_name.entry(generation.projection.clone()).or_default().push(generation);
    }
    let standings = standings(options);
    let mut seen = Vec::with_capacity(by_name.len());
    for (projection, generations) in by_name {
        let reasons = standings.iter().filter(|one| one.name == projection);
        let mut all = Seen {
            held_up: reasons.filter_map(|one| one.held_up.clone()).collect(),
            retired: generations.iter().filter(|one| one.phase == Phase::Retired).count(),
            projection,
            serving: None,
            building: Vec::new(),
        };
        for generation in generations {
            match generation.phase {
                Phase::Serving => all.serving = Some(stage(tool, generation).await?),
                Phase::Building => all.building.push(stage(tool, generation).await?),
                Phase::Retired | Phase::Removed => {}
            }
        }
        // Of one that was dropped nothing is left.
        if all.serving.is_some() || !all.building.is_empty() || all.retired > 0 {
            seen.push(all);
        }
    }
    Ok(seen)
}

async fn stage(tool: &Tool, generation: Generation) -> Done<Stage> {
    let from = Some(generation.position.next());
    let request = ReadAll { from, direction: Direction::Forward, limit: 1, selector: Selector::all() };
    let page = tool.store().read_all(request).await?;
    let since =
        |at: umbel_core::Timestamp| edge::now().as_micros().saturating_sub(at.as_micros()) / 1_000_000;
    let first = page.events.first().map(|event| since(event.recorded_at));
    Ok(Stage {
        lag_events: page.head.get().saturating_sub(generation.position.get()),
        lag_seconds: first.map_or(0, |seconds| u64::try_from(seconds).unwrap_or(0)),
        generation,
    })
}

/// What those say who run here and answer. That nobody does is no failure: projections stand in the store.
fn standings(options: &LoadOptions) -> Vec<Standing> {
    let Ok(control) =
        Settings::load(options).and_then(|settings| settings.section::<ControlSettings>("control"))
    else {
        return Vec::new();
    };
    let place = Place::parse(&control.socket).ok().flatten();
    let sockets = place.and_then(|place| place.sockets().ok()).unwrap_or_default();
    let ask = |socket| ask::<Vec<Standing>>(socket, &Question::Standings, control.deadline()).ok();
    sockets.iter().filter_map(|socket| ask(socket)).flatten().collect()
}

impl Stage {
    /// Version and run, in a word.
    pub(super) fn version(&self) -> String {
        match self.generation.run {
            1 => self.generation.version.to_string(),
            run => format!("{}, run {run}", self.generation.version),
        }
    }
}
