//! Group commit at its barest: all that waits becomes the next transaction.

use std::future::Future;

use actix::Arbiter;
use futures_util::future::BoxFuture;
use tokio::{
    sync::{mpsc, oneshot},
    task::yield_now,
};
use umbel_core::store::StoreError;

use super::{Row, Write};

/// Appends that may wait: more than any benchmark has callers.
const QUEUE: usize = 4096;

/// Takes appends of all callers and gives them to one writer, group by group. It has a thread of its own, as the
/// store's writer has: what is compared is the writing, and not how many threads a message crosses.
pub(crate) struct Former {
    waiting: mpsc::Sender<Waiting>,
}

/// Stores the rows of one group in one transaction, at the positions from the given one on.
pub(crate) trait Insert: 'static {
    fn insert(&mut self, first_position: i64, rows: Vec<Row>) -> BoxFuture<'_, Result<(), StoreError>>;
}

struct Waiting {
    rows: Vec<Row>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl Former {
    /// Opens the writer on a thread of its own. It ends when this is dropped.
    ///
    /// # Errors
    /// The writer's.
    pub(crate) async fn start<I, Fut>(
        open: impl FnOnce() -> Fut + Send + 'static,
        group_max: usize,
    ) -> Result<Self, StoreError>
    where
        I: Insert,
        Fut: Future<Output = Result<I, StoreError>> + 'static,
    {
        let (waiting, queued) = mpsc::channel(QUEUE);
        let (opened, outcome) = oneshot::channel();
        Arbiter::new().spawn_fn(move || {
            actix::spawn(async move {
                match open().await {
                    Ok(writer) => {
                        // Nobody waits any more when this fails; then the queue is closed too.
                        drop(opened.send(Ok(())));
                        form(writer, queued, group_max.max(1)).await;
                    }
                    Err(error) => drop(opened.send(Err(error))),
                }
                Arbiter::current().stop();
            });
        });
        outcome.await.map_err(|_dropped| gone())?.map(|()| Self { waiting })
    }
}

/// Group after group, until the callers are gone.
async fn form(mut writer: impl Insert, mut queued: mpsc::Receiver<Waiting>, group_max: usize) {
    let (mut group, mut next_position) = (Vec::with_capacity(group_max), 1);
    while queued.recv_many(&mut group, group_max).await > 0 {
        // The first of the callers that were answered together is here; the others are about to be.
        yield_now().await;
        while group.len() < group_max
            && let Ok(more) = queued.try_recv()
        {
            group.push(more);
        }
        let (rows, done): (Vec<_>, Vec<_>) =
            group.drain(..).map(|Waiting { rows, done }| (rows, done)).unzip();
        let rows: Vec<_> = rows.into_iter().flatten().collect();
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let outcome = writer.insert(next_position, rows).await;
        next_position += count;
        for done in done {
            // A caller that is gone needs no answer.
            drop(done.send(outcome.clone()));
        }
    }
}

fn gone() -> StoreError {
    StoreError::Unavailable { reason: "the floor's writer is gone".into() }
}

impl Write for Former {
    fn write(&self, rows: Vec<Row>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let (done, answer) = oneshot::channel();
            self.waiting.send(Waiting { rows, done }).await.map_err(|_closed| gone())?;
            answer.await.map_err(|_dropped| gone())?
        })
    }
}
