//! What a group does to inline projections: their documents are written with the events, or a generation is left behind.

use super::Planner;
use crate::{
    document::DocumentWrite,
    json::Json,
    store::{Append, AppendError, DocumentChange},
};

/// A generation whose documents are written by appends, see [`Generation::joined`](crate::store::Generation::joined).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Its checkpoint.
    pub checkpoint: String,
    /// What its collections have behind their names.
    pub suffix: String,
    /// The names of the events it is about.
    pub events: Vec<String>,
}

/// A document as it was taken to be before the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belief {
    /// The collection, with its suffix.
    pub collection: String,
    /// The key within it.
    pub key: String,
    /// What was there.
    pub body: Option<Json>,
}

/// What becomes of a joined generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Its checkpoint.
    pub checkpoint: String,
    /// Up to how many of the group's events its documents show.
    pub offset: u64,
    /// Whether it stays joined.
    pub joined: bool,
}

impl Joined {
    /// Whether one of the append's events is of it.
    fn is_of(&self, append: &Append) -> bool {
        let mut events = append.streams.iter().flat_map(|stream| &stream.events);
        events.any(|event| self.events.iter().any(|name| **name == *event.event_type.name))
    }
}

impl<'a> Planner<'a> {
    /// Whether the append knows which generations are joined, if it names them, and the documents that it changes.
    pub(super) fn check_inline(&self, append: &Append) -> Result<(), AppendError> {
        for one in &append.inline {
            let joined = self.view.joined.iter().find(|joined| joined.checkpoint == one.checkpoint);
            match (joined, &one.changes) {
                (None, None) => {}
                (Some(joined), Some(changes)) => {
                    changes.iter().try_for_each(|change| self.check_document(joined, change))?;
                }
                (joined, _) => {
                    let (checkpoint, joined) = (one.checkpoint.clone(), joined.is_some());
                    return Err(AppendError::InlineBelief { checkpoint, joined });
                }
            }
        }
        Ok(())
    }

    fn check_document(&self, joined: &Joined, change: &DocumentChange) -> Result<(), AppendError> {
        let (collection, key) = named(joined, &change.write);
        match self.view.documents.get(&(collection.clone(), key.clone())) {
            Some(there) if *there != change.before => Err(AppendError::DocumentChanged { collection, key }),
            _ => Ok(()),
        }
    }

    /// Writes what the append says of joined generations. One of whose events it has, and of which it says nothing, is joined no more: its
    /// documents show what the group had `before` this append.
    pub(super) fn apply_inline(&mut self, append: &'a Append, before: u64) {
        let mut joined = std::mem::take(&mut self.view.joined);
        joined.retain(|joined| {
            let said = append.inline.iter().find(|one| one.checkpoint == joined.checkpoint);
            if let Some(changes) = said.and_then(|said| said.changes.as_ref()) {
                changes.iter().for_each(|change| self.change(joined, change));
                self.moves(joined, self.plan.event_count(), true);
            } else if joined.is_of(append) {
                self.moves(joined, before, false);
                return false;
            }
            true
        });
        self.view.joined = joined;
    }

    fn change(&mut self, joined: &Joined, change: &DocumentChange) {
        let (collection, key) = named(joined, &change.write);
        let write = DocumentWrite { collection: collection.clone(), ..change.write.clone() };
        let at = *self.inlined.entry((collection.clone(), key.clone())).or_insert(self.plan.inline.len());
        if let Some(earlier) = self.plan.inline.get_mut(at) {
            *earlier = write;
        } else {
            self.plan.inline.push(write);
            let body = change.before.clone();
            self.plan.beliefs.push(Belief { collection: collection.clone(), key: key.clone(), body });
        }
        self.view.documents.insert((collection, key), change.write.body.clone());
    }

    fn moves(&mut self, joined: &Joined, offset: u64, stays: bool) {
        let moved = &mut self.plan.moved;
        if let Some(earlier) = moved.iter_mut().find(|one| one.checkpoint == joined.checkpoint) {
            (earlier.offset, earlier.joined) = (offset, stays);
        } else {
            moved.push(Moved { checkpoint: joined.checkpoint.clone(), offset, joined: stays });
        }
    }
}

fn named(joined: &Joined, write: &DocumentWrite) -> (String, String) {
    (format!("{}{}", write.collection, joined.suffix), write.key.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::{
        EncodedEvent, Event, EventId, ExpectedVersion, Metadata, NewEvent, StreamName,
        store::{
            InlineChanges,
            plan::{Plan, View, plan},
        },
    };

    #[derive(Clone, Debug, serde::Serialize, serde::Deserialize, Event)]
    #[event(name = "a.told")]
    struct Told;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    /// An append of one event that finds a document so, and leaves it so.
    fn append(id: u128, change: Option<(Option<&str>, &str)>) -> Append {
        let event = NewEvent::new(
            EventId(uuid::Uuid::from_u128(id)),
            EncodedEvent::of(&Told).unwrap(),
            Metadata::default(),
        );
        let changes = change.map(|(before, after)| {
            let (collection, key, body) = ("a.c".into(), "k".into(), Some(json(after)));
            let write = DocumentWrite { collection, key, body, entries: Vec::new() };
            vec![DocumentChange { before: before.map(json), write }]
        });
        let stream = StreamName::new(format!("s-{id}")).unwrap();
        Append {
            inline: vec![InlineChanges { checkpoint: "a.p/1".into(), changes }],
            ..Append::to_stream(stream, ExpectedVersion::NoStream, vec![event])
        }
    }

    fn unaware(id: u128) -> Append {
        Append { inline: Vec::new(), ..append(id, None) }
    }

    fn view(is_joined: bool, there: Option<&str>) -> View {
        let (checkpoint, suffix, events) = ("a.p/1".into(), "@1.1".into(), vec![Told::NAME.into()]);
        let joined = is_joined.then_some(Joined { checkpoint, suffix, events });
        let documents = HashMap::from([(("a.c@1.1".into(), "k".into()), there.map(json))]);
        View { joined: joined.into_iter().collect(), documents, ..View::default() }
    }

    fn bodies(plan: &Plan<'_>) -> Vec<(String, String)> {
        let body = |write: &DocumentWrite| write.body.as_ref().map(|body| body.as_str().to_owned()).unwrap();
        plan.inline.iter().map(|write| (write.collection.clone(), body(write))).collect()
    }

    fn moved(offset: u64, joined: bool) -> Vec<Moved> {
        vec![Moved { checkpoint: "a.p/1".into(), offset, joined }]
    }

    /// PJ-09: of two appends that read the same document one is refused, and reads again.
    #[test]
    fn a_document_is_changed_as_it_was_read() {
        let group = [
            append(1, Some((Some("1"), "2"))),
            append(2, Some((Some("1"), "2"))),
            append(3, Some((Some("2"), "3"))),
        ];
        let plan = plan(view(true, Some("1")), &group);
        let changed =
            |key: &str| AppendError::DocumentChanged { collection: "a.c@1.1".into(), key: key.into() };
        assert_eq!(plan.outcomes[1], Err(changed("k")));
        assert!(plan.outcomes[0].is_ok() && plan.outcomes[2].is_ok());
        assert_eq!(bodies(&plan), [("a.c@1.1".into(), "3".into())]);
        assert_eq!(plan.beliefs.len(), 1);
        assert_eq!(plan.beliefs[0].body, Some(json("1")));
        assert_eq!(plan.moved, moved(2, true));
    }

    /// What nobody has looked up is taken to be as it was read, and told so.
    #[test]
    fn a_document_that_is_not_in_the_view_is_believed() {
        let group = [append(1, Some((None, "1"))), append(2, Some((None, "1")))];
        let plan = plan(View { documents: HashMap::new(), ..view(true, None) }, &group);
        assert!(plan.outcomes[0].is_ok() && plan.outcomes[1].is_err());
        assert_eq!(plan.beliefs.len(), 1);
    }

    /// PJ-10: who appends without knowing is not refused, and ends it: the next ones are told.
    #[test]
    fn an_append_that_says_nothing_leaves_the_generation_behind() {
        let group =
            [append(1, Some((None, "1"))), unaware(2), append(3, Some((Some("1"), "2"))), append(4, None)];
        let plan = plan(view(true, None), &group);
        let told = AppendError::InlineBelief { checkpoint: "a.p/1".into(), joined: false };
        assert_eq!(plan.outcomes[2], Err(told));
        assert!(plan.outcomes[1].is_ok() && plan.outcomes[3].is_ok());
        assert_eq!(bodies(&plan), [("a.c@1.1".into(), "1".into())]);
        assert_eq!(plan.moved, moved(1, false));
    }

    /// PJ-10: who believes that it is not joined is told better, instead of ending it.
    #[test]
    fn who_believes_the_wrong_thing_is_told() {
        let told = |joined| Err(AppendError::InlineBelief { checkpoint: "a.p/1".into(), joined });
        assert_eq!(plan(view(true, None), &[append(1, None)]).outcomes, [told(true)]);
        assert_eq!(plan(view(false, None), &[append(1, Some((None, "1")))]).outcomes, [told(false)]);
        assert!(plan(view(false, None), &[append(1, None), unaware(2)]).moved.is_empty());
    }
}
