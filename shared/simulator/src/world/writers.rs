//! The writer's protocol: look up what must be known to plan a group, have it stored if the log still stands there, and settle
//! what is unknown by trying again with the same ids, as [`Resolution`] says.

use std::{rc::Rc, time::Duration};

use umbel_core::store::{
    plan::View,
    resolution::{Attempt, Next, Resolution},
};

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

    /// The next group, if none is under way; one that waits to be tried again, if it is time.
    pub(super) fn write(&mut self, to: Address) {
        let (group_max, now) = (self.shape.group_max, self.now);
        let resolution = Resolution::new(Duration::from_millis(self.shape.outage_limit));
        let Some(writer) = self.writer(to) else { return };
        if let Some(writing) = &mut writer.group {
            if writing.again_at.take_if(|at| *at <= now).is_some() {
                self.look_up(to);
            }
            return;
        }
        if writer.queue.is_empty() {
            return;
        }
        let most = group_max.min(writer.queue.len());
        let waiting: Vec<_> = writer.queue.drain(..most).collect();
        writer.group = Some(Writing { waiting, resolution, resolving: false, sent: false, again_at: None });
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

    /// An attempt has failed, or nobody knows. Where it could not even be looked up what to plan on, the store was not asked.
    fn writer_failed(&mut self, to: Address) {
        let (now, bug) = (Duration::from_millis(self.now), self.bug);
        let Some(writing) = self.writer(to).and_then(|writer| writer.group.as_mut()) else { return };
        let sent = std::mem::take(&mut writing.sent);
        let came = match bug {
            Some(Bug::WriterTakesSilenceForNo) => Attempt::Refused { transient: true, of_one: false },
            _ if sent => Attempt::InDoubt,
            _ => Attempt::NotAsked { transient: true },
        };
        let reply = match writing.resolution.next(now, came) {
            Next::Again { at } => {
                writing.resolving = true;
                let at = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
                writing.again_at = Some(at);
                self.after(at - self.now, Event::Write { to });
                return;
            }
            Next::GiveUp => {
                self.count("group given up");
                Reply::Unknown
            }
            Next::Refuse | Next::Singly { .. } | Next::Tell => {
                self.count("group refused");
                Reply::Refused
            }
        };
        let Some(writing) = self.writer(to).and_then(|writer| writer.group.take()) else { return };
        for Waiting { intent, number, .. } in writing.waiting {
            self.reply(intent, number, reply.clone());
        }
        self.after(0, Event::Write { to });
    }
}
