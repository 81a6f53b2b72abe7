//! From an append to the page that shows it, as somebody sees it who is not the writer.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use futures_util::future::{Either, LocalBoxFuture, select};
use serde_json::Value;
use tokio::try_join;
use umbel_bus::{Store, edge};
use umbel_core::{
    Timestamp,
    document::Direction,
    store::{ReadAll, Selector},
};

use super::{
    asked,
    client::{Connection, Request},
    load::{Act, Conduit, Load},
};
use crate::bench::{
    lab::Lab,
    rounds::{Round, Subject},
};

/// How long an article may stay out of sight before something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// One writer publishes, and a reader on another connection asks for the newest article again and again. The lag of an article is
/// from the moment that the log has for its event, which is before the commit, until the answer is there that shows it.
pub(super) struct Lag {
    conduit: Rc<Conduit>,
    store: Store,
    count: u64,
    /// What others do meanwhile, who publish nothing.
    beside: Option<Load>,
}

impl Lag {
    pub(super) fn new(conduit: &Rc<Conduit>, lab: &Lab, count: u64) -> Self {
        Self { conduit: Rc::clone(conduit), store: lab.bus.store(), count, beside: None }
    }

    /// While others do this.
    pub(super) fn beside(self, load: Load) -> Self {
        Self { beside: Some(load), ..self }
    }

    async fn measure(&mut self) -> anyhow::Result<Round> {
        let Some(mut beside) = self.beside.take() else { return self.publish().await };
        let work = Box::pin(beside.work());
        let measured = match select(Box::pin(self.publish()), work).await {
            Either::Left((measured, _)) => measured,
            Either::Right((Err(error), _)) => Err(error),
            Either::Right((Ok(_), _)) => bail!("the load beside ended before what is measured"),
        };
        self.beside = Some(beside);
        measured
    }

    async fn publish(&self) -> anyhow::Result<Round> {
        let mut writer = Connection::open(self.conduit.address).await?;
        let mut reader = Connection::open(self.conduit.address).await?;
        let (begin, mut latencies) = (Instant::now(), Vec::new());
        for turn in 0..self.count {
            let before = newest(&mut reader).await?;
            let (status, request) = self.conduit.request(Act::Create, 0, turn);
            let (answer, seen) =
                try_join!(asked(&mut writer, status, &request), until_another(&mut reader, &before))?;
            ensure!(answer["article"]["slug"] == seen.0, "somebody else publishes here");
            let stored = self.stored().await?;
            let lag = seen.1.as_micros().saturating_sub(stored.as_micros());
            latencies.push(Duration::from_micros(u64::try_from(lag).unwrap_or_default()));
        }
        Ok(Round { units: self.count, took: begin.elapsed(), latencies })
    }

    /// The moment of the last article's event.
    async fn stored(&self) -> anyhow::Result<Timestamp> {
        let selector = Selector::names(["articles.published"]);
        let last = ReadAll { from: None, direction: Direction::Backward, limit: 1, selector };
        let page = self.store.read_all(last).await?;
        page.events.first().map(|event| event.recorded_at).context("the log has what was published")
    }
}

/// The slug of the newest article.
async fn newest(reader: &mut Connection) -> anyhow::Result<Value> {
    let mut page = asked(reader, 200, &Request::get("/api/articles?limit=1")).await?;
    Ok(page["articles"][0]["slug"].take())
}

/// Asks until there is a newer article, and says when the answer was there.
async fn until_another(reader: &mut Connection, before: &Value) -> anyhow::Result<(Value, Timestamp)> {
    let begin = Instant::now();
    loop {
        let newest = newest(reader).await?;
        if newest != *before {
            return Ok((newest, edge::now()));
        }
        ensure!(begin.elapsed() < PATIENCE, "what was published does not show");
    }
}

impl Subject for Lag {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(self.measure())
    }
}
