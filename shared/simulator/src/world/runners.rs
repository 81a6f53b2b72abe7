//! Runners of subscriptions: they carry out what the machine says and tell it what became of it.

use std::{collections::BTreeMap, mem::discriminant};

use umbel_core::{
    Place,
    store::Checkpoint,
    subscription::{ConsumerId, Delivery, Effect, Input},
};

use super::World;
use crate::{
    bug::Bug,
    node::{Batch, Runner},
    oracle::Broken,
    schedule::{Address, Event, Part, Request},
    store::{Kept, Subscription, size},
};

impl World {
    pub(super) fn runner(&mut self, at: Address) -> Option<&mut Runner> {
        let Part::Runner(subscription) = at.part else { return None };
        self.nodes[at.node].process.as_mut()?.runner(subscription, at.incarnation)
    }

    fn subscription(at: Address) -> usize {
        match at.part {
            Part::Runner(subscription) => subscription,
            Part::Writer => 0,
        }
    }

    /// The addresses of a node's runners.
    pub(super) fn runners_of(&self, node: usize) -> Vec<Address> {
        let Some(process) = &self.nodes[node].process else { return Vec::new() };
        let runners = process.runners.iter().enumerate();
        runners
            .filter_map(|(subscription, runner)| {
                let incarnation = runner.as_ref()?.incarnation;
                Some(Address { node, part: Part::Runner(subscription), incarnation })
            })
            .collect()
    }

    pub(super) fn announce(&mut self, node: usize, head: Place) -> Result<(), Broken> {
        for at in self.runners_of(node) {
            self.give(at, Input::Head(head))?;
        }
        Ok(())
    }

    pub(super) fn changed(&mut self, node: usize, subscription: usize) -> Result<(), Broken> {
        for at in self.runners_of(node).into_iter().filter(|at| at.part == Part::Runner(subscription)) {
            self.give(at, Input::Changed)?;
        }
        Ok(())
    }

    pub(super) fn runner_hears(&mut self, to: Address, input: Input<u64>) -> Result<(), Broken> {
        let Some(runner) = self.runner(to) else { return Ok(()) };
        let kind = request_kind(&input);
        if let Some(at) = runner.requests.iter().position(|request| kind.is_some_and(|is| is(request))) {
            runner.requests.remove(at);
        }
        match &input {
            Input::Leased(leases) => runner.leases = leases.partitions.clone(),
            Input::Fetched { scanned_to, .. } => runner.read_to = *scanned_to,
            _ => {}
        }
        self.give(to, input)
    }

    /// A machine takes something in, and what it says is carried out, one by one. The node may crash in between.
    pub(super) fn give(&mut self, to: Address, input: Input<u64>) -> Result<(), Broken> {
        let now = self.now;
        let Some(process) = self.nodes[to.node].process.as_mut() else { return Ok(()) };
        let clock = now - process.began;
        if self.runner(to).is_none() {
            return Ok(());
        }
        self.say(|| format!("{to} hears {input:?}"));
        let Some(runner) = self.runner(to) else { return Ok(()) };
        let effects = runner.machine.step(clock, input);
        let (buffered, letters) = (runner.machine.buffered(), runner.machine.letters_in_hand());
        let again = runner.machine.step(clock, Input::Tick);
        if !again.is_empty() {
            return Err(format!("machine: what is due was not done at once: {again:?} after {effects:?}"));
        }
        let options = &self.shape.options[Self::subscription(to)];
        let within = |many: usize, bound: u32| u32::try_from(many).is_ok_and(|many| many <= bound);
        if !within(buffered, options.buffer_max) || !within(letters, options.batch_max) {
            return Err(format!("machine: {buffered} events and {letters} letters wait, more than may"));
        }
        for effect in effects {
            if self.chances.faults.happens(self.shape.faults.crash_within) {
                self.say(|| format!("node {} crashes before {effect:?}", to.node));
                self.count("crash between effects");
                self.crash(to.node);
                return Ok(());
            }
            self.carry_out(to, effect)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, to: Address, effect: Effect<u64>) -> Result<(), Broken> {
        self.say(|| format!("  {effect:?}"));
        match effect {
            Effect::Deliver { consumer, batch } => self.deliver(to, consumer, &batch),
            Effect::Revoke { consumer, places } => self.revoke(to, consumer, &places),
            Effect::Refuse { error, .. } => Err(format!("machine: it refuses a consumer: {error}")),
            Effect::NotHeld { consumer, place } => {
                let consumer = self.runner(to).and_then(|runner| runner.consumers.get(&consumer));
                let given = consumer.is_some_and(|consumer| consumer.given.has(place));
                // Revoked before the word came.
                if given { Err(format!("machine: it does not know that {place} is held")) } else { Ok(()) }
            }
            Effect::Wake { at } => {
                let Some(process) = &self.nodes[to.node].process else { return Ok(()) };
                let at = process.began + at;
                if at <= self.now {
                    return Err(format!("machine: it wants to be woken at {at}"));
                }
                let after = at - self.now + self.lateness();
                self.after(after, Event::Wake { to });
                Ok(())
            }
            Effect::Gone => self.gone(to),
            Effect::Stopped => {
                if let Some(process) = &mut self.nodes[to.node].process {
                    process.runners[Self::subscription(to)] = None;
                }
                Ok(())
            }
            request => self.ask(to, request),
        }
    }

    /// What it runs is there no more: whoever wants to go on opens it again.
    fn gone(&mut self, to: Address) -> Result<(), Broken> {
        let subscription = Self::subscription(to);
        let Subscription { is_there, incarnation, .. } = self.store.subscriptions[subscription];
        if is_there && self.runner(to).is_some_and(|runner| runner.of == incarnation) {
            return Err(format!("machine: it takes subscription {subscription}, which is there, for gone"));
        }
        self.count("subscription deleted under its owner");
        let (node, life, after) = (to.node, self.nodes[to.node].life, self.delay());
        self.after(after, Event::Open { node, life, subscription });
        Ok(())
    }

    fn ask(&mut self, to: Address, request: Effect<u64>) -> Result<(), Broken> {
        self.note(&request);
        let bug = self.bug;
        let Some(process) = &self.nodes[to.node].process else { return Ok(()) };
        let node = process.id;
        let Some(runner) = self.runner(to) else { return Ok(()) };
        // A partition that was lost and won again is looked up again, whatever becomes of the first answer.
        let twice = runner.requests.iter().any(|other| discriminant(other) == discriminant(&request))
            && !matches!(request, Effect::LoadParked { .. });
        if twice {
            return Err(format!("machine: one is under way already: {request:?}"));
        }
        runner.requests.push(request.clone());
        let mut effect = request;
        if let Effect::Save(checkpoints) = &mut effect {
            for Checkpoint { place, .. } in checkpoints.iter_mut() {
                if bug == Some(Bug::CheckpointTooEarly) {
                    *place = runner.read_to.max(*place);
                }
            }
        }
        self.send(to, Request::Keep { subscription: Self::subscription(to), node, effect });
        Ok(())
    }

    fn note(&mut self, request: &Effect<u64>) {
        match request {
            Effect::Fetch { .. } | Effect::Save(_) => self.traffic += 1,
            Effect::Lease(wanted) if !wanted.release.is_empty() && !wanted.leave => {
                self.count("partition given back");
            }
            Effect::Park(letters) if letters.iter().any(|one| one.failure.is_none()) => {
                self.count("event parked behind a letter");
            }
            _ => {}
        }
    }

    /// Events are somebody else's now. What is on its way is taken back; what is in the consumer's hands it may handle all the same.
    fn revoke(&mut self, to: Address, id: ConsumerId, places: &[Place]) -> Result<(), Broken> {
        self.count("revoked event");
        let notices = self.chances.consumers.one_in(2);
        let consumer = self.runner(to).and_then(|runner| runner.consumers.get_mut(&id));
        let consumer = consumer.ok_or("machine: it revokes from a stranger")?;
        for place in places {
            if consumer.given.revoke(*place).is_none() {
                return Err(format!("machine: it revokes {place}, which is not held"));
            }
            for batch in &mut consumer.inbox {
                batch.epochs.remove(place);
            }
            if notices {
                consumer.hands.retain(|at, _| at != *place);
            }
        }
        Ok(())
    }

    fn deliver(&mut self, to: Address, id: ConsumerId, batch: &[Delivery<u64>]) -> Result<(), Broken> {
        let subscription = Self::subscription(to);
        let capacity = self.shape.capacity;
        let books = &self.oracle.subscriptions[subscription];
        let again = batch.iter().any(|one| books.is_over(one.item.place));
        let Subscription { partitions: kept, resets, .. } = &self.store.subscriptions[subscription];
        let now = self.now;
        let Some(process) = self.nodes[to.node].process.as_mut() else { return Ok(()) };
        let node = process.id;
        let Some(runner) = process.runner(subscription, to.incarnation) else { return Ok(()) };
        if runner.stopping {
            return Err("machine: it is stopping and still sends".into());
        }
        let epochs: Vec<_> = runner.machine.owned().collect();
        let (number, mut of) = (runner.batches + 1, BTreeMap::new());
        for Delivery { item, letter, replay, resets: told, .. } in batch {
            let mut others = runner.consumers.iter().filter(|(other, _)| **other != id);
            if others.any(|(_, other)| other.given.has_of(item.key)) {
                return Err(format!("machine: {item:?} is sent, and another consumer holds of its key"));
            }
            let partition = item.key.partition(runner.partitions);
            let lease = epochs.iter().find(|lease| lease.partition == partition);
            let epoch = lease.ok_or("machine: it sends of a partition that it does not own")?.epoch;
            let Kept { owner, epoch: current, .. } = kept.get(size(partition)).copied().unwrap_or_default();
            let leased = current == epoch && owner.is_some_and(|(owner, until)| owner == node && until > now);
            if !leased && !books.is_stale(item.key, epoch) {
                return Err(format!(
                    "lease: {} is sent under epoch {epoch} of partition {partition}, which stands at {current}: {owner:?}",
                    item.place
                ));
            }
            // A checkpoint of a former life may have arrived since the store last told how all stands: it need not be known here.
            let told_of =
                runner.leases.iter().find(|state| (state.partition, state.epoch) == (partition, epoch));
            let handled = told_of.map(|state| state.handled).unwrap_or_default();
            // What has become a letter may have been parked by another lease, and the mark has passed it since.
            let is_replay = if *letter { *replay } else { item.place <= handled };
            if leased
                && (*told != *resets || *replay != is_replay || is_replay && !books.was_over(item.place))
            {
                return Err(format!(
                    "replay: {} is sent as of reset {told}, a replay: {replay}; there were {resets} resets, and {handled} was reached",
                    item.place
                ));
            }
            let consumer = runner.consumers.get(&id).ok_or("machine: it sends to a stranger")?;
            if consumer.given.has(item.place) || of.insert(item.place, epoch).is_some() {
                return Err(format!("machine: {} is sent twice to one consumer", item.place));
            }
        }
        runner.batches = number;
        let consumer = runner.consumers.get_mut(&id).ok_or("machine: it sends to a stranger")?;
        consumer.given.send(number, batch, &());
        consumer.inbox.push_back(Batch { number, deliveries: batch.to_vec(), epochs: of });
        let held = consumer.given.len();
        if !u32::try_from(held).is_ok_and(|held| held <= capacity) {
            return Err(format!("machine: {id:?} is given {held} events, more than it can hold"));
        }
        if again {
            self.count("redelivery");
        }
        if batch.iter().any(|one| one.attempt > 1) {
            self.count("retry");
        }
        self.make_busy(to, id);
        Ok(())
    }
}

/// Of which kind the request was that this answers.
fn request_kind(input: &Input<u64>) -> Option<fn(&Effect<u64>) -> bool> {
    Some(match input {
        Input::Leased(_) | Input::LeaseFailed => |one| matches!(one, Effect::Lease(_)),
        Input::ParkedKeys { .. } | Input::ParkedKeysFailed { .. } => {
            |one| matches!(one, Effect::LoadParked { .. })
        }
        Input::Fetched { .. } | Input::FetchFailed => |one| matches!(one, Effect::Fetch { .. }),
        Input::Saved { .. } | Input::SaveFailed => |one| matches!(one, Effect::Save(_)),
        Input::Parked { .. } | Input::ParkFailed => |one| matches!(one, Effect::Park(_)),
        Input::Letters { .. } | Input::LettersFailed => |one| matches!(one, Effect::TakeLetters { .. }),
        Input::Settled { .. } | Input::SettleFailed => |one| matches!(one, Effect::Settle(_)),
        _ => return None,
    })
}
