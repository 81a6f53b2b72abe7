//! The oracle: what must hold, checked with books of its own.
//!
//! It is told what happens and believes nobody: what it knows of the log, of who handled what and of how far checkpoints are it
//! keeps itself.

mod subscription;

use std::{collections::HashMap, rc::Rc};

use umbel_core::{
    EventId, Place, Position, StreamName, Tag, Version,
    store::{Append, AppendError, Appended},
};

pub(crate) use subscription::Books;

use crate::{
    schedule::Outcome,
    shape::Shape,
    store::{Entry, Log, count, size},
};

/// What was broken.
pub(crate) type Broken = String;

/// The oracle.
#[derive(Debug)]
pub(crate) struct Oracle {
    /// The log as it was committed.
    pub(crate) log: Vec<Entry>,
    versions: HashMap<StreamName, Version>,
    places: HashMap<EventId, usize>,
    /// The intent of each event.
    intents: HashMap<EventId, usize>,
    /// What intents rest on: what has this tag, up to this position.
    conditions: HashMap<usize, Vec<(Tag, Position)>>,
    /// Intents that were refused for good.
    refused: Vec<usize>,
    pub(crate) subscriptions: Vec<Books>,
}

impl Oracle {
    pub(crate) fn new(shape: &Shape) -> Self {
        let books = |number: usize| Books::new(number, shape.options[number].partitions);
        Self {
            log: Vec::new(),
            versions: HashMap::new(),
            places: HashMap::new(),
            intents: HashMap::new(),
            conditions: HashMap::new(),
            refused: Vec::new(),
            subscriptions: (0..shape.options.len()).map(books).collect(),
        }
    }

    /// A client wants to append this.
    pub(crate) fn intends(&mut self, intent: usize, append: &Rc<Append>) {
        self.intents.extend(ids(append).map(|id| (id, intent)));
        for condition in &append.conditions {
            let tags = condition.query.items().iter().flat_map(|item| item.tags.iter());
            let rests = tags.map(|tag| (tag.clone(), condition.after));
            self.conditions.entry(intent).or_default().extend(rests);
        }
    }

    /// Invariants 2 and 3, of what was committed just now: contiguous places and versions, no event twice, nothing refused.
    pub(crate) fn committed(&mut self, log: &Log) -> Result<(), Broken> {
        if log.entries.len() < self.log.len() {
            return Err("log: it has become shorter".into());
        }
        for (index, entry) in log.entries.iter().enumerate().skip(self.log.len()) {
            let version = self.versions.entry(entry.stream.clone()).or_default();
            if entry.version != version.next() {
                return Err(format!("log: {entry:?} follows version {version}"));
            }
            *version = entry.version;
            if let Some(before) = self.places.insert(entry.id, index) {
                return Err(format!(
                    "log: {} is stored at {} and again at {}",
                    entry.id.0,
                    before + 1,
                    index + 1
                ));
            }
            let Some(intent) = self.intents.get(&entry.id) else {
                return Err(format!("log: nobody wanted {entry:?}: the ids of a try differ from its first"));
            };
            self.check_conditions(*intent, &log.entries[..index])?;
            if self.refused.contains(intent) {
                return Err(format!("log: intent {intent} was refused, and {entry:?} is stored"));
            }
            self.log.push(entry.clone());
        }
        Ok(())
    }

    /// Invariant 3: what is stored on condition is stored behind nothing that it would have had to know, but for its own events.
    fn check_conditions(&self, intent: usize, before: &[Entry]) -> Result<(), Broken> {
        for (tag, after) in self.conditions.get(&intent).into_iter().flatten() {
            let unknown = before.iter().enumerate().skip(size(after.get()));
            let mut met = unknown.filter(|(_, entry)| entry.tags.iter().any(|other| other == tag));
            if let Some((index, entry)) = met.find(|(_, entry)| self.intents.get(&entry.id) != Some(&intent))
            {
                return Err(format!(
                    "condition: intent {intent} has read up to {after}, and is stored although {} at {} has {tag:?}",
                    entry.id.0,
                    index + 1
                ));
            }
        }
        Ok(())
    }

    /// Invariant 3: who is refused because of an event has not read that, and rests on such.
    fn check_refusal(&self, intent: usize, position: Position) -> Result<(), Broken> {
        let index = size(position.get()).checked_sub(1);
        let entry = index.and_then(|index| self.log.get(index));
        let conditions = self.conditions.get(&intent);
        let is_met = |(tag, after): &(Tag, Position)| {
            position > *after && entry.is_some_and(|entry| entry.tags.iter().any(|other| other == tag))
        };
        if conditions.into_iter().flatten().any(is_met) {
            return Ok(());
        }
        Err(format!(
            "condition: intent {intent} was refused for {entry:?} at {position}, which it does not rest on"
        ))
    }

    /// Invariant 3: what was acknowledged is in the log, once, where the answer says.
    pub(crate) fn acknowledged(&self, intent: usize, append: &Append, said: &Appended) -> Result<(), Broken> {
        let mut last = None;
        for (number, stream) in append.streams.iter().enumerate() {
            for event in &stream.events {
                let Some(index) = self.places.get(&event.id) else {
                    return Err(format!(
                        "log: intent {intent} was acknowledged, and {} is not stored",
                        event.id.0
                    ));
                };
                last = last.max(Some(*index));
            }
            let index = stream.events.last().and_then(|event| self.places.get(&event.id));
            let version = index.map(|index| self.log[*index].version);
            if said.repeated.is_none() && version.as_ref() != said.versions.get(number) {
                return Err(format!("log: intent {intent} is at version {version:?}, and was told {said:?}"));
            }
        }
        let position = last.map(|index| count(index) + 1);
        if position != said.last_position.map(|position| position.get()) {
            return Err(format!("log: intent {intent} is at {position:?}, and was told {said:?}"));
        }
        Ok(())
    }

    /// Invariant 3: what was refused is not in the log, and never will be. That is known when no other try is under way.
    pub(crate) fn refused(
        &mut self,
        intent: usize,
        append: &Append,
        error: &AppendError,
    ) -> Result<(), Broken> {
        if let Some(id) = ids(append).find(|id| self.places.contains_key(id)) {
            return Err(format!("log: intent {intent} was refused ({error}), and {} is stored", id.0));
        }
        self.refused.push(intent);
        Ok(())
    }

    /// Whether what an outcome says is true.
    pub(crate) fn told(
        &mut self,
        intent: usize,
        append: &Append,
        said: &Outcome,
        alone: bool,
    ) -> Result<(), Broken> {
        if let Err(AppendError::ConditionFailed { position, .. }) = said {
            self.check_refusal(intent, *position)?;
        }
        match said {
            Ok(appended) => self.acknowledged(intent, append, appended),
            Err(error) if alone => self.refused(intent, append, error),
            Err(_) => Ok(()),
        }
    }

    /// Where the log ends.
    pub(crate) fn head(&self) -> Place {
        Place::new(count(self.log.len()))
    }
}

fn ids(append: &Append) -> impl Iterator<Item = EventId> {
    append.streams.iter().flat_map(|stream| &stream.events).map(|event| event.id)
}
