//! Topics of the log: what is appended is published on them, by the bus.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::sleep;
use umbel_core::{
    Position, RecordedEvent, Timestamp,
    document::Direction,
    store::{AllPage, ReadAll, Selector},
};
use umbel_supervision::describe_panic;

use super::{
    Member, Registry,
    event::{AnyEvent, EventHead, TopicEvent},
    mailbox::Parcel,
    name::{Payload, Topic},
    table::Entry,
};
use crate::handle::Bus;

type Make = dyn Fn(&RecordedEvent) -> Option<Arc<dyn AnyEvent>> + Send + Sync;

/// What of the log is published on a topic, and how far that has come.
pub(crate) struct LogTopic {
    name: Arc<str>,
    selector: Selector,
    make: Box<Make>,
    /// Everything up to here was published, or is not selected. Held while a page is published, so that pages come in order
    /// whoever publishes them.
    published: Mutex<Position>,
}

impl LogTopic {
    /// A topic of what is appended behind a position.
    pub(crate) fn new<T: Payload>(
        topic: &Topic<T>,
        selector: Selector,
        after: Position,
        make: impl Fn(&RecordedEvent) -> Option<T> + Send + Sync + 'static,
    ) -> Self {
        let name = Arc::clone(topic.name());
        let make = move |event: &RecordedEvent| {
            let data = make(event)?;
            Some(Arc::new(TopicEvent { head: head(&name, event), data }) as Arc<dyn AnyEvent>)
        };
        let name = Arc::clone(topic.name());
        Self { name, selector, make: Box::new(make), published: Mutex::new(after) }
    }

    /// What is selected of the log behind a position, behind which there is something. Or why that is not known.
    async fn page(&self, bus: &Bus, after: Position, limit: u32) -> Result<AllPage, String> {
        let (from, selector) = (Some(after.next()), self.selector.clone());
        let request = ReadAll { from, direction: Direction::Forward, limit, selector };
        let page = bus.store().read_all(request).await.map_err(|error| error.to_string())?;
        if page.scanned_to > after { Ok(page) } else { Err("it ends before what was announced".to_owned()) }
    }

    /// The event of this topic that an event of the log becomes, if it becomes one.
    fn event(&self, recorded: &RecordedEvent) -> Option<Arc<dyn AnyEvent>> {
        catch_unwind(AssertUnwindSafe(|| (self.make)(recorded))).unwrap_or_else(|panic| {
            tracing::error!(topic = &*self.name, position = %recorded.position, cause = describe_panic(&*panic),
                "what an event of the log is on its topic cannot be told; it is not published");
            None
        })
    }

    /// What was published is a position alone, and whole, whoever panicked.
    fn published(&self) -> MutexGuard<'_, Position> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What there is to know of an event of the log as an event of a topic.
fn head(topic: &Arc<str>, event: &RecordedEvent) -> EventHead {
    EventHead {
        topic: Arc::clone(topic),
        id: event.id.0,
        transaction_id: event.id.0,
        source: Some(event.stream.as_str().into()),
        initialized_at: event.recorded_at,
        occurred_at: event.recorded_at,
        ttl: None,
    }
}

impl Registry {
    /// Publishes what is appended on the topics of the log, for ever. The bus actor runs this; of several at once each page is published by
    /// one.
    pub(crate) async fn follow_log(&self, bus: &Bus) {
        let mut changed = self.log_topics();
        loop {
            // From here on nothing is missed: neither a topic nor what is appended.
            let has_any = *changed.borrow_and_update() > 0;
            if !has_any {
                // The log is not followed for nothing.
                if changed.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let mut head = bus.head();
            loop {
                let until = *head.borrow_and_update();
                let more = self.publish_pages(bus, until).await;
                if changed.has_changed().unwrap_or(true) {
                    break;
                }
                if more {
                    continue;
                }
                tokio::select! {
                    moved = head.changed() => if moved.is_err() { return },
                    _ = changed.changed() => break,
                }
            }
        }
    }

    /// Publishes one page of each topic of which there is more; whether there may be still more.
    async fn publish_pages(&self, bus: &Bus, until: Position) -> bool {
        let table = self.table();
        let mut more = false;
        for (entry, log) in table.topics().filter_map(|entry| Some((entry, entry.log.as_ref()?))) {
            let after = *log.published();
            if after >= until {
                continue;
            }
            if entry.attached.is_empty() {
                // Whoever subscribes from now on gets what is appended from now on.
                let mut published = log.published();
                *published = until.max(*published);
                continue;
            }
            match log.page(bus, after, bus.settings().topic_log_batch).await {
                Ok(page) => {
                    more |= page.scanned_to < until;
                    self.publish_page(&entry.name, log, after, &page);
                }
                Err(reason) => {
                    more = true;
                    let retry_in = bus.settings().topic_log_retry();
                    tracing::warn!(
                        topic = &*log.name,
                        reason,
                        retry_in_ms = retry_in.as_millis(),
                        "the log cannot be published"
                    );
                    sleep(retry_in).await;
                }
            }
        }
        more
    }

    /// Publishes a page to all who are there by now.
    fn publish_page(&self, name: &str, log: &Arc<LogTopic>, after: Position, page: &AllPage) {
        let table = self.table();
        let is_same = |entry: &&Arc<Entry>| entry.log.as_ref().is_some_and(|now| Arc::ptr_eq(now, log));
        let Some(entry) = table.topic(name).filter(is_same) else { return };
        let mut published = log.published();
        if *published != after {
            return;
        }
        for recorded in &page.events {
            let Some(event) = log.event(recorded) else { continue };
            let parcel = Parcel { event, tracked: false, life: entry.life.clone() };
            for member in &entry.attached {
                member.mailbox.offer_of_log(parcel.clone(), recorded.position);
            }
        }
        *published = page.scanned_to.max(after);
    }

    /// Feeds a subscriber that has fallen behind with the next page of a topic of the log. Waits while the store does not answer.
    pub(crate) async fn catch_up(
        &self,
        bus: &Bus,
        member: &Member,
        (topic, after): (&str, Position),
        room: usize,
    ) {
        let table = self.table();
        let of_log = |entry: &Arc<Entry>| Some((Arc::clone(entry), Arc::clone(entry.log.as_ref()?)));
        let Some((entry, log)) = table.topic(topic).and_then(of_log) else {
            return member.mailbox.forget(|one| one == topic);
        };
        let limit = u32::try_from(room).unwrap_or(u32::MAX).min(bus.settings().topic_log_batch);
        match log.page(bus, after, limit).await {
            Ok(AllPage { events, scanned_to, .. }) => {
                let parcel = |event| Parcel { event, tracked: false, life: entry.life.clone() };
                let found = |recorded: RecordedEvent| -> Option<(Position, Timestamp, Parcel)> {
                    Some((recorded.position, recorded.recorded_at, parcel(log.event(&recorded)?)))
                };
                let found = events.into_iter().filter_map(found).collect();
                member.mailbox.feed(topic, (after, scanned_to), found);
            }
            Err(reason) => {
                let retry_in = bus.settings().topic_log_retry();
                tracing::warn!(topic, subscriber = %member.id, reason, retry_in_ms = retry_in.as_millis(),
                    "a subscriber cannot catch up with the log");
                sleep(retry_in).await;
            }
        }
    }
}

impl fmt::Debug for LogTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogTopic").field("name", &self.name).finish_non_exhaustive()
    }
}
