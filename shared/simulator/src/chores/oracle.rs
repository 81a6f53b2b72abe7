//! What must hold of what is left to do.

use std::collections::{BTreeMap, BTreeSet};

use umbel_core::{ProcessManager as _, id::CommandId, json::Json, process_manager::record_id, store::Append};
use uuid::Uuid;

use super::{
    event_id,
    manager::{Do, Errands, Happened, Kind},
    store::Store,
};
use crate::oracle::Broken;

/// The oracle.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    /// What became of each instance, by what is recorded.
    instances: BTreeMap<String, Expected>,
    /// The event behind each record.
    records: BTreeMap<CommandId, (String, Happened)>,
    /// Commands that process managers have ordered.
    ordered: BTreeMap<Uuid, String>,
    /// Runs of schedules that somebody has taken.
    pub(super) runs: BTreeSet<Uuid>,
    /// Schedules for once, and whether they were taken back.
    pub(super) planned: BTreeMap<Uuid, bool>,
    /// Commands that were carried out, and how often each had its effect.
    carried_out: BTreeSet<Uuid>,
    effects: BTreeMap<String, u32>,
}

/// An instance as it must be.
#[derive(Debug, Default)]
struct Expected {
    events: Vec<Happened>,
    /// How many of them are recorded as handled.
    handled: usize,
    is_alive: bool,
    seen: Vec<u64>,
}

impl Oracle {
    /// An event has happened that concerns an instance.
    pub(super) fn happened(&mut self, instance: &str, event: Happened) {
        let id = record_id(Errands::NAME, instance, event_id(event.number));
        self.records.insert(id, (instance.to_owned(), event));
        self.instances.entry(instance.to_owned()).or_default().events.push(event);
    }

    /// An append is stored, and was not before: each event is handled once, in its turn, and every instance is what it must be by
    /// the events that are handled. So one that has ended is there again only by a new event.
    pub(super) fn stored(&mut self, append: &Append, store: &Store) -> Result<(), Broken> {
        let record = append.command.as_ref().and_then(|command| self.records.get(&command.id));
        if let Some((instance, event)) = record {
            let expected = self.instances.entry(instance.clone()).or_default();
            if expected.events.get(expected.handled).map(|next| next.number) != Some(event.number) {
                return Err(format!("process: {instance} handles {event:?} out of turn: {expected:?}"));
            }
            expected.handled += 1;
            match event.kind {
                Kind::Begin | Kind::GoOn => {
                    expected.is_alive = true;
                    expected.seen.push(event.number);
                }
                Kind::Finish | Kind::Drop => {
                    expected.is_alive = false;
                    expected.seen.clear();
                }
            }
        }
        if record.is_none() && append.documents.is_empty() {
            return Ok(());
        }
        for (instance, expected) in &self.instances {
            let file = store.file(Errands::NAME, instance);
            let state = file.as_ref().and_then(|file| file.state.as_ref());
            let state = state.and_then(|state| state.decode::<Errands>().ok());
            if state.is_some() && !expected.is_alive {
                return Err(format!("process: {instance} has ended, and is there: {file:?}"));
            }
            if state.as_ref().map(|state| &state.seen) != expected.is_alive.then_some(&expected.seen) {
                return Err(format!("process: {instance} should have seen {:?}: {file:?}", expected.seen));
            }
            let orders = file.iter().flat_map(|file| &file.pending).flat_map(|pending| &pending.orders);
            self.ordered.extend(orders.map(|order| (order.id.0, order.body.as_str().to_owned())));
        }
        Ok(())
    }

    /// A command reaches whom it is for, who knows those of before by their ids.
    pub(super) fn carried_out(&mut self, whose: &str, id: Uuid, what: &str) -> Result<(), Broken> {
        if !self.carried_out.insert(id) {
            return Ok(());
        }
        let times = self.effects.entry(what.to_owned()).or_default();
        *times += 1;
        if *times > 1 {
            return Err(format!("{whose}: {what} has its effect {times} times"));
        }
        Ok(())
    }

    /// Everything has come to rest: nothing that was ordered, taken or planned is left out, and nothing that was taken back was done.
    pub(super) fn at_rest(&self) -> Result<(), Broken> {
        let lost = self.ordered.iter().find(|(id, _)| !self.carried_out.contains(id));
        if let Some((id, what)) = lost {
            return Err(format!("process: command {id} was ordered and never carried out: {what}"));
        }
        let events = self.instances.values().flat_map(|expected| &expected.events);
        for event in events.filter(|event| event.kind != Kind::Drop) {
            let command = Json::encode(&Do { what: format!("first of {}", event.number) });
            let command = command.map_err(|error| format!("process: {error}"))?;
            if !self.effects.contains_key(command.as_str()) {
                return Err(format!("process: {event:?} has led to nothing"));
            }
        }
        if let Some(run) = self.runs.iter().find(|run| !self.carried_out.contains(run)) {
            return Err(format!("schedule: run {run} was taken and never carried out"));
        }
        for (schedule, is_taken_back) in &self.planned {
            let done = self.effects.keys().any(|what| what.starts_with(&schedule.to_string()));
            if done == *is_taken_back {
                return Err(format!(
                    "schedule: {schedule}, taken back: {is_taken_back}, carried out: {done}"
                ));
            }
        }
        Ok(())
    }
}
