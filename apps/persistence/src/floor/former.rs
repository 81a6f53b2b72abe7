//! Group commit at its barest: all that waits becomes the next transaction.

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use umbel_core::store::StoreError;

use super::{Row, Write};

/// Appends that may wait: more than any benchmark has callers.
const QUEUE: usize = 4096;

/// Takes appends of all callers and gives them to one writer, group by group.
pub(crate) struct Former {
    waiting: mpsc::Sender<Waiting>,
}

/// Stores the rows of one group in one transaction, at the positions from the given one on.
pub(crate) trait Insert: Send + 'static {
    fn insert(&mut self, first_position: i64, rows: Vec<Row>) -> BoxFuture<'_, Result<(), StoreError>>;
}

struct Waiting {
    rows: Vec<Row>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl Former {
    /// Starts it on the current runtime, which must be the callers': a thread of its own would wake for the first
    /// of the callers that are answered together and find the others not there yet. It ends when it is dropped.
    pub(crate) fn start(mut writer: impl Insert, group_max: usize) -> Self {
        let (waiting, mut queued) = mpsc::channel::<Waiting>(QUEUE);
        tokio::spawn(async move {
            let (mut group, mut next_position) = (Vec::with_capacity(group_max), 1);
            while queued.recv_many(&mut group, group_max.max(1)).await > 0 {
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
        });
        Self { waiting }
    }
}

impl Write for Former {
    fn write(&self, rows: Vec<Row>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let gone = || StoreError::Unavailable { reason: "the floor's writer is gone".into() };
            let (done, answer) = oneshot::channel();
            self.waiting.send(Waiting { rows, done }).await.map_err(|_closed| gone())?;
            answer.await.map_err(|_dropped| gone())?
        })
    }
}
