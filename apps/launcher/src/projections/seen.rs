//! Projections as operators want to see them: with how far each generation is behind, and what holds them up.

use std::collections::BTreeMap;

use serde::Serialize;
use umbel_bus::edge;
use umbel_core::{
    RecordedEvent,
    document::Direction,
    store::{Generation, ListProjections, Phase, ReadAll, Selector},
};
use umbel_host::{ExitStatus, Listening, OrExit};
use umbel_settings::{LoadOptions, Settings};

use crate::{
    apps::listening,
    standings::{held_up, standings},
    tool::{Done, Tool},
};

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
    /// Positions from the first event that it has still to project to the end of the log; 0 when there is none.
    pub(super) lag_positions: u64,
    /// Seconds since that event was recorded.
    pub(super) lag_seconds: u64,
    /// Whether it stands beyond the end of the log, as after a restore of only a part of the store: it passes over what comes up to there.
    pub(super) is_beyond: bool,
    /// Whether this program has its rule. Otherwise all events count, also those that it does not listen to.
    pub(super) is_known: bool,
}

/// All projections, or the one of this name if it is there.
pub(super) async fn seen(tool: &Tool, options: &LoadOptions, name: Option<&str>) -> Done<Vec<Seen>> {
    let request = ListProjections { projection: name.map(str::to_owned) };
    let mut by_name: BTreeMap<String, Vec<Generation>> = BTreeMap::new();
    for generation in tool.store().list_projections(request).await? {
        by_name.entry(generation.projection.clone()).or_default().push(generation);
    }
    // Those of the store were read with them.
    let settings = Settings::load(options).or_exit(ExitStatus::Settings)?;
    let (standings, listening) = (standings(&settings), listening(&settings));
    let stage = async |generation| stage(tool, &listening, generation).await;
    let mut seen = Vec::with_capacity(by_name.len());
    for (projection, generations) in by_name {
        let mut all = Seen {
            held_up: held_up(&standings, &projection),
            retired: generations.iter().filter(|one| one.phase == Phase::Retired).count(),
            projection,
            serving: None,
            building: Vec::new(),
        };
        for generation in generations {
            match generation.phase {
                Phase::Serving => all.serving = Some(stage(generation).await?),
                Phase::Building => all.building.push(stage(generation).await?),
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

async fn stage(tool: &Tool, listening: &[Listening], generation: Generation) -> Done<Stage> {
    let Generation { projection, version, position, .. } = &generation;
    let rule = listening.iter().find(|one| one.projection == projection && one.version == *version);
    let selector = rule.map_or_else(Selector::all, |rule| Selector::names(rule.events.iter().copied()));
    let (mut scanned_to, direction) = (*position, Direction::Forward);
    let (head, first) = loop {
        let from = Some(scanned_to.next());
        let page =
            tool.store().read_all(ReadAll { from, direction, limit: 1, selector: selector.clone() }).await?;
        scanned_to = page.scanned_to;
        let first = page.events.into_iter().next();
        if first.is_some() || scanned_to >= page.head {
            break (page.head, first);
        }
    };
    let seconds = |event: &RecordedEvent| {
        edge::now().as_micros().saturating_sub(event.recorded_at.as_micros()) / 1_000_000
    };
    Ok(Stage {
        lag_positions: first.as_ref().map_or(0, |first| head.next().get() - first.position.get()),
        lag_seconds: first.as_ref().map_or(0, |first| u64::try_from(seconds(first)).unwrap_or(0)),
        is_beyond: generation.position > head,
        is_known: rule.is_some(),
        generation,
    })
}

impl Stage {
    /// Version and run, in a word.
    pub(super) fn version(&self) -> String {
        match self.generation.run {
            1 => self.generation.version.to_string(),
            run => format!("{}, run {run}", self.generation.version),
        }
    }

    /// How many positions it is behind, in words.
    pub(super) fn behind(&self) -> String {
        match self.lag_positions {
            _ if self.is_beyond => "beyond the end".to_owned(),
            0 => "up to date".to_owned(),
            positions if self.is_known => positions.to_string(),
            positions => format!("at most {positions}"),
        }
    }
}
