//! A store as its port describes it, with its own clock.

use std::collections::{BTreeMap, BTreeSet};

use super::{Broken, Bug, Random};
use crate::{
    store::{Checkpoint, Failure, KeepLeases, Lease, LeaseState, Leases},
    subscription::{Due, Effect, Input, Item, Key, Millis, NodeId, Parking, SettledLetter, Settling},
    version::Place,
};

/// What is kept of a partition.
#[derive(Default)]
pub(in crate::subscription::tests) struct Kept {
    pub(super) epoch: u64,
    pub(super) owner: Option<(NodeId, Millis)>,
    pub(super) checkpoint: Place,
    pub(super) handled: Place,
    pub(super) letters: BTreeMap<Place, Letter>,
}

/// A dead letter.
pub(super) struct Letter {
    key: Key,
    failure: Option<Failure>,
    retry: bool,
}

/// The store.
pub(in crate::subscription::tests) struct Store {
    /// The key of each event, and whether the subscription selects it.
    pub(super) log: Vec<(Key, bool)>,
    pub(super) paused: bool,
    pub(super) partitions: Vec<Kept>,
    members: BTreeMap<NodeId, Millis>,
    bug: Option<Bug>,
}

impl Kept {
    fn owner(&self, now: Millis) -> Option<NodeId> {
        self.owner.filter(|(_, until)| *until > now).map(|(node, _)| node)
    }

    /// The first letter of each key, if it is due.
    fn due(&self) -> Vec<(Place, &Letter)> {
        let mut seen = BTreeSet::new();
        let firsts = self.letters.iter().filter(|(_, letter)| seen.insert(letter.key));
        firsts
            .filter(|(_, one)| one.retry || one.failure.is_none())
            .map(|(place, one)| (*place, one))
            .collect()
    }
}

impl Store {
    pub(super) fn new(partitions: u32, bug: Option<Bug>) -> Self {
        let partitions = (0..partitions).map(|_| Kept::default()).collect();
        Self { log: Vec::new(), paused: false, partitions, members: BTreeMap::new(), bug }
    }

    pub(super) fn head(&self) -> Place {
        Place::new(u64::try_from(self.log.len()).unwrap())
    }

    fn events(&self) -> impl Iterator<Item = (Place, Key)> {
        let places = (1..).map(Place::new);
        places.zip(&self.log).filter(|(_, (_, selected))| *selected).map(|(place, (key, _))| (place, *key))
    }

    /// The places of the events of a key that are selected.
    pub(super) fn events_of(&self, key: Key) -> impl Iterator<Item = Place> {
        self.events().filter(move |(_, other)| *other == key).map(|(place, _)| place)
    }

    /// Events that are selected and not over.
    pub(super) fn open(&self, done: &BTreeSet<Place>) -> usize {
        self.events().filter(|(place, _)| !done.contains(place)).count()
    }

    pub(super) fn letters(&self) -> usize {
        self.partitions.iter().map(|kept| kept.letters.len()).sum()
    }

    fn kept(&mut self, partition: u32) -> &mut Kept {
        &mut self.partitions[usize::try_from(partition).unwrap()]
    }

    fn is_current(&mut self, partition: u32, epoch: u64) -> bool {
        self.bug == Some(Bug::EpochIsNotChecked) || self.kept(partition).epoch == epoch
    }

    /// Carries out a request of a node; it reads at most `most` events.
    pub(super) fn execute(
        &mut self,
        effect: &Effect<u64>,
        node: NodeId,
        now: Millis,
        most: u32,
        done: &BTreeSet<Place>,
    ) -> Result<Input<u64>, Broken> {
        Ok(match effect {
            Effect::Lease(wanted) => Input::Leased(self.lease(wanted, now)),
            Effect::LoadParked { partition, epoch } => {
                let keys: BTreeSet<_> =
                    self.kept(*partition).letters.values().map(|letter| letter.key).collect();
                let keys = keys.into_iter().collect();
                Input::ParkedKeys { partition: *partition, epoch: *epoch, keys }
            }
            Effect::Fetch { after, limit } => self.fetch(*after, *limit, most),
            Effect::Save(checkpoints) => Input::Saved { refused: self.save(checkpoints, node, done)? },
            Effect::Park(letters) => Input::Parked { refused: self.park(letters) },
            Effect::TakeLetters { partitions, limit } => self.letters_due(partitions, *limit),
            Effect::Settle(settled) => self.settle(settled),
            other => return Err(format!("{other:?} is no request")),
        })
    }

    fn lease(&mut self, wanted: &KeepLeases, now: Millis) -> Leases {
        let until = now + wanted.lease_ms;
        if wanted.leave {
            self.members.remove(&wanted.node);
        } else {
            self.members.insert(wanted.node, until);
        }
        self.members.retain(|_, until| *until > now);
        for Lease { partition, epoch } in &wanted.release {
            let kept = self.kept(*partition);
            if kept.epoch == *epoch {
                kept.owner = None;
            }
        }
        if wanted.leave {
            let own = |kept: &&mut Kept| kept.owner.is_some_and(|(owner, _)| owner == wanted.node);
            self.partitions.iter_mut().filter(own).for_each(|kept| kept.owner = None);
        }
        for Lease { partition, epoch } in &wanted.hold {
            let kept = self.kept(*partition);
            if kept.epoch == *epoch {
                kept.owner = Some((wanted.node, until));
            }
        }
        for partition in &wanted.claim {
            let kept = self.kept(*partition);
            if kept.owner(now).is_none() {
                kept.epoch += 1;
                kept.owner = Some((wanted.node, until));
            }
        }
        let states = (0..).zip(&self.partitions).map(|(partition, kept)| LeaseState {
            partition,
            epoch: kept.epoch,
            owner: kept.owner(now),
            checkpoint: kept.checkpoint,
            handled: kept.handled,
            letters: u64::try_from(kept.letters.len()).unwrap(),
            due: !kept.due().is_empty(),
            abandoned: Default::default(),
        });
        Leases {
            gone: false,
            paused: self.paused,
            resets: 0,
            members: u32::try_from(self.members.len()).unwrap(),
            partitions: states.collect(),
        }
    }

    fn fetch(&self, after: Place, limit: u32, most: u32) -> Input<u64> {
        let upto = self.head().min(after.plus(u64::from(most)));
        let between = self.events().filter(|(place, _)| *place > after && *place <= upto);
        let limit = usize::try_from(limit).unwrap();
        let items: Vec<_> =
            between.take(limit).map(|(place, key)| Item { place, key, event: place.get() }).collect();
        let full = items.len() == limit;
        let scanned_to = items.last().filter(|_| full).map_or(upto, |item| item.place);
        Input::Fetched { items, scanned_to, head: self.head() }
    }

    fn save(
        &mut self,
        checkpoints: &[Checkpoint],
        node: NodeId,
        done: &BTreeSet<Place>,
    ) -> Result<Vec<u32>, Broken> {
        let mut refused = Vec::new();
        let count = u32::try_from(self.partitions.len()).unwrap();
        for one in checkpoints {
            if !self.is_current(one.partition, one.epoch) {
                refused.push(one.partition);
                continue;
            }
            let kept = self.kept(one.partition);
            if kept.checkpoint >= one.place {
                continue;
            }
            // A lease that ran out and that nobody has taken is its owner's still.
            if kept.epoch != one.epoch || kept.owner.is_some_and(|(owner, _)| owner != node) {
                return Err(format!("{one:?} is moved by {node}, which is not the owner"));
            }
            kept.checkpoint = one.place;
            kept.handled = kept.handled.max(one.place);
            let kept = &self.partitions[usize::try_from(one.partition).unwrap()];
            let of_it = self
                .events()
                .filter(|(place, key)| *place <= one.place && key.partition(count) == one.partition);
            let over = |place: &Place| done.contains(place) || kept.letters.contains_key(place);
            if let Some((place, _)) = of_it.into_iter().find(|(place, _)| !over(place)) {
                return Err(format!("{one:?} is saved, and {place} is not done"));
            }
        }
        Ok(refused)
    }

    fn park(&mut self, letters: &[Parking<u64>]) -> Vec<u32> {
        let mut refused = BTreeSet::new();
        for one in letters {
            if !self.is_current(one.partition, one.epoch) {
                refused.insert(one.partition);
                continue;
            }
            let letter = Letter { key: one.item.key, failure: one.failure.clone(), retry: false };
            self.kept(one.partition).letters.entry(one.item.place).or_insert(letter);
        }
        refused.into_iter().collect()
    }

    fn letters_due(&self, partitions: &[u32], limit: u32) -> Input<u64> {
        let due = self.take(partitions, limit);
        let more = due.len() == usize::try_from(limit).unwrap();
        Input::Letters { due, free: Vec::new(), more }
    }

    fn take(&self, partitions: &[u32], limit: u32) -> Vec<Due<u64>> {
        let mut due = Vec::new();
        for partition in partitions {
            let kept = &self.partitions[usize::try_from(*partition).unwrap()];
            due.extend(kept.due().into_iter().map(|(place, letter)| Due {
                partition: *partition,
                item: Item { place, key: letter.key, event: place.get() },
                attempts: letter.failure.as_ref().map_or(0, |failure| failure.attempts),
                first_at: letter.failure.as_ref().map(|failure| failure.first_at),
                replay: false,
            }));
        }
        due.sort_by_key(|due| due.item.place);
        due.truncate(usize::try_from(limit).unwrap());
        due
    }

    fn settle(&mut self, settled: &[SettledLetter]) -> Input<u64> {
        let (mut refused, mut gone) = (BTreeSet::new(), BTreeSet::new());
        for one in settled {
            if !self.is_current(one.partition, one.epoch) {
                refused.insert(one.partition);
                continue;
            }
            let letters = &mut self.kept(one.partition).letters;
            match &one.settling {
                Settling::Done => {
                    gone.extend(letters.remove(&one.place).map(|letter| (one.partition, letter.key)));
                }
                Settling::Failed(failure) => {
                    if let Some(letter) = letters.get_mut(&one.place) {
                        letter.failure = Some(failure.clone());
                        letter.retry = false;
                    }
                }
            }
        }
        gone.retain(|(partition, key)| !self.kept(*partition).letters.values().any(|one| one.key == *key));
        Input::Settled { free: gone.into_iter().collect(), refused: refused.into_iter().collect() }
    }

    /// An operator asks for some letters to be tried again.
    pub(super) fn retry_some(&mut self, random: &mut Random) {
        for letter in self.partitions.iter_mut().flat_map(|kept| kept.letters.values_mut()) {
            letter.retry |= random.one_in(2);
        }
    }

    /// An operator asks for all letters to be tried again.
    pub(super) fn retry_all(&mut self) {
        for letter in self.partitions.iter_mut().flat_map(|kept| kept.letters.values_mut()) {
            letter.retry = true;
        }
    }

    /// An operator discards a letter.
    pub(super) fn discard_one(&mut self, random: &mut Random) -> Option<Place> {
        let at = random.below(self.partitions.len());
        let letters = &mut self.partitions[at].letters;
        let place = *letters.keys().nth(random.below(letters.len().max(1)))?;
        letters.remove(&place);
        Some(place)
    }
}
