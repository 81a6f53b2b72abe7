//! Tells other processes what this one has committed, and which subscriptions it has changed.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use umbel_core::{Position, store::StoreError, subscription::Change};

use super::{channel, text};
use crate::{
    adapter::News,
    postgres::{reader::Reader, sql::Schema},
};

/// From one notification to the next at least: what is committed within it shares one. The first after a silence goes at once.
const PAUSE: Duration = Duration::from_millis(1);

/// The same where much is committed. A notification wakes a session of the server for each process that listens, and that process: a
/// writer at full speed shall not spend the machine's time on hints.
const BUSY_PAUSE: Duration = Duration::from_millis(8);

/// By how many events the log is longer than at the last notification where much is committed.
const MANY: u64 = 4;

/// How long whoever has changed a subscription waits until others are told.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sends one notification at a time, with the last position there is. If the process ends before, others find out by looking.
#[derive(Debug)]
pub(in crate::postgres) struct Announcer {
    reader: Arc<Reader>,
    channel: String,
    /// What was committed.
    head: watch::Sender<Position>,
}

impl Announcer {
    pub(in crate::postgres) fn new(reader: Arc<Reader>, schema: &Schema) -> Self {
        Self { reader, channel: channel(schema), head: watch::Sender::new(Position::START) }
    }

    /// This process has committed up to here. Returns at once; whoever [speaks](Self::speak) says it.
    pub(in crate::postgres) fn committed(&self, head: Position) {
        self.head.send_if_modified(|known| {
            let is_news = head > *known;
            *known = head.max(*known);
            is_news
        });
    }

    /// Says what is committed, for ever. On the thread of those who read, so that the connections that both use stay there, and the
    /// writer is not held up.
    pub(in crate::postgres) async fn speak(&self) {
        let (mut heads, mut said) = (self.head.subscribe(), Position::START);
        loop {
            let head = *heads.borrow_and_update();
            if head > said {
                let begun = Instant::now();
                self.say(head).await;
                let is_busy = head.get() - said.get() >= MANY;
                said = head;
                sleep_until(begun + if is_busy { BUSY_PAUSE } else { PAUSE }).await;
            } else if heads.changed().await.is_err() {
                return;
            }
        }
    }

    async fn say(&self, head: Position) {
        if let Err(error) = self.announce(News::Head(head)).await {
            tracing::debug!(%error, %head, "other processes were not told of an append; they find out by looking");
        }
    }

    /// Subscriptions have changed. Returns once that is said, or cannot be for now: then others find out by asking. It happens rarely
    /// enough to be said each time.
    pub(in crate::postgres) async fn changed(&self, change: Change) {
        let said = timeout(PATIENCE, self.announce(News::Changed(change))).await;
        let said = said.map_err(|_elapsed| "not in time".to_owned());
        if let Err(error) = said.and_then(|said| said.map_err(|error| error.to_string())) {
            tracing::debug!(
                error,
                ?change,
                "other processes were not told of a change; they find out by asking"
            );
        }
    }

    async fn announce(&self, news: News) -> Result<(), StoreError> {
        let statement = &self.reader.statements().announce;
        self.reader.write(statement, &[&self.channel, &text(news)]).await.map(drop)
    }
}
