//! Which generations of a projection this node works on: a pure decision by what the store has.

use umbel_core::store::{Generation, Phase};

/// What there is to do for one version of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// The generation that serves, if it is of this version: it is kept up to date.
    pub(super) serving: Option<Generation>,
    /// One of this version that is to take its place.
    pub(super) building: Option<Generation>,
    /// The newer version that serves, when this one has nothing to do any more.
    pub(super) superseded_by: Option<u32>,
    /// Whether a generation has left documents that nobody reads.
    pub(super) litter: bool,
}

impl Plan {
    pub(super) fn of(kept: &[Generation], version: u32) -> Self {
        let own = |phase| kept.iter().rfind(|one| one.version == version && one.phase == phase).cloned();
        let serving = kept.iter().find(|one| one.phase == Phase::Serving);
        Self {
            serving: own(Phase::Serving),
            building: own(Phase::Building),
            superseded_by: serving.map(|one| one.version).filter(|newer| *newer > version),
            litter: kept.iter().any(|one| one.phase == Phase::Retired),
        }
    }

    /// Whether the same is to be done to the same generations, however far they have come.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let names = |plan: &Self| {
            let checkpoint =
                |one: &Option<Generation>| one.as_ref().map(|one| (one.checkpoint(), one.joined));
            (checkpoint(&plan.serving), checkpoint(&plan.building), plan.superseded_by)
        };
        names(self) == names(other)
    }
}

#[cfg(test)]
mod tests {
    use umbel_core::{Position, store::OpenProjection};

    use super::*;

    fn generation(version: u32, run: u32, phase: Phase) -> Generation {
        let collections = vec!["a.c".to_owned()];
        let open = OpenProjection {
            projection: "a.b".into(),
            version,
            collections,
            indexes: Vec::new(),
            inline: Vec::new(),
        };
        Generation { run, phase, ..open.missing(&[], Position::START).unwrap() }
    }

    #[test]
    fn each_node_works_on_what_is_of_its_version() {
        let old = generation(1, 1, Phase::Serving);
        let new = generation(2, 1, Phase::Building);
        let kept = [old.clone(), new.clone()];
        let plan = Plan::of(&kept, 1);
        assert_eq!((plan.serving, plan.building, plan.superseded_by), (Some(old), None, None));
        let plan = Plan::of(&kept, 2);
        assert_eq!((plan.serving, plan.building, plan.superseded_by), (None, Some(new), None));
    }

    #[test]
    fn after_the_switch_the_older_has_nothing_to_do() {
        let kept = [generation(1, 1, Phase::Retired), generation(2, 1, Phase::Serving)];
        let plan = Plan::of(&kept, 1);
        assert_eq!((plan.serving, plan.building, plan.superseded_by), (None, None, Some(2)));
        assert!(plan.litter && Plan::of(&kept, 2).serving.is_some());
    }

    /// UX-09: a node that rebuilds keeps what serves up to date meanwhile.
    #[test]
    fn a_rebuild_is_worked_on_beside_what_serves() {
        let kept = [
            generation(1, 1, Phase::Serving),
            generation(1, 2, Phase::Retired),
            generation(1, 3, Phase::Building),
        ];
        let plan = Plan::of(&kept, 1);
        assert_eq!((plan.serving.unwrap().run, plan.building.unwrap().run), (1, 3));
    }

    #[test]
    fn how_far_they_have_come_makes_no_other_plan() {
        let at =
            |position| Generation { position: Position::new(position), ..generation(1, 1, Phase::Serving) };
        assert!(Plan::of(&[at(1)], 1).is_as(&Plan::of(&[at(2)], 1)));
        let rebuilt = [at(2), generation(1, 2, Phase::Building)];
        assert!(!Plan::of(&[at(1)], 1).is_as(&Plan::of(&rebuilt, 1)));
    }
}
