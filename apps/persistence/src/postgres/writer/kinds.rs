//! The numbers of kinds that the writer knows, so that an event of a known kind costs no lookup in the database.
//!
//! A kind never changes once it is there, so what is known is true. What is not known is named in the group, and
//! `append_group` answers with its number, whoever made it.

use foldhash::HashMap;
use umbel_core::{EventType, store::plan::Plan};

use crate::postgres::recent::Recent;

/// Categories in each of the two generations. A category has as many kinds as its application has types of event.
const GENERATION_MAX: usize = 4096;

/// What is known.
#[derive(Debug)]
pub(super) struct Kinds(Recent<String, HashMap<EventType, i32>>);

/// The kinds of a plan's events.
#[derive(Debug, Default)]
pub(super) struct PlannedKinds<'a> {
    /// One number for each event; -1, -2, ... stand for the kinds below.
    pub(super) ids: Vec<i32>,
    /// Those that are not known, with their categories, each once.
    pub(super) unknown: Vec<(&'a str, &'a EventType)>,
    unknown_ids: HashMap<(&'a str, &'a EventType), i32>,
}

impl Kinds {
    /// The kinds of a plan, as far as they are known.
    pub(super) fn of<'a>(&mut self, plan: &'a Plan<'_>) -> PlannedKinds<'a> {
        let mut kinds =
            PlannedKinds { ids: Vec::with_capacity(plan.events.len()), ..PlannedKinds::default() };
        for planned in &plan.events {
            let category = plan.streams.get(planned.stream).map_or("", |change| change.stream.category().0);
            let event_type = &planned.event.event_type;
            let known = self.0.get(category).and_then(|types| types.get(event_type)).copied();
            let id = known.unwrap_or_else(|| kinds.number_unknown(category, event_type));
            kinds.ids.push(id);
        }
        kinds
    }

    /// Takes the numbers of the unknown kinds of a group that is stored.
    pub(super) fn learn(&mut self, kinds: &PlannedKinds<'_>, ids: &[i32]) {
        for ((category, event_type), id) in kinds.unknown.iter().zip(ids) {
            if let Some(types) = self.0.get(*category) {
                types.insert((*event_type).clone(), *id);
            } else {
                self.0.insert((*category).to_owned(), HashMap::from_iter([((*event_type).clone(), *id)]));
            }
        }
    }
}

impl Default for Kinds {
    fn default() -> Self {
        Self(Recent::new(GENERATION_MAX))
    }
}

impl<'a> PlannedKinds<'a> {
    fn number_unknown(&mut self, category: &'a str, event_type: &'a EventType) -> i32 {
        let unknown = &mut self.unknown;
        *self.unknown_ids.entry((category, event_type)).or_insert_with(|| {
            unknown.push((category, event_type));
            i32::try_from(unknown.len()).map_or(i32::MIN, |ordinal| -ordinal)
        })
    }
}
