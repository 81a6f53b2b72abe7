//! What is left to do as a store keeps it: claims, documents, commands and the outbox, changed by appends that were planned by the one
//! who decides appends everywhere.

use std::collections::{BTreeMap, HashMap};

use umbel_core::{
    Position, Timestamp,
    id::CommandId,
    json::Json,
    process_manager::{self, File},
    store::{
        Append, AppendError, Appended, ClaimName, Waiting,
        plan::{View, plan},
    },
};
use uuid::Uuid;

/// The store.
#[derive(Debug, Default)]
pub(super) struct Store {
    claims: HashMap<ClaimName, String>,
    documents: BTreeMap<(String, String), Json>,
    commands: HashMap<CommandId, Appended>,
    /// By number, which is their order.
    outbox: BTreeMap<u64, Waiting>,
    number: u64,
}

impl Store {
    pub(super) fn append(&mut self, append: &Append, now: Timestamp) -> Result<Appended, AppendError> {
        let mut view = View::default();
        for claim in append.claims.take.iter().chain(&append.claims.release) {
            view.claims.extend(self.claims.get(claim).map(|owner| (claim.clone(), owner.clone())));
        }
        for command in append.records() {
            view.commands.extend(self.commands.get(&command.id).map(|before| (command.id, before.clone())));
        }
        let mut plan = plan(view, [append]);
        for change in &plan.claims {
            match &change.after {
                Some(owner) => drop(self.claims.insert(change.claim.clone(), owner.clone())),
                None => drop(self.claims.remove(&change.claim)),
            }
        }
        for document in &plan.documents {
            let key = (document.collection.clone(), document.key.clone());
            match &document.body {
                Some(body) => drop(self.documents.insert(key, body.clone())),
                None => drop(self.documents.remove(&key)),
            }
        }
        self.outbox.retain(|_, waiting| !plan.done.contains(&waiting.entry.id));
        for entry in &plan.outbox {
            if self.outbox.values().any(|waiting| waiting.entry.id == entry.id) {
                continue;
            }
            self.number += 1;
            let waiting = Waiting { number: self.number, entry: (*entry).clone(), recorded_at: now };
            self.outbox.insert(self.number, waiting);
        }
        for (command, _) in &plan.commands {
            self.commands.insert(command.id, Appended::repeated(None, command.reply.clone()));
        }
        // One append has one outcome.
        plan.outcomes.swap_remove(0).map(|planned| planned.at(Position::START))
    }

    pub(super) fn was_recorded(&self, id: CommandId) -> bool {
        self.commands.contains_key(&id)
    }

    /// What is kept of an instance.
    pub(super) fn file(&self, manager: &str, instance: &str) -> Option<File> {
        let key = process_manager::key(manager, instance);
        self.documents.get(&(key.collection.to_owned(), key.key))?.decode().ok()
    }

    /// What waits in queues whose names begin so, in order, if it is due.
    pub(super) fn due(&self, queue: &str, now: Timestamp) -> Vec<&Waiting> {
        let waiting = self.outbox.values().filter(|one| one.entry.queue.starts_with(queue));
        waiting.filter(|one| one.entry.due_at.is_none_or(|at| at <= now)).collect()
    }

    /// The entry with this id, if it waits.
    pub(super) fn waiting(&self, id: Uuid) -> Option<&Waiting> {
        self.outbox.values().find(|one| one.entry.id == id)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.outbox.is_empty()
    }
}
