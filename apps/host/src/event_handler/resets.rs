//! Of how many resets of its subscription each consumer was told.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use umbel_bus::Bus;
use umbel_core::store::NoteResetsTold;

use crate::subscription::Link;

/// What the consumers of this process were told, by handler. It outlives their workers, so that one which could not bear to be told is told
/// again.
#[derive(Debug, Default)]
pub(super) struct Resets(Mutex<BTreeMap<&'static str, Heard>>);

/// What the consumers of one handler were told.
#[derive(Debug)]
struct Heard {
    /// Which subscription of its name that is about.
    incarnation: u64,
    /// What was noted when the first of them began. It counts for each of them until it is told more, whatever others are told meanwhile.
    noted: u64,
    /// What each was told since, by its number.
    consumers: BTreeMap<u32, u64>,
}

impl Resets {
    /// Of how many resets a consumer that begins was told.
    ///
    /// # Errors
    /// When the store cannot say, or the subscription is there no more.
    pub(super) async fn told(
        &self,
        bus: &Bus,
        (handler, number): (&'static str, u32),
        link: &Link,
    ) -> anyhow::Result<u64> {
        let incarnation = link.told.incarnation;
        if let Some(heard) = self.all().get(handler).filter(|heard| heard.incarnation == incarnation) {
            return Ok(heard.consumers.get(&number).copied().unwrap_or(heard.noted));
        }
        let noted = note(bus, handler, link, 0).await?;
        self.all().insert(handler, Heard { incarnation, noted, consumers: BTreeMap::new() });
        Ok(noted)
    }

    /// A consumer was told.
    pub(super) fn tell(&self, (handler, number): (&'static str, u32), link: &Link, resets: u64) {
        let incarnation = link.told.incarnation;
        if let Some(heard) = self.all().get_mut(handler).filter(|heard| heard.incarnation == incarnation) {
            heard.consumers.insert(number, resets);
        }
    }

    /// Each change to them is whole.
    fn all(&self) -> MutexGuard<'_, BTreeMap<&'static str, Heard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes of how many resets a handler was told, for those that begin later; how many are noted then.
///
/// # Errors
/// When the store cannot, or the subscription is there no more.
pub(super) async fn note(bus: &Bus, handler: &str, link: &Link, told: u64) -> anyhow::Result<u64> {
    let (subscription, incarnation) = (link.name.clone(), link.told.incarnation);
    let noted = bus.store().note_resets_told(NoteResetsTold { subscription, incarnation, told }).await;
    let noted = noted.with_context(|| format!("cannot note what {handler} was told of resets"))?;
    noted.with_context(|| format!("subscription {handler} is there no more"))
}
