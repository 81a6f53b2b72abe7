//! Hears what other processes have committed, and which subscriptions they have changed, on a connection of its own.

use std::{sync::Arc, time::Duration};

use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    time::{sleep, timeout},
};
use tokio_postgres::Client;
use umbel_core::{Position, store::StoreError, subscription::Change};
use umbel_supervision::Backoff;

use super::channel;
use crate::{
    adapter::News,
    postgres::{
        PostgresOptions,
        attempts::jitter,
        sql::{Schema, Statements},
        target::{Driving, Heard, Target},
    },
};

/// Between attempts to connect again.
const BACKOFF: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(5) };

/// A silence after which the connection is asked whether it is still there: it could have been cut off without a word.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Opens connections that listen.
#[derive(Clone, Debug)]
pub(in crate::postgres) struct Listener {
    target: Target,
    statements: Arc<Statements>,
    channel: String,
}

/// One who listens for ever.
struct Listening {
    listener: Listener,
    session: Option<Session>,
    /// What was missed while nothing could be heard, and is passed on next.
    missed: Option<Change>,
    /// Times that it came to nothing since something was heard.
    failures: usize,
}

/// A connection that listens.
struct Session {
    client: Client,
    heard: watch::Receiver<Position>,
    changes: broadcast::Receiver<Change>,
    _driving: Driving,
}

impl Listener {
    pub(in crate::postgres) fn new(
        target: &Target,
        statements: &Arc<Statements>,
        schema: &Schema,
        options: &PostgresOptions,
    ) -> Self {
        let target = target.with_statement_timeout(options.statement_timeout);
        Self { target, statements: Arc::clone(statements), channel: channel(schema) }
    }

    /// Heads of the log as they become known, and changes of subscriptions. Connects when it is first asked for one, and again whenever the connection is
    /// lost; each time the first is the head as it is then, and that subscriptions may have changed: so nothing that happened
    /// meanwhile waits for the next time.
    pub(in crate::postgres) fn news(&self) -> BoxStream<'static, News> {
        let listening = Listening { listener: self.clone(), session: None, missed: None, failures: 0 };
        stream::unfold(listening, |mut listening| async move {
            let news = listening.next().await;
            Some((news, listening))
        })
        .boxed()
    }

    async fn open(&self) -> Result<(Session, Position), StoreError> {
        let (client, Heard { heads: heard, changes }, driving) = self.target.listen(&self.channel).await?;
        let mut session = Session { client, heard, changes, _driving: driving };
        let head = self.head(&mut session).await?;
        Ok((session, head))
    }

    /// The log's head, asked for on the connection that listens: what is committed later than this is heard of.
    async fn head(&self, session: &mut Session) -> Result<Position, StoreError> {
        session.heard.mark_unchanged();
        let asked = session.client.query_typed(&self.statements.status, &[]);
        let rows = match timeout(self.target.connect_timeout(), asked).await {
            Ok(rows) => rows.map_err(|error| self.target.explain(&error))?,
            Err(_elapsed) => {
                let reason = format!("PostgreSQL at {}: no answer in time", self.target.place());
                return Err(StoreError::Unavailable { reason });
            }
        };
        Ok(rows.first().map_or(Position::START, |row| Position::from_i64(row.get("position"))))
    }
}

impl Listening {
    async fn next(&mut self) -> News {
        if let Some(change) = self.missed.take() {
            return News::Changed(change);
        }
        loop {
            let outcome = match &mut self.session {
                None => self.open().await,
                Some(session) => match timeout(SILENCE_MAX, session.next()).await {
                    Ok(heard) => heard,
                    Err(_silence) => self.listener.head(session).await.map(News::Head),
                }
                .inspect(|_| self.failures = 0),
            };
            match outcome {
                Ok(news) => return news,
                Err(error) => {
                    self.session = None;
                    self.failures += 1;
                    let pause = BACKOFF.wait(self.failures, jitter());
                    // Once is news to an operator; again and again is not.
                    if self.failures == 1 {
                        tracing::warn!(%error, "appends of other processes are noticed by looking only, for now");
                    }
                    sleep(pause).await;
                }
            }
        }
    }

    async fn open(&mut self) -> Result<News, StoreError> {
        let (session, head) = self.listener.open().await?;
        self.session = Some(session);
        self.missed = Some(Change::Any);
        Ok(News::Head(head))
    }
}

impl Session {
    /// What is heard next. An error when the connection has ended.
    async fn next(&mut self) -> Result<News, StoreError> {
        let ended = || StoreError::Unavailable { reason: "the connection ended".into() };
        tokio::select! {
            changed = self.heard.changed() => match changed {
                Ok(()) => Ok(News::Head(*self.heard.borrow_and_update())),
                Err(_ended) => Err(ended()),
            },
            change = self.changes.recv() => match change {
                Ok(change) => Ok(News::Changed(change)),
                Err(RecvError::Lagged(_)) => Ok(News::Changed(Change::Any)),
                Err(RecvError::Closed) => Err(ended()),
            },
        }
    }
}
