//! A node of the world: a machine, its consumers, and the requests that are on their way.

use std::{
    collections::{BTreeMap, HashSet},
    mem::discriminant,
};

use uuid::Uuid;

use super::{Broken, Bug, is_request};
use crate::{
    subscription::{ConsumerId, Effect, Input, Key, Machine, Millis, NodeId, Options},
    version::Place,
};

/// What became of a request.
pub(super) enum Outcome {
    Answer(Input<u64>),
    Failed,
}

/// A request on its way.
pub(super) struct Op {
    pub(super) effect: Effect<u64>,
    pub(super) outcome: Option<Outcome>,
    /// Until when it is on its way at least.
    pub(super) earliest: Option<Millis>,
}

/// What a consumer holds: the key of each, and whether it is a letter.
pub(super) type Held = BTreeMap<Place, (Key, bool)>;

/// A node.
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) machine: Machine<u64>,
    pub(super) ops: Vec<Op>,
    pub(super) consumers: BTreeMap<ConsumerId, Held>,
    pub(super) wake: Option<Millis>,
    pub(super) frozen_until: Millis,
    pub(super) stopping: bool,
    pub(super) stopped: bool,
    pub(super) fetches: u32,
    pub(super) saves: u32,
    saved: BTreeMap<(u32, u64), Place>,
}

impl Node {
    pub(super) fn new(born: u128, options: Options, bug: Option<Bug>) -> Self {
        let id = NodeId(Uuid::from_u128(born));
        let mut machine = Machine::new(options, id, 0);
        machine.bug = bug;
        Self {
            id,
            machine,
            ops: Vec::new(),
            consumers: BTreeMap::new(),
            wake: Some(0),
            frozen_until: 0,
            stopping: false,
            stopped: false,
            fetches: 0,
            saves: 0,
            saved: BTreeMap::new(),
        }
    }

    /// Takes something in and keeps what comes out of it.
    pub(super) fn take_in(
        &mut self,
        now: Millis,
        input: Input<u64>,
        options: &Options,
    ) -> Result<Vec<Effect<u64>>, Broken> {
        self.stopping |= matches!(input, Input::Stop | Input::StopNow);
        if self.wake.is_some_and(|at| at <= now) {
            self.wake = None;
        }
        let effects = self.machine.step(now, input);
        for effect in &effects {
            self.keep(now, effect)?;
        }
        let bound = usize::try_from(options.buffer_max).unwrap();
        if self.machine.buffered() > bound {
            return Err(format!("{} events wait and {bound} may", self.machine.buffered()));
        }
        if self.machine.letters_in_hand() > usize::try_from(options.batch_max).unwrap() {
            return Err(format!("{} letters are in hand", self.machine.letters_in_hand()));
        }
        let again = self.machine.step(now, Input::Tick);
        if !again.is_empty() && !self.stopped {
            return Err(format!("what is due now was not done at once: {again:?}"));
        }
        Ok(effects)
    }

    fn keep(&mut self, now: Millis, effect: &Effect<u64>) -> Result<(), Broken> {
        if self.stopped {
            return Err(format!("it has stopped and still wants {effect:?}"));
        }
        match effect {
            Effect::Deliver { consumer, batch } => {
                if self.stopping {
                    return Err("it is stopping and still sends".into());
                }
                let keys: HashSet<_> = batch.iter().map(|one| one.item.key).collect();
                let elsewhere = self.consumers.iter().filter(|(other, _)| *other != consumer);
                if elsewhere.flat_map(|(_, held)| held.values()).any(|(key, _)| keys.contains(key)) {
                    return Err(format!(
                        "{batch:?} is sent to {consumer:?} and another one holds of its keys"
                    ));
                }
                let held = self.consumers.get_mut(consumer).ok_or("it sends to a stranger")?;
                for one in batch {
                    if held.insert(one.item.place, (one.item.key, one.letter)).is_some() {
                        return Err(format!("{} is sent twice to one consumer", one.item.place));
                    }
                }
            }
            Effect::Revoke { consumer, places } => {
                let held = self.consumers.get_mut(consumer).ok_or("it revokes from a stranger")?;
                for place in places {
                    held.remove(place).ok_or("it revokes what was not held")?;
                }
            }
            Effect::Refuse { error, .. } => return Err(format!("it refuses a consumer: {error}")),
            Effect::NotHeld { place, .. } => return Err(format!("it does not know that {place} is held")),
            Effect::Wake { at } if *at <= now => return Err(format!("it wants to be woken at {at}")),
            Effect::Wake { at } => self.wake = Some(*at),
            Effect::Stopped => self.stopped = true,
            request => {
                self.count(request)?;
                let kind = |op: &Op| match (&op.effect, request) {
                    (Effect::LoadParked { partition: a, .. }, Effect::LoadParked { partition: b, .. }) => {
                        a == b
                    }
                    (other, request) => discriminant(other) == discriminant(request),
                };
                // A partition that was lost and won again is looked up again, whatever becomes of the first answer.
                let twice = self.ops.iter().any(kind) && !matches!(request, Effect::LoadParked { .. });
                if twice || !is_request(request) {
                    return Err(format!("one is under way already: {request:?}"));
                }
                self.ops.push(Op { effect: request.clone(), outcome: None, earliest: None });
            }
        }
        Ok(())
    }

    fn count(&mut self, request: &Effect<u64>) -> Result<(), Broken> {
        match request {
            Effect::Fetch { .. } => self.fetches += 1,
            Effect::Save(checkpoints) => {
                self.saves += 1;
                for one in checkpoints {
                    let before = self.saved.insert((one.partition, one.epoch), one.place);
                    if before.is_some_and(|before| before > one.place) {
                        return Err(format!("it saves {one:?} after {before:?}"));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// What a node hears when a request failed.
pub(super) fn failure_of(effect: &Effect<u64>) -> Input<u64> {
    match effect {
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
    }
}
