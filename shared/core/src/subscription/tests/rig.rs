//! A machine on a bench: what it asks for is remembered, and answered when an example says so.

use uuid::Uuid;

use crate::{
    store::{Checkpoint, KeepLeases, LeaseState, Leases},
    subscription::{
        ConsumerId, Due, Effect, Input, Item, Key, Machine, Millis, NodeId, Options, SubscriptionName,
        Verdict,
    },
    time::Timestamp,
    version::Place,
};

pub(super) const NODE: NodeId = NodeId(Uuid::from_u128(1));
/// Which subscription of its name it is.
pub(super) const INCARNATION: u64 = 7;
pub(super) const OTHER: NodeId = NodeId(Uuid::from_u128(2));
pub(super) const A: ConsumerId = ConsumerId(1);
pub(super) const B: ConsumerId = ConsumerId(2);
pub(super) const C: ConsumerId = ConsumerId(3);

/// A machine and what it did last.
pub(super) struct Rig {
    pub(super) machine: Machine<u64>,
    pub(super) now: Millis,
    pub(super) effects: Vec<Effect<u64>>,
}

pub(super) fn options() -> Options {
    let name = SubscriptionName::new("test.rig").unwrap();
    Options { consumers_max: 3, ..Options::new(name) }
}

pub(super) fn place(number: u64) -> Place {
    Place::new(number)
}

pub(super) fn key(text: &str) -> Key {
    Key::of(text)
}

/// How all partitions stand when one node has them all.
pub(super) fn leases(partitions: u32, owner: Option<NodeId>, epoch: u64) -> Leases {
    let state = |partition| LeaseState {
        partition,
        epoch,
        owner,
        checkpoint: Place::START,
        handled: Place::START,
        letters: 0,
        due: false,
        abandoned: Default::default(),
    };
    Leases { members: 1, partitions: (0..partitions).map(state).collect(), ..Leases::default() }
}

impl Rig {
    /// A machine that has done nothing yet.
    pub(super) fn idle(options: Options) -> Self {
        Self { machine: Machine::new(options, NODE, INCARNATION), now: 10_000, effects: Vec::new() }
    }

    /// A machine that owns all partitions and has not read yet.
    pub(super) fn new(options: Options) -> Self {
        let partitions = options.partitions;
        let mut rig = Self::idle(options);
        rig.tell(Input::Tick);
        rig.tell(Input::Leased(leases(partitions, None, 0)));
        assert_eq!(rig.lease().claim.len(), usize::try_from(partitions).unwrap());
        rig.tell(Input::Leased(leases(partitions, Some(NODE), 1)));
        rig
    }

    /// The same with consumers of these capacities, to whom this part of the log was offered, from place 1 on.
    pub(super) fn with(options: Options, capacities: &[u32], log: &[&str]) -> Self {
        let mut rig = Self::new(options);
        let mut effects = Vec::new();
        for (number, capacity) in (1..).zip(capacities) {
            rig.join(ConsumerId(number), *capacity);
            effects.append(&mut rig.effects);
        }
        rig.effects = effects;
        assert_eq!(rig.fetch(), Some(Place::START));
        rig.fetched(1, log);
        rig
    }

    pub(super) fn tell(&mut self, input: Input<u64>) -> &[Effect<u64>] {
        self.effects = self.machine.step(self.now, input);
        &self.effects
    }

    pub(super) fn after(&mut self, millis: Millis) -> &[Effect<u64>] {
        self.now += millis;
        self.tell(Input::Tick)
    }

    pub(super) fn join(&mut self, consumer: ConsumerId, capacity: u32) {
        self.tell(Input::Join { consumer, capacity });
    }

    pub(super) fn leave(&mut self, consumer: ConsumerId) {
        self.tell(Input::Leave { consumer });
    }

    pub(super) fn ack(&mut self, consumer: ConsumerId, number: u64) -> &[Effect<u64>] {
        self.tell(Input::Ack { consumer, place: place(number) })
    }

    pub(super) fn fail(&mut self, consumer: ConsumerId, number: u64, verdict: Verdict) {
        let at = Timestamp::from_micros(i64::try_from(self.now).unwrap());
        self.tell(Input::Fail { consumer, place: place(number), verdict, error: "no".into(), at });
    }

    /// What was asked for is read: events of these keys, the first at `from`, and no more are there.
    pub(super) fn fetched(&mut self, from: u64, keys: &[&str]) {
        let items: Vec<_> = (from..)
            .zip(keys)
            .map(|(at, text)| Item { place: place(at), key: key(text), event: at })
            .collect();
        let head = items.last().map_or(place(from - 1), |item| item.place);
        self.tell(Input::Fetched { items, scanned_to: head, head });
    }

    /// These letters are due, and no others.
    pub(super) fn letters(&mut self, due: Vec<Due<u64>>) {
        self.tell(Input::Letters { due, free: Vec::new(), more: false });
    }

    /// What was sent last: to whom, and which places.
    pub(super) fn sent(&self) -> Vec<(ConsumerId, Vec<u64>)> {
        let sent = self.effects.iter().filter_map(|effect| match effect {
            Effect::Deliver { consumer, batch } => {
                Some((*consumer, batch.iter().map(|one| one.item.place.get()).collect()))
            }
            _ => None,
        });
        sent.collect()
    }

    /// Behind which place it reads, if it began to just now.
    pub(super) fn fetch(&self) -> Option<Place> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Fetch { after, .. } => Some(*after),
            _ => None,
        })
    }

    /// The checkpoints it saves, if it began to just now.
    pub(super) fn saves(&self) -> Option<Vec<u64>> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Save(checkpoints) => {
                Some(checkpoints.iter().map(|one: &Checkpoint| one.place.get()).collect())
            }
            _ => None,
        })
    }

    /// The leases it asks for.
    pub(super) fn lease(&self) -> KeepLeases {
        let lease = self.effects.iter().find_map(|effect| match effect {
            Effect::Lease(wanted) => Some(wanted.clone()),
            _ => None,
        });
        lease.unwrap_or_else(|| panic!("it asks for no leases: {:?}", self.effects))
    }

    pub(super) fn stopped(&self) -> bool {
        self.effects.contains(&Effect::Stopped)
    }
}
