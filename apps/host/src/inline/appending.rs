//! What one append does to inline projections.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tokio::{
    sync::{OwnedMutexGuard, OwnedRwLockReadGuard},
    time::{Instant, timeout_at},
};
use umbel_bus::Store;
use umbel_core::{
    Changes, EventName, Json, NewEvent, Position, RecordedEvent, StreamName, Timestamp, Version,
    document::DocumentKey,
    store::{Append, DocumentChange, InlineChanges, LoadDocuments},
};

use super::rules::{Inlines, Rule, Stands};
use crate::deciding::Trouble;

/// The inline projections that an append concerns, as they are believed to be.
#[derive(Default)]
pub(crate) struct Inlining(Vec<One>);

struct One {
    rule: Arc<Rule>,
    /// `None`: there is no generation by this rule. The append says nothing of it, and whoever follows the log projects the events.
    stands: Option<Stands>,
    place: OwnedRwLockReadGuard<()>,
}

/// Where the events of a decision go.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) stream: &'a StreamName,
    /// The stream's version before them.
    pub(crate) version: Version,
    /// When they happen.
    pub(crate) at: Timestamp,
}

impl Inlining {
    /// The projections that are about these events.
    pub(crate) async fn of(inlines: &Inlines, names: &[EventName]) -> Self {
        let mut all = Vec::new();
        for rule in inlines.about(names) {
            let (stands, place) = rule.stands().await;
            all.push(One { rule, stands, place });
        }
        Self(all)
    }

    /// Whether the append writes documents: then these must be those of what is stored.
    pub(crate) fn writes(&self) -> bool {
        self.0.iter().any(One::writes)
    }

    /// Puts what the append's events change into it. They are given the time of the decision, which the rules have seen.
    pub(crate) async fn write(
        &self,
        store: &Store,
        append: &mut Append,
        place: Place<'_>,
    ) -> Result<(), Trouble> {
        let events = append.streams.iter().flat_map(|stream| &stream.events);
        let recorded: Vec<_> = if self.writes() {
            append.recorded_at = Some(place.at);
            events.zip(1..).map(|(event, number)| place.recorded(event, number)).collect()
        } else {
            Vec::new()
        };
        for one in &self.0 {
            let Some(Stands { checkpoint, joined, .. }) = &one.stands else { continue };
            let changes = if *joined { Some(one.changes(store, checkpoint, &recorded).await?) } else { None };
            append.inline.push(InlineChanges { checkpoint: checkpoint.clone(), changes });
        }
        Ok(())
    }

    /// The append was stored, and went up to here: those who ask find it in the documents. Those that it has not written are waited for, as
    /// long as their projections say.
    pub(crate) async fn stored(self, position: Position, deadline: Instant) {
        // All places are given back first: nobody is kept from joining while others are waited for.
        let rules: Vec<_> = self.0.into_iter().map(|One { rule, stands, .. }| (rule, stands)).collect();
        for (rule, stands) in rules {
            let Some(stands) = stands.filter(|stands| stands.serves) else { continue };
            if stands.joined {
                rule.shows(position);
            } else if timeout_at(deadline.min(Instant::now() + rule.patience), rule.passes(position))
                .await
                .is_err()
            {
                tracing::debug!(projection = rule.name, %position, "an answer does not wait for its documents any longer");
            }
        }
    }

    /// The append was refused because a document was changed by somebody else: waits for a turn, which lasts as long as what is returned.
    pub(crate) async fn turns(self) -> Vec<OwnedMutexGuard<()>> {
        let rules: Vec<_> = self.0.into_iter().map(|one| one.rule).collect();
        let mut turns = Vec::new();
        for rule in rules {
            turns.push(rule.turn().await);
        }
        turns
    }

    /// The append was refused because one of them is not as it was believed to be.
    pub(crate) async fn look(self, store: &Store) -> Result<(), Trouble> {
        for One { rule, place, .. } in self.0 {
            drop(place);
            rule.look(store).await.map_err(Trouble::Store)?;
        }
        Ok(())
    }
}

impl One {
    /// Whether the append writes its documents.
    fn writes(&self) -> bool {
        self.stands.as_ref().is_some_and(|stands| stands.joined)
    }

    /// What the events make of the documents, each with what was there.
    async fn changes(
        &self,
        store: &Store,
        checkpoint: &str,
        events: &[RecordedEvent],
    ) -> Result<Vec<DocumentChange>, Trouble> {
        let name = self.rule.name;
        let mut changes = Changes::default();
        for event in events.iter().filter(|event| self.rule.is_about(&event.event_type.name)) {
            let failed = |reason| {
                Trouble::Failed(format!("{} cannot be projected by {name}: {reason}", event.event_type))
            };
            changes.extend(self.rule.project(event).map_err(failed)?);
        }
        if let Some(statement) = changes.take_statements().first() {
            let text = statement.text();
            return Err(Trouble::Failed(format!(
                "{name} is inline and may write documents only, not {text:?}"
            )));
        }
        let keys = changes.keys();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let request = LoadDocuments { checkpoint: checkpoint.to_owned(), keys: keys.clone() };
        let bodies = store.load_documents(request).await.map_err(Trouble::Store)?;
        let there = |(key, body): (DocumentKey, Option<Json>)| Some((key, body?));
        let loaded: BTreeMap<_, _> = keys.iter().cloned().zip(bodies).filter_map(there).collect();
        let mut before = loaded.clone();
        let applied = catch_unwind(AssertUnwindSafe(|| changes.apply(loaded)));
        let applied = applied.map_err(|_| Trouble::Failed(format!("a change of {name} panicked")))?;
        let writes = applied
            .map_err(|error| Trouble::Failed(format!("a document of {name} cannot be changed: {error}")))?;
        // Both are in the order of the keys, each once.
        let change = |(key, write)| DocumentChange { before: before.remove(key), write };
        Ok(keys.iter().zip(writes).map(change).collect())
    }
}

impl Place<'_> {
    /// An event as it will be recorded, but for its position.
    fn recorded(&self, event: &NewEvent, number: u64) -> RecordedEvent {
        let NewEvent { id, event_type, data, subject, tags, metadata } = event.clone();
        RecordedEvent {
            position: Position::START,
            stream: self.stream.clone(),
            version: self.version.plus(number),
            id,
            event_type,
            recorded_at: self.at,
            data,
            subject,
            tags,
            metadata,
            linked_at: None,
        }
    }
}
