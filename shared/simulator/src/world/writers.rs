//! The writer's protocol: look up what must be known to plan a group, have it stored if the log still stands there, and settle
//! what is unknown by trying again with the same ids.

use std::rc::Rc;

use umbel_core::store::plan::View;

use super::World;
use crate::{
    bug::Bug,
    node::{Waiting, Writer, Writing},
    schedule::{Address, Answer, Event, Group, Outcome, Reply, Request},
};

impl World {
    fn writer(&mut self, at: Address) -> Option<&mut Writer> {
        self.nodes[at.node].process.as_mut()?.writer(at.incarnation)
    }

    /// The next group, if none is under way; the same again after a failure.
    pub(super) fn write(&mut self, to: Address) {
        let group_max = self.shape.group_max;
        let Some(writer) = self.writer(to) else { return };
        if writer.group.is_some() || writer.queue.is_empty() {
            return;
        }
        let most = group_max.min(writer.queue.len());
        let waiting: Vec<_> = writer.queue.drain(..most).collect();
        writer.group = Some(Writing { waiting, resolving: false, sent: false, failures: 0 });
        self.look_up(to);
    }

    fn look_up(&mut self, to: Address) {
        let Some(group) = self.group(to) else { return };
        self.send(to, Request::Look(group));
    }

    fn group(&mut self, to: Address) -> Option<Group> {
        let writing = self.writer(to)?.group.as_ref()?;
        let (resolving, bug) = (writing.resolving, self.bug);
        let writing = self.writer(to)?.group.as_ref()?;
        let group: Group = writing.waiting.iter().map(|one| Rc::clone(&one.append)).collect();
        if resolving && bug == Some(Bug::WriterForgetsIds) {
            return Some(group.iter().map(|append| Rc::new(self.with_fresh_ids(append))).collect());
        }
        Some(group)
    }

    pub(super) fn writer_hears(&mut self, to: Address, answer: Answer) {
        match answer {
            Answer::Looked(view, mark) => self.store_group(to, *view, mark),
            Answer::Committed(Some(outcomes)) => self.finish(to, outcomes),
            Answer::Committed(None) => {
                self.count("group planned again");
                self.look_up(to);
            }
            Answer::WriterFailed => self.writer_failed(to),
            Answer::Heard(_) => {}
        }
    }

    fn store_group(&mut self, to: Address, mut view: View, mark: usize) {
        let Some(group) = self.group(to) else { return };
        let forgets = self.bug == Some(Bug::WriterForgetsTheTry);
        let Some(writing) = self.writer(to).and_then(|writer| writer.group.as_mut()) else { return };
        writing.sent = true;
        view.resolving = writing.resolving && !forgets;
        if writing.resolving {
            self.count("group settled");
        }
        if self.bug == Some(Bug::WriterAnswersEarly) {
            let mut log = view.clone();
            let plan =
                umbel_core::store::plan::plan(std::mem::take(&mut log), group.iter().map(AsRef::as_ref));
            let head = umbel_core::Position::new(crate::store::count(mark));
            let outcomes = plan.outcomes.into_iter().map(|one| one.map(|planned| planned.at(head))).collect();
            self.tell(to, outcomes);
        }
        self.send(to, Request::Commit { group, view: Box::new(view), mark });
    }

    fn finish(&mut self, to: Address, outcomes: Vec<Outcome>) {
        self.tell(to, outcomes);
        if let Some(writer) = self.writer(to) {
            writer.group = None;
        }
        self.after(0, Event::Write { to });
    }

    /// Callers are told, in their order.
    fn tell(&mut self, to: Address, outcomes: Vec<Outcome>) {
        let Some(writing) = self.writer(to).and_then(|writer| writer.group.as_ref()) else { return };
        let waiting = writing.waiting.clone();
        for (Waiting { intent, number, .. }, outcome) in waiting.into_iter().zip(outcomes) {
            self.reply(intent, number, Reply::Outcome(Box::new(outcome)));
        }
    }

    /// Whatever it was, the group is looked up again; after too many failures its callers are told what is known.
    fn writer_failed(&mut self, to: Address) {
        let settle_max = self.shape.settle_max;
        let Some(writing) = self.writer(to).and_then(|writer| writer.group.as_mut()) else { return };
        writing.failures += 1;
        writing.resolving |= writing.sent;
        if writing.failures <= settle_max {
            self.look_up(to);
            return;
        }
        let reply = if writing.sent { Reply::Unknown } else { Reply::Refused };
        let waiting = std::mem::take(&mut writing.waiting);
        for Waiting { intent, number, .. } in waiting {
            self.reply(intent, number, reply.clone());
        }
        if let Some(writer) = self.writer(to) {
            writer.group = None;
        }
        self.count("group given up");
        self.after(0, Event::Write { to });
    }
}
