//! Generations of projections: which there are, and which serves.

use umbel_core::{
    Position,
    store::{
        Act, Generation, OpenProjection, PerformError, Phase, SwitchError, SwitchProjection,
        plan::{Joined, Moved},
        rebuilt,
    },
};

use super::state::State;

impl State {
    /// The name under which the documents are that serve a collection.
    pub(super) fn serving(&self, collection: &str) -> String {
        let suffix = self.served.get(collection).map_or("", |generation| &generation.suffix);
        format!("{collection}{suffix}")
    }

    /// What the generation of this checkpoint appends to its collections' names.
    pub(super) fn suffix(&self, checkpoint: &str) -> String {
        self.generations.get(checkpoint).map(|generation| generation.suffix.clone()).unwrap_or_default()
    }

    /// Those that are joined to appends.
    pub(super) fn joined(&self) -> Vec<Joined> {
        let joined = self.generations.iter().filter(|(_, one)| one.joined);
        let joined = joined.map(|(checkpoint, one)| Joined {
            checkpoint: checkpoint.clone(),
            suffix: one.suffix.clone(),
            events: one.inline.clone(),
        });
        joined.collect()
    }

    /// What a group that begins behind `head` has made of a joined generation.
    pub(super) fn move_joined(&mut self, moved: &Moved, head: Position) {
        self.checkpoints.insert(moved.checkpoint.clone(), head.plus(moved.offset));
        if let Some(generation) = self.generations.get_mut(&moved.checkpoint) {
            generation.joined = moved.joined;
        }
    }

    /// Whether there is an event of these names behind a position.
    fn has_behind(&self, names: &[String], position: Position) -> bool {
        let mut behind = self.events.range(position.next()..);
        behind.any(|(_, event)| names.iter().any(|name| **name == *event.event_type.name))
    }

    /// Those of a projection, or of all, in their order.
    pub(super) fn generations(&self, projection: Option<&str>) -> Vec<Generation> {
        let wanted =
            self.generations.iter().filter(|(_, one)| projection.is_none_or(|name| one.projection == name));
        let at = |(checkpoint, one): (&String, &Generation)| Generation {
            position: self.checkpoint(checkpoint),
            ..one.clone()
        };
        let mut found: Vec<_> = wanted.map(at).collect();
        found.sort_by(|a, b| (&a.projection, a.order()).cmp(&(&b.projection, b.order())));
        found
    }

    pub(super) fn open_projection(&mut self, request: &OpenProjection) -> Vec<Generation> {
        let kept = self.generations(Some(&request.projection));
        if let Some(missing) = request.missing(&kept, self.head) {
            self.begin(missing);
        }
        self.generations(Some(&request.projection))
    }

    /// A checkpoint by its name that was no generation's yet becomes that of the first one, and goes on where it stands.
    fn begin(&mut self, mut generation: Generation) {
        let checkpoint = generation.checkpoint();
        let stands = self.checkpoints.entry(checkpoint.clone()).or_default();
        if generation.phase == Phase::Building {
            *stands = Position::START;
        } else if *stands > Position::START {
            generation.live_after = *stands;
        }
        let generation = generation.apart_from(&self.generations(None));
        if generation.phase == Phase::Serving {
            self.serve(&generation);
        }
        self.generations.insert(checkpoint, generation);
    }

    /// Readers of its collections get its documents, whoever else has had them.
    fn serve(&mut self, generation: &Generation) {
        self.served.retain(|_, other| other.projection != generation.projection);
        for collection in &generation.collections {
            self.served.insert(collection.clone(), generation.clone());
        }
    }

    pub(super) fn switch_projection(&mut self, request: &SwitchProjection) -> Result<(), SwitchError> {
        let generation = self.generations.get(&request.checkpoint).cloned().ok_or(SwitchError::Retired)?;
        let actual = self.checkpoint(&request.checkpoint);
        let others = self.generations(Some(&generation.projection));
        let serving =
            others.iter().find(|one| one.phase == Phase::Serving).map_or(actual, |one| one.position);
        match generation.phase {
            Phase::Serving if generation.joined || generation.inline.is_empty() => return Ok(()),
            Phase::Retired | Phase::Removed => return Err(SwitchError::Retired),
            Phase::Serving | Phase::Building if actual != request.expected => {
                return Err(SwitchError::CheckpointMoved { actual });
            }
            Phase::Building if actual < serving => return Err(SwitchError::Behind { serving }),
            Phase::Serving | Phase::Building => {}
        }
        let joined = !generation.inline.is_empty() && !self.has_behind(&generation.inline, actual);
        let is_building = generation.phase == Phase::Building;
        if !is_building && !joined {
            return Err(SwitchError::Behind { serving: self.head });
        }
        for other in self.generations.values_mut() {
            let is_before = other.order() < generation.order();
            if is_building && other.projection == generation.projection && is_before && other.is_current() {
                (other.phase, other.joined) = (Phase::Retired, false);
            }
        }
        if is_building {
            self.serve(&generation);
        }
        self.generations
            .insert(request.checkpoint.clone(), Generation { phase: Phase::Serving, joined, ..generation });
        Ok(())
    }

    pub(super) fn remove_retired(&mut self, projection: &str) {
        let all = self.generations.values_mut();
        for one in all.filter(|one| one.projection == projection && one.phase == Phase::Retired) {
            for collection in &one.collections {
                self.documents.clear(&format!("{collection}{}", one.suffix));
            }
            one.phase = Phase::Removed;
        }
    }

    fn drop_projection(&mut self, projection: &str) -> Result<(), PerformError> {
        let mut is_there = false;
        for one in self.generations.values_mut().filter(|one| one.projection == projection) {
            if one.is_current() {
                (one.phase, one.joined) = (Phase::Retired, false);
            }
            is_there |= one.phase == Phase::Retired;
        }
        self.served.retain(|_, other| other.projection != projection);
        is_there.then_some(()).ok_or_else(|| PerformError::ProjectionNotFound(projection.to_owned()))
    }

    /// Does an act about projections, if it is one.
    pub(super) fn act_on_projection(&mut self, act: &Act) -> Result<Option<()>, PerformError> {
        let projection = match act {
            Act::RebuildProjection { projection } => projection,
            Act::DropProjection { projection } => return self.drop_projection(projection).map(Some),
            _ => return Ok(None),
        };
        let unknown = || PerformError::ProjectionNotFound(projection.clone());
        let again = rebuilt(&self.generations(Some(projection)), self.head).ok_or_else(unknown)?;
        for other in self.generations.values_mut() {
            let is_such = (&other.projection, other.version) == (&again.projection, again.version);
            if is_such && other.phase == Phase::Building {
                other.phase = Phase::Retired;
            }
        }
        self.begin(again);
        Ok(Some(()))
    }
}
