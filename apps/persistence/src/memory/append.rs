//! Appending: what a group leads to is decided by the shared planner, as in every store.

use umbel_core::{
    Position, Timestamp,
    store::{
        Append, AppendCondition, AppendError, Appended, DocumentChange, OutboxEntry, Waiting,
        plan::{Plan, View, plan},
    },
};

use super::state::{Recorded, State};

impl State {
    pub(super) fn append(&mut self, group: &[Append], now: Timestamp) -> Vec<Result<Appended, AppendError>> {
        let mut plan = plan(self.view(group), group);
        let head = self.head;
        let outcomes = std::mem::take(&mut plan.outcomes);
        self.write(plan, now);
        outcomes.into_iter().map(|outcome| outcome.map(|planned| planned.at(head))).collect()
    }

    /// What the planner may ask about this group.
    fn view(&self, group: &[Append]) -> View {
        let mut view = View { head: self.head, joined: self.joined(), ..View::default() };
        for append in group {
            for stream in &append.streams {
                let name = &stream.stream;
                view.streams.extend(self.stream_state(name).map(|state| (name.clone(), state)));
                for event in &stream.events {
                    view.events.extend(self.place(event.id).map(|place| (event.id, place)));
                }
            }
            for claim in append.claims.take.iter().chain(&append.claims.release) {
                view.claims.extend(self.claims.get(claim).map(|owner| (claim.clone(), owner.clone())));
            }
            for condition in &append.conditions {
                let met = self.first_met(condition);
                view.failed.extend(met.map(|position| (condition.clone(), position)));
            }
            for one in &append.inline {
                let suffix = self.suffix(&one.checkpoint);
                for DocumentChange { write, .. } in one.changes.iter().flatten() {
                    let collection = format!("{}{suffix}", write.collection);
                    let there = self.documents.get(&collection, &write.key);
                    view.documents.insert((collection, write.key.clone()), there);
                }
            }
            for command in append.records() {
                let before = self.commands.get(&command.id);
                view.commands.extend(before.map(|before| (command.id, before.appended.clone())));
            }
        }
        view
    }

    /// The first event behind the condition's position that its query is about.
    fn first_met(&self, AppendCondition { query, after }: &AppendCondition) -> Option<Position> {
        let mut behind = self.events.range(after.next()..);
        behind.find(|(_, event)| query.matches(event)).map(|(position, _)| *position)
    }

    fn write(&mut self, plan: Plan<'_>, now: Timestamp) {
        let head = self.head;
        for planned in &plan.events {
            let Some(change) = plan.streams.get(planned.stream) else { continue };
            self.record(&change.stream, planned.event.clone(), planned.recorded_at.unwrap_or(now));
        }
        for change in plan.claims {
            match change.after {
                Some(owner) => self.claims.insert(change.claim, owner),
                None => self.claims.remove(&change.claim),
            };
        }
        for write in plan.documents.into_iter().chain(&plan.inline) {
            self.documents.write(write, "");
        }
        for moved in &plan.moved {
            self.move_joined(moved, head);
        }
        self.outbox.retain(|_, waiting| !plan.done.contains(&waiting.entry.id));
        for entry in plan.outbox {
            self.leave_behind(entry, now);
        }
        for (command, last_offset) in plan.commands {
            let last_position = last_offset.map(|offset| head.plus(offset));
            let appended = Appended::repeated(last_position, command.reply.clone());
            let for_good = plan.for_good.contains(&command.id);
            self.commands.insert(command.id, Recorded { appended, recorded_at: now, for_good });
        }
    }

    /// Puts an entry into the outbox, unless it waits there already.
    fn leave_behind(&mut self, entry: &OutboxEntry, now: Timestamp) {
        if self.outbox.values().any(|waiting| waiting.entry.id == entry.id) {
            return;
        }
        self.outbox_head += 1;
        let waiting = Waiting { number: self.outbox_head, entry: entry.clone(), recorded_at: now };
        self.outbox.insert(self.outbox_head, waiting);
    }
}
