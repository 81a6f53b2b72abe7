//! What a subscriber holds: an inbox to read from, and deliveries to speak of.

use std::{
    fmt::{self, Debug},
    sync::Arc,
};

use serde::de::DeserializeOwned;

use super::{
    event::{EventHead, Shadow, TopicEvent, typed},
    mailbox::{Ended, Parcel, Taken},
    name::Payload,
    queue::{Counters, Gap},
    subscription::SubscriberId,
    table::Member,
    watch::{Marked, Verdict},
};
use crate::handle::Bus;

/// What comes out of an inbox.
#[derive(Debug)]
pub enum Item {
    /// An event.
    Event(Delivery),
    /// Events were lost here, because the subscriber was slow.
    Lagged(Gap),
}

/// The reading end of one subscription. Dropping it does not unsubscribe: events go on waiting, within the
/// bound, for whoever subscribes under the same name, such as the reader's successor after a crash.
pub struct Inbox {
    place: Arc<Place>,
    reader: u64,
}

/// An event in the hands of one of its subscribers. If it is tracked, the subscriber says what became of it
/// before its lease ends; dropping it says nothing.
pub struct Delivery {
    place: Arc<Place>,
    parcel: Parcel,
}

/// A subscriber on its bus. Shared by one reader with its deliveries, and by nobody else: what all share is slow to count.
struct Place {
    bus: Bus,
    member: Arc<Member>,
}

impl Inbox {
    pub(crate) fn new(bus: Bus, member: Arc<Member>, reader: u64) -> Self {
        Self { place: Arc::new(Place { bus, member }), reader }
    }

    /// Waits for the next event, or for word of those that were lost before it. When the future is dropped
    /// nothing is lost. Whoever [catches up](super::Overflow::CatchUp) waits for the log here, too. Events that have expired, or whose topic is gone, are passed over.
    ///
    /// # Errors
    /// When nothing will come any more; see [`Ended`].
    pub async fn next(&mut self) -> Result<Item, Ended> {
        let Place { bus, member } = &*self.place;
        loop {
            let parcel = match member.mailbox.take(self.reader).await? {
                Taken::Lagged(gap) => return Ok(Item::Lagged(gap)),
                Taken::Behind { topic, after, room } => {
                    bus.registry().catch_up(bus, member, (&topic, after), room).await;
                    continue;
                }
                Taken::Parcel(parcel) => parcel,
            };
            if bus.registry().take(&parcel, member) {
                return Ok(Item::Event(Delivery { place: Arc::clone(&self.place), parcel }));
            }
            member.mailbox.withdraw_last();
        }
    }

    /// Whose inbox it is.
    #[must_use]
    pub fn subscriber(&self) -> &SubscriberId {
        &self.place.member.id
    }

    /// What happened to the subscriber's events so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.place.member.mailbox.counters()
    }
}

impl Delivery {
    /// The topic and the id.
    #[must_use]
    pub fn shadow(&self) -> Shadow {
        self.head().shadow()
    }

    /// What there is to know of the event.
    #[must_use]
    pub fn head(&self) -> &EventHead {
        self.parcel.event.head()
    }

    /// The event as what it is; `None` when its topic carries another type. The event is shared, not copied.
    #[must_use]
    pub fn event<T: Payload>(&self) -> Option<Arc<TopicEvent<T>>> {
        typed(&self.parcel.event)
    }

    /// What the event tells, whatever its type, for those who only show it.
    #[must_use]
    pub fn data(&self) -> &dyn Debug {
        self.parcel.event.data()
    }

    /// Whom it was delivered to.
    #[must_use]
    pub fn subscriber(&self) -> &SubscriberId {
        &self.place.member.id
    }

    /// The subscriber's configuration; `None` when it has none, or none of this type.
    #[must_use]
    pub fn config<C: DeserializeOwned>(&self) -> Option<C> {
        self.place.member.id.config()
    }

    /// Whether somebody wants to know what becomes of it.
    #[must_use]
    pub const fn is_tracked(&self) -> bool {
        self.parcel.tracked
    }

    /// Says that the subscriber did what it had to.
    pub fn complete(&self) -> Marked {
        self.mark(Verdict::Completed)
    }

    /// Says that the subscriber did not, and why.
    pub fn skip(&self, reason: impl Into<Arc<str>>) -> Marked {
        self.mark(Verdict::Skipped { reason: reason.into() })
    }

    fn mark(&self, verdict: Verdict) -> Marked {
        if !self.parcel.tracked {
            return Marked::Unknown;
        }
        self.place.bus.registry().mark(&self.shadow(), &self.place.member.id, verdict)
    }
}

impl Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbox({})", self.place.member.id)
    }
}

impl Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Delivery({} to {})", self.shadow(), self.place.member.id)
    }
}
