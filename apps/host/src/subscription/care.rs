//! Care with events that may be what ends their owners.
//!
//! An event that ends its process, or blocks its thread for good, leaves no word: nothing failed that a policy could judge, and the next
//! owner of its partition begins with it. So where the leases of a partition have run out one after the other with nothing done, its events
//! are begun one at a time, and that is noted in the store before. Who finds one that was begun and has not ended knows what it is about.
//! Dead letters that are tried again are always begun like that: whatever else there is goes on meanwhile.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use umbel_bus::Store;
use umbel_core::{
    Place,
    store::{Lease, LeaseState, NoteBegun, StoreError},
    subscription::{Begun, Key, SubscriptionName},
};

use super::subscriber::Delivered;

/// What is known of the partitions of one subscription in this process.
#[derive(Debug, Default)]
pub(crate) struct Care {
    partitions: Mutex<BTreeMap<u32, Known>>,
    /// Whoever is careful has it: one event at a time, so that it is known which one it was.
    turn: Arc<AsyncMutex<()>>,
}

#[derive(Debug)]
struct Known {
    epoch: u64,
    /// Whether each of its events is begun with care.
    wants_care: bool,
    begun: Begun,
}

/// An event that was begun with care, until it is dropped: then it has ended, one way or another.
#[derive(Debug)]
pub(crate) struct Careful {
    care: Arc<Care>,
    lease: Lease,
    place: Place,
    /// How often it was begun before without a word of how it ended.
    pub(crate) before: u32,
    _turn: OwnedMutexGuard<()>,
}

impl Care {
    /// How the partitions stand in the store.
    pub(crate) fn has_leased(&self, partitions: &[LeaseState]) {
        let mut known = self.known();
        known.retain(|number, _| partitions.iter().any(|state| state.partition == *number));
        for LeaseState { partition, epoch, abandoned, .. } in partitions {
            let wants_care = abandoned.wants_care();
            match known.get_mut(partition).filter(|known| known.epoch == *epoch) {
                // Under one lease only this process notes something: it knows better.
                Some(known) => known.wants_care = wants_care,
                None => {
                    let begun = abandoned.begun.clone();
                    known.insert(*partition, Known { epoch: *epoch, wants_care, begun });
                }
            }
        }
    }

    /// Whether this is to be begun with care.
    pub(crate) fn is_for<T>(&self, delivered: &Delivered<T>) -> bool {
        let known = self.known();
        let partition = partition_of(&known, delivered.key);
        known.get(&partition).is_some_and(|known| known.wants_care || delivered.letter)
    }

    /// Begins an event, once no other one is in hand that was begun with care. `None`: its partition is another owner's.
    ///
    /// # Errors
    /// When the store cannot note it. Then it is not to be handled.
    pub(crate) async fn begin<T>(
        self: &Arc<Self>,
        (store, subscription): (&Store, &SubscriptionName),
        delivered: &Delivered<T>,
    ) -> Result<Option<Careful>, StoreError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let place = delivered.place;
        let Some((lease, before, begun)) = self.note(delivered.key, place) else { return Ok(None) };
        // Whatever becomes of the request: who drops it has not begun.
        let careful = Careful { care: Arc::clone(self), lease, place, before, _turn: turn };
        let noted = store.note_begun(NoteBegun { subscription: subscription.clone(), lease, begun }).await?;
        Ok(noted.then_some(careful))
    }

    fn note(&self, key: Key, place: Place) -> Option<(Lease, u32, Begun)> {
        let mut known = self.known();
        let partition = partition_of(&known, key);
        let Known { epoch, begun, .. } = known.get_mut(&partition)?;
        let before = begun.begin(place);
        Some((Lease { partition, epoch: *epoch }, before, begun.clone()))
    }

    fn end(&self, lease: Lease, place: Place) {
        let mut known = self.known();
        if let Some(known) = known.get_mut(&lease.partition).filter(|known| known.epoch == lease.epoch) {
            known.begun.end(place);
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<u32, Known>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Careful {
    fn drop(&mut self) {
        self.care.end(self.lease, self.place);
    }
}

fn partition_of(known: &BTreeMap<u32, Known>, key: Key) -> u32 {
    key.partition(u32::try_from(known.len()).unwrap_or(u32::MAX).max(1))
}
