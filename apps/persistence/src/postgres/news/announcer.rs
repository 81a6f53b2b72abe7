//! Tells other processes what this one has committed, and which subscriptions it has changed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep_until, timeout};
use umbel_core::{Position, store::StoreError, subscription::Change};

use super::{channel, text};
use crate::{
    adapter::News,
    postgres::{reader::Reader, sql::Schema},
};

/// From one notification to the next at least: what is committed within it shares one. The first after a silence goes at once.
/// A commit takes about as long, and a writer at full speed shall not spend the server's time on hints.
const PAUSE: Duration = Duration::from_millis(2);

/// How long whoever has changed a subscription waits until others are told.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sends one notification at a time, with the last position there is. If the process ends before, others find out by looking.
#[derive(Debug)]
pub(in crate::postgres) struct Announcer {
    reader: Arc<Reader>,
    channel: String,
    /// What was committed.
    head: AtomicU64,
    /// What was said of it.
    said: AtomicU64,
    /// Whether somebody is about to say it.
    busy: AtomicBool,
}

/// While it is there, nobody else speaks.
struct Speaking(Arc<Announcer>);

impl Announcer {
    pub(in crate::postgres) fn new(reader: Arc<Reader>, schema: &Schema) -> Arc<Self> {
        let (head, said) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self { reader, channel: channel(schema), head, said, busy: AtomicBool::new(false) })
    }

    /// This process has committed up to here. Returns at once; what is said is said by a task on the caller's runtime.
    pub(in crate::postgres) fn committed(self: &Arc<Self>, head: Position) {
        self.head.fetch_max(head.get(), Ordering::SeqCst);
        if let Some(speaking) = self.begin() {
            // Ended together with its runtime, it leaves the word to others.
            tokio::spawn(async move { speaking.say_all().await });
        }
    }

    fn begin(self: &Arc<Self>) -> Option<Speaking> {
        let news = self.head.load(Ordering::SeqCst) > self.said.load(Ordering::SeqCst);
        (news && !self.busy.swap(true, Ordering::SeqCst)).then(|| Speaking(Arc::clone(self)))
    }
}

impl Speaking {
    /// Until there is nothing more to say.
    async fn say_all(self) {
        let announcer = Arc::clone(&self.0);
        let mut speaking = Some(self);
        while speaking.is_some() {
            announcer.say().await;
            // What comes from now on begins anew, here or elsewhere.
            drop(speaking);
            speaking = announcer.begin();
        }
    }
}

impl Announcer {
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

    async fn say(&self) {
        let begun = Instant::now();
        let head = self.head.load(Ordering::SeqCst);
        let said = self.announce(News::Head(Position::new(head))).await;
        if let Err(error) = said {
            tracing::debug!(%error, head, "other processes were not told of an append; they find out by looking");
        }
        self.said.fetch_max(head, Ordering::SeqCst);
        sleep_until(begun + PAUSE).await;
    }
}

impl Drop for Speaking {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::SeqCst);
    }
}
