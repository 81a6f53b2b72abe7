//! Hears what other processes have committed in one store, and which of its subscriptions they have changed.

use std::{sync::Arc, time::Duration};

use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use tokio::time::sleep;
use umbel_core::{store::StoreError, subscription::Change};
use umbel_supervision::Backoff;

use super::{
    channel,
    listening::{Follower, Heard, Listening},
};
use crate::{
    adapter::News,
    postgres::{attempts::jitter, reader::Reader, sql::Schema},
};

/// Between attempts to ask for what was missed.
const BACKOFF: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(5) };

/// Follows the channel of a store.
#[derive(Clone, Debug)]
pub(in crate::postgres) struct Listener {
    reader: Arc<Reader>,
    listening: Arc<Listening>,
    channel: String,
}

/// One who follows it for ever.
struct Following {
    listener: Listener,
    follower: Option<Follower>,
    /// Whether the head is to be asked for.
    is_behind: bool,
    /// What else was missed, and is passed on next.
    missed: Option<Change>,
    /// Times in a row that it came to nothing.
    failures: usize,
}

impl Listener {
    pub(in crate::postgres) fn new(reader: Arc<Reader>, listening: &Arc<Listening>, schema: &Schema) -> Self {
        Self { reader, listening: Arc::clone(listening), channel: channel(schema) }
    }

    /// Heads of the log as they become known, and changes of subscriptions. Listens from when it is first asked for one, on a connection
    /// that is opened again whenever it is lost; each time the first is the head as it is then, and that subscriptions may have changed:
    /// so nothing that happened meanwhile waits for the next time.
    pub(in crate::postgres) fn news(&self) -> BoxStream<'static, News> {
        let (listener, follower, missed) = (self.clone(), None, None);
        let following = Following { listener, follower, is_behind: false, missed, failures: 0 };
        stream::unfold(following, |mut following| async move {
            let news = following.next().await;
            Some((news, following))
        })
        .boxed()
    }
}

impl Following {
    async fn next(&mut self) -> News {
        loop {
            match self.hear().await {
                Ok(news) => {
                    self.failures = 0;
                    return news;
                }
                Err(error) => {
                    self.failures += 1;
                    let pause = BACKOFF.wait(self.failures, jitter());
                    tracing::debug!(%error, "what other processes have appended meanwhile is noticed by looking only, for now");
                    sleep(pause).await;
                }
            }
        }
    }

    async fn hear(&mut self) -> Result<News, StoreError> {
        if let Some(change) = self.missed.take() {
            return Ok(News::Changed(change));
        }
        let Listener { reader, listening, channel } = &self.listener;
        let follower = match &mut self.follower {
            Some(follower) => follower,
            None => self.follower.insert(listening.follow(channel)?),
        };
        if !self.is_behind {
            match follower.next().await {
                Heard::News(news) => return Ok(news),
                Heard::FromHere => self.is_behind = true,
            }
        }
        // What is committed later than this is heard of, for the channel is listened to.
        let head = reader.status().await?.head;
        self.is_behind = false;
        self.missed = Some(Change::Any);
        Ok(News::Head(head))
    }
}
