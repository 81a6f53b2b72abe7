//! Between workers and the store: requests are carried out, or not, and answered, or not.

use umbel_core::subscription::{Effect, Input};

use super::World;
use crate::{
    oracle::Broken,
    schedule::{Address, Answer, Event, Part, Request},
    store::Kept,
};

impl World {
    /// A worker asks the store. What becomes of that is decided here: it may never get there, it may be carried out without a word,
    /// and it may be carried out after its sender was told that it failed.
    pub(super) fn send(&mut self, from: Address, request: Request) {
        let there = self.delay() + self.long_way();
        let failure = failure_of(&request);
        let faults = self.shape.faults;
        if self.chances.faults.happens(faults.before_commit) {
            self.say(|| format!("{from}: this will not reach the store: {request}"));
            self.count("lost request");
            self.after(there, Event::Answer { to: from, answer: failure });
            return;
        }
        let answered = !self.chances.faults.happens(faults.after_commit);
        if !answered {
            self.say(|| format!("{from}: the answer to this will be lost: {request}"));
            self.count("lost answer");
            let noticed = if self.chances.faults.one_in(4) { self.delay() } else { there + self.delay() };
            self.after(noticed, Event::Answer { to: from, answer: failure });
        }
        self.after(there, Event::Reach { from, request, answered });
    }

    fn long_way(&mut self) -> u64 {
        let long = self.chances.faults.happens(self.shape.faults.long_request);
        if long { self.chances.delays.between(2000, 8000) } else { 0 }
    }

    /// A request reaches the store.
    pub(super) fn reach(&mut self, from: Address, request: Request, answered: bool) -> Result<(), Broken> {
        // Of somebody who is gone meanwhile it may have been on its way already, or not.
        if !self.is_there(from) && self.chances.faults.one_in(2) {
            return Ok(());
        }
        self.say(|| format!("store for {from}: {request}"));
        let answer = match request {
            Request::Look(group) => {
                let (view, mark) = self.store.log.look(group.iter().map(AsRef::as_ref), self.now);
                Answer::Looked(Box::new(view), mark)
            }
            Request::Commit { group, view, mark } => {
                let group = group.iter().map(AsRef::as_ref);
                let outcomes = self.store.log.commit((*view, mark), group, self.now);
                self.oracle.committed(&self.store.log)?;
                if self.store.log.entries.len() > mark {
                    self.announce_to_all();
                }
                Answer::Committed(outcomes)
            }
            Request::Keep { subscription, node, effect } => {
                let most = self.chances.delays.between(1, 40);
                let kept = &mut self.store.subscriptions[subscription];
                let before: Vec<_> = kept.partitions.clone();
                let Some(heard) = kept.execute(&self.store.log, &effect, self.now, most) else {
                    return Ok(());
                };
                self.judge(subscription, &effect, &heard)?;
                if let Effect::Save(checkpoints) = &effect {
                    for (number, (before, after)) in
                        (0..).zip(before.iter().zip(&self.store.subscriptions[subscription].partitions))
                    {
                        let Kept { epoch, owner, checkpoint, .. } = *before;
                        let by_owner = owner.is_none_or(|(owner, _)| owner == node)
                            && checkpoints.iter().any(|one| (one.partition, one.epoch) == (number, epoch));
                        if after.checkpoint != checkpoint && !by_owner {
                            return Err(format!(
                                "checkpoint: partition {number} of subscription {subscription} is moved by {node}, \
                                 which is not the owner: {checkpoints:?}, {before:?}"
                            ));
                        }
                    }
                }
                Answer::Heard(heard)
            }
        };
        if answered {
            let back = self.delay();
            self.after(back, Event::Answer { to: from, answer });
        }
        Ok(())
    }

    /// The oracle looks at what the store did.
    fn judge(&mut self, subscription: usize, effect: &Effect<u64>, heard: &Input<u64>) -> Result<(), Broken> {
        let kept = &self.store.subscriptions[subscription];
        let books = &mut self.oracle.subscriptions[subscription];
        match effect {
            Effect::Fetch { after, .. } => books.read(&self.oracle.log, *after, heard)?,
            Effect::Save(_) => books.stored(&self.oracle.log, kept)?,
            Effect::Park(_) => books.parked(kept),
            _ => {}
        }
        match heard {
            Input::Saved { refused } if !refused.is_empty() => self.count("refused checkpoint"),
            Input::Parked { refused } if !refused.is_empty() => self.count("refused letter"),
            Input::Settled { refused, .. } if !refused.is_empty() => self.count("refused settling"),
            Input::Settled { free, .. } if !free.is_empty() => self.count("freed key"),
            Input::Letters { due, .. } if !due.is_empty() => self.count("due letter"),
            Input::ParkedKeys { keys, .. } if !keys.is_empty() => self.count("key found parked"),
            _ => {}
        }
        Ok(())
    }

    /// Whether this incarnation still is.
    fn is_there(&mut self, address: Address) -> bool {
        let Some(process) = &mut self.nodes[address.node].process else { return false };
        match address.part {
            Part::Writer => process.writer(address.incarnation).is_some(),
            Part::Runner(subscription) => process.runner(subscription, address.incarnation).is_some(),
        }
    }

    /// A worker hears an answer.
    pub(super) fn answer(&mut self, to: Address, answer: Answer) -> Result<(), Broken> {
        if !self.is_there(to) {
            return Ok(());
        }
        match (to.part, answer) {
            (Part::Writer, answer) => {
                self.writer_hears(to, answer);
                Ok(())
            }
            (Part::Runner(_), Answer::Heard(input)) => self.runner_hears(to, input),
            (Part::Runner(_), other) => Err(format!("a runner hears {other:?}")),
        }
    }

    /// Every node is told how far the log goes, unless that is lost; some are told twice, or late.
    fn announce_to_all(&mut self) {
        let head = self.store.log.head();
        for node in 0..self.nodes.len() {
            let faults = self.shape.faults;
            if self.chances.faults.happens(faults.lost) {
                self.count("lost announcement");
                continue;
            }
            let times = if self.chances.faults.happens(faults.doubled) { 2 } else { 1 };
            for _ in 0..times {
                let after = self.delay() + self.lateness();
                self.after(after, Event::Announce { node, head });
            }
        }
    }
}

/// What a worker hears when a request failed, or it is unknown whether it did.
fn failure_of(request: &Request) -> Answer {
    let Request::Keep { effect, .. } = request else { return Answer::WriterFailed };
    Answer::Heard(match effect {
        Effect::Lease(_) => Input::LeaseFailed,
        Effect::LoadParked { partition, epoch } => {
            Input::ParkedKeysFailed { partition: *partition, epoch: *epoch }
        }
        Effect::Fetch { .. } => Input::FetchFailed,
        Effect::Save(_) => Input::SaveFailed,
        Effect::Park(_) => Input::ParkFailed,
        Effect::TakeLetters { .. } => Input::LettersFailed,
        Effect::Settle(_) => Input::SettleFailed,
        _ => Input::Tick,
    })
}
