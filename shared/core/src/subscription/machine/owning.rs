//! Which partitions are ours: asking for leases, and what their answers change.

use std::collections::BTreeMap;

use super::{Machine, stopping::Stopping};
use crate::{
    store::{KeepLeases, Lease, LeaseState, Leases},
    subscription::{
        ConsumerId, Effect, Millis,
        leases::{Owned, Plan, plan},
        partition::Partition,
    },
    version::Place,
};

/// A request for leases that is under way.
#[derive(Debug)]
pub(super) struct Asked {
    at: Millis,
    /// What it renews or claims: what of it is ours lasts from that moment on.
    wanted: Vec<u32>,
    /// What of that it claims.
    claimed: Vec<u32>,
    pub(super) leaving: bool,
}

impl<E: Clone> Machine<E> {
    /// Asks when it is time.
    pub(super) fn ask_for_leases(&mut self) {
        let leaving = self.stopping == Stopping::Leaving;
        if !self.options.durable
            || self.stopping == Stopping::Over
            || !self.lease.may_start(self.now)
            || (!leaving && self.now < self.next_ask)
        {
            return;
        }
        // Given back is what nothing is left of to do, and that is so before it is known whether the request succeeds.
        let done = |one: &&Partition| leaving || self.may_give_back(one);
        let release: Vec<Lease> = self.owned_partitions().filter(done).map(Partition::lease).collect();
        for Lease { partition, epoch } in release {
            self.lose(partition);
            self.returned.insert(partition, epoch);
        }
        let returned = self.returned.iter().map(|(partition, epoch)| (*partition, *epoch));
        let release = returned.map(|(partition, epoch)| Lease { partition, epoch }).collect();
        let hold: Vec<Lease> = self.owned().collect();
        let claim = if leaving { Vec::new() } else { std::mem::take(&mut self.claims) };
        let wanted = hold.iter().map(|lease| lease.partition).chain(claim.iter().copied()).collect();
        self.lease.start(Asked { at: self.now, wanted, claimed: claim.clone(), leaving });
        self.member = true;
        // Who wants it sooner says so meanwhile.
        self.next_ask = self.now.saturating_add(self.options.lease_ms / 3);
        self.out.push(Effect::Lease(KeepLeases {
            subscription: self.options.name.clone(),
            incarnation: self.incarnation,
            node: self.node,
            lease_ms: self.options.lease_ms,
            hold,
            claim,
            release,
            leave: leaving,
        }));
    }

    /// When to ask again.
    pub(super) fn ask_at(&self) -> Option<Millis> {
        let wanted = if self.stopping == Stopping::Leaving { 0 } else { self.next_ask };
        (self.options.durable && self.lease.under_way().is_none())
            .then(|| wanted.max(self.lease.pause_ends(self.now).unwrap_or(0)))
    }

    pub(super) fn leased(&mut self, leases: &Leases) {
        let Some(asked) = self.lease.answered() else { return };
        if asked.leaving {
            self.over();
            return;
        }
        if leases.gone {
            self.gone();
            return;
        }
        self.chores = true;
        self.paused = leases.paused;
        self.resets = leases.resets;
        let mut found = Vec::new();
        for state in &leases.partitions {
            found.extend(self.compare(state, &asked));
        }
        self.plan(leases, &asked, &found);
        self.activate();
    }

    pub(super) fn lease_failed(&mut self) {
        let Some(asked) = self.lease.failed(self.now, self.lease_pauses()) else { return };
        self.next_ask = self.now;
        if asked.leaving {
            self.leaving_failed();
        } else {
            self.stopping_failed();
        }
    }

    /// The subscription is there no more. What is there under its name now may be of another shape: only who opens it knows.
    fn gone(&mut self) {
        for number in 0..self.options.partitions {
            self.lose(number);
        }
        self.out.push(Effect::Gone);
        self.over();
    }

    /// What the answer says of one partition. Its number, if it is ours by a request that is not known of here.
    fn compare(&mut self, state: &LeaseState, asked: &Asked) -> Option<u32> {
        let ours = state.owner == Some(self.node);
        let known = self.partition(state.partition).map(|partition| partition.epoch);
        if known.is_some() && (!ours || known != Some(state.epoch)) {
            self.lose(state.partition);
        }
        match self.returned.get(&state.partition) {
            // The request that gave it back has not been carried out, and may still be: under this lease nothing more is done.
            Some(epoch) if ours && *epoch == state.epoch => {
                self.next_ask = self.now;
                return None;
            }
            _ => drop(self.returned.remove(&state.partition)),
        }
        if !ours {
            return None;
        }
        if !asked.wanted.contains(&state.partition) {
            // It is ours by a request whose answer was lost, or by one of a machine before this one on the same node. What else they asked
            // for may still be carried out, giving it back included. So it is given back, and claimed in the same breath: under
            // the epoch that it has then only this machine asks for anything.
            self.returned.insert(state.partition, state.epoch);
            self.next_ask = self.now;
            return Some(state.partition);
        }
        let until = asked.at.saturating_add(self.options.lease_ms);
        let (now, due) = (self.now, state.due);
        if let Some(partition) = self.under(state.partition, state.epoch) {
            let lapsed = !partition.is_leased(now);
            partition.until = partition.until.max(until);
            partition.take |= due;
            // A checkpoint that was on its way when this node's worker failed may arrive after the next one has found the lease.
            partition.handled = partition.handled.max(state.handled);
            if lapsed {
                // What was done meanwhile could not be saved.
                self.unsaved_since.get_or_insert(now);
            }
            if state.letters == 0 && self.queue.has_parked(state.partition) {
                self.reload(state.partition);
            }
            return None;
        }
        let lease = Lease { partition: state.partition, epoch: state.epoch };
        let mut partition = Partition::new(lease, until, state.checkpoint, state.letters == 0);
        (partition.take, partition.handled) = (due, state.handled);
        if let Some(slot) = usize::try_from(state.partition).ok().and_then(|at| self.partitions.get_mut(at)) {
            *slot = Some(partition);
        }
        None
    }

    /// Decides what to claim and what to give back. What was `found` to be ours counts as ours.
    fn plan(&mut self, leases: &Leases, asked: &Asked, found: &[u32]) {
        let owned = self.owned_partitions().map(|one| Owned {
            partition: one.number,
            draining: one.draining,
            idle: one.is_idle(),
        });
        let found =
            found.iter().map(|partition| Owned { partition: *partition, draining: false, idle: true });
        let owned: Vec<_> = owned.chain(found.clone()).collect();
        let stops = self.stopping != Stopping::No;
        let plan =
            if stops { Plan::default() } else { plan(self.node, self.options.partitions, leases, &owned) };
        for partition in self.partitions.iter_mut().flatten() {
            partition.draining = plan.give_back.contains(&partition.number);
        }
        // What was claimed just now and not granted is not claimed again at once. What was held and taken away is.
        if plan.claim.iter().any(|partition| !asked.claimed.contains(partition)) {
            self.next_ask = self.now;
        }
        let kept = found.map(|one| one.partition).filter(|partition| !plan.give_back.contains(partition));
        self.claims = plan.claim.iter().copied().chain(kept.filter(|_| !stops)).collect();
    }

    /// Works out which partitions may send.
    pub(super) fn activate(&mut self) {
        self.expires = Millis::MAX;
        for partition in self.partitions.iter_mut().flatten() {
            let active = partition.may_send(self.now);
            if active {
                self.expires = self.expires.min(partition.until);
            }
            if partition.active != active {
                partition.active = active;
                self.queue.set_active(partition.number, active);
                // Others may be far ahead of it.
                self.look |= active;
                self.behind |= active;
            }
        }
    }

    /// The store refused what came under a lease: it is not ours any more.
    pub(super) fn refused(&mut self, leases: impl Iterator<Item = Lease>) {
        for lease in leases {
            if self.under(lease.partition, lease.epoch).is_some() {
                self.lose(lease.partition);
                self.next_ask = self.now;
            }
        }
    }

    /// Forgets a partition; who holds something of it is told.
    pub(super) fn lose(&mut self, number: u32) {
        let Some(slot) = usize::try_from(number).ok().and_then(|at| self.partitions.get_mut(at)) else {
            return;
        };
        *slot = None;
        let mut revoked: BTreeMap<ConsumerId, Vec<Place>> = BTreeMap::new();
        for (consumer, place) in self.queue.forget(number).into_iter().chain(self.letters.forget(number)) {
            revoked.entry(consumer).or_default().push(place);
        }
        for (consumer, mut places) in revoked {
            places.sort_unstable();
            self.consumers.let_go(consumer, places.iter().copied());
            self.out.push(Effect::Revoke { consumer, places });
        }
    }

    /// Draining partitions that are done with are given back without waiting for the next renewal.
    pub(super) fn give_back_soon(&mut self) {
        if self.chores && self.owned_partitions().any(|one| self.may_give_back(one)) {
            self.next_ask = self.next_ask.min(self.now);
        }
    }

    /// Whether nothing is left to do in a partition that is to be given back. What is being parked counts, whatever it is of:
    /// should the lease stay ours after all, it must be known which keys have letters.
    fn may_give_back(&self, one: &Partition) -> bool {
        one.draining && one.is_idle() && one.moved().is_none() && self.park.under_way().is_none()
    }
}
