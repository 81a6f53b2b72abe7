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
    /// Events whose dead letter was discarded: what they led to and was not carried out before need not be.
    discarded: BTreeSet<u64>,
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

impl Expected {
    /// What was discarded before it was handled is handled no more.
    fn pass_discarded(&mut self, discarded: &BTreeSet<u64>) {
        let next = self.events.iter().skip(self.handled);
        self.handled += next.take_while(|event| discarded.contains(&event.number)).count();
    }
}

impl Oracle {
    /// An operator has discarded the dead letter of an event.
    pub(super) fn discarded(&mut self, number: u64) {
        self.discarded.insert(number);
    }

    /// Whether a command has reached whom it is for.
    pub(super) fn was_carried_out(&self, id: Uuid) -> bool {
        self.carried_out.contains(&id)
    }

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
            expected.pass_discarded(&self.discarded);
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
        let mut left_out = BTreeSet::new();
        for number in &self.discarded {
            left_out.insert(command("first", *number)?);
            left_out.insert(command("second", *number)?);
        }
        let is_lost = |(id, what): &(&Uuid, &String)| {
            !self.carried_out.contains(id) && !left_out.contains(what.as_str())
        };
        if let Some((id, what)) = self.ordered.iter().find(is_lost) {
            return Err(format!("process: command {id} was ordered and never carried out: {what}"));
        }
        let events = self.instances.values().flat_map(|expected| &expected.events);
        let events = events.filter(|event| !self.discarded.contains(&event.number));
        for event in events.filter(|event| event.kind != Kind::Drop) {
            if !self.effects.contains_key(&command("first", event.number)?) {
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

/// The first or second command that an event leads to, as it is written.
fn command(which: &str, number: u64) -> Result<String, Broken> {
    let command = Json::encode(&Do { what: format!("{which} of {number}") });
    Ok(command.map_err(|error| format!("process: {error}"))?.as_str().to_owned())
}
