//! A store as its port describes it, with its own clock: what it carries out is carried out at once and for good.

mod letters;
mod log;
mod subscription;

use umbel_core::{Place, subscription::Key};

use crate::{bug::Bug, shape::Shape};

pub(crate) use log::{EVENT, Entry, Log};
pub(crate) use subscription::{Kept, Subscription};

/// The store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) log: Log,
    pub(crate) subscriptions: Vec<Subscription>,
}

impl Store {
    pub(crate) fn new(shape: &Shape, bug: Option<Bug>) -> Self {
        let subscription = |number| Subscription::new(number, shape.options[number].partitions, bug);
        Self {
            log: Log::new(&shape.streams, bug),
            subscriptions: (0..shape.options.len()).map(subscription).collect(),
        }
    }
}

/// Which kinds of events a subscription selects: two of three.
pub(crate) fn selects(subscription: usize, kind: u32) -> bool {
    usize::try_from(kind % 3).is_ok_and(|kind| kind != subscription % 3)
}

/// The place of the entry with this index, and the other way round.
pub(crate) fn place_of(index: usize) -> Place {
    Place::new(count(index) + 1)
}

/// How many there are, as places count.
pub(crate) fn count(many: usize) -> u64 {
    u64::try_from(many).unwrap_or(u64::MAX)
}

/// A number as the length of something in memory.
pub(crate) fn size(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(usize::MAX)
}

/// The events between two places, the first excluded, that a subscription selects.
pub(crate) fn selected(
    entries: &[Entry],
    subscription: usize,
    after: Place,
    through: Place,
) -> impl Iterator<Item = (Place, Key)> {
    let (from, to) = (size(after.get()).min(entries.len()), size(through.get()).min(entries.len()));
    let between = entries[from..to.max(from)].iter().enumerate();
    between
        .filter(move |(_, entry)| selects(subscription, entry.kind))
        .map(move |(index, entry)| (place_of(from + index), entry.key))
}
