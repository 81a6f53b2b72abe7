//! Threads that own connections, and the bounded queue in front of them.
//!
//! A job runs on whichever of the threads is free. It runs to its end even when nobody waits for the answer any
//! more; one that nobody waits for when its turn comes is left out.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

type Job<C> = Box<dyn FnOnce(&mut C) + Send>;

/// Some threads of one kind, each with a connection and what belongs to it. Dropping it lets what is running end, closes the connections and ends the threads.
#[derive(Debug)]
pub(super) struct Workers<C = Connection> {
    // Dropped first, which ends the threads that the second field then waits for.
    jobs: mpsc::Sender<Job<C>>,
    _threads: Threads,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The threads are gone; the job did not begin.
    NotBegun,
    /// The job panicked.
    Halfway,
}

#[derive(Debug, Default)]
struct Threads(Vec<thread::JoinHandle<()>>);

impl<C: Send + 'static> Workers<C> {
    /// One named thread per connection; at most `queue` jobs wait, then callers do.
    pub(super) fn start(name: &str, connections: Vec<C>, queue: usize) -> io::Result<Self> {
        let (jobs, queued) = mpsc::channel(queue);
        let queued = Arc::new(Mutex::new(queued));
        let mut threads = Threads::default();
        for connection in connections {
            let queued = queued.clone();
            let builder = thread::Builder::new().name(name.to_owned());
            threads.0.push(builder.spawn(move || work(connection, &queued))?);
        }
        Ok(Self { jobs, _threads: threads })
    }

    /// Runs the job on one of the threads.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut C) -> T + Send + 'static,
    ) -> Result<T, Lost> {
        let (reply, answer) = oneshot::channel();
        let job = move |connection: &mut C| {
            if !reply.is_closed() {
                // Nobody waits any more when this fails.
                drop(reply.send(job(connection)));
            }
        };
        self.jobs.send(Box::new(job)).await.map_err(|_closed| Lost::NotBegun)?;
        answer.await.map_err(|_dropped| Lost::Halfway)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        for thread in self.0.drain(..) {
            // A panic was reported when it happened.
            drop(thread.join());
        }
    }
}

fn work<C>(mut connection: C, queued: &Mutex<mpsc::Receiver<Job<C>>>) {
    loop {
        // The lock is held while waiting: the threads wait for it instead of for the queue.
        let job = queued.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(job) = job else { return };
        // A panic is a bug in one job. Its transaction is rolled back as the stack unwinds, so the connection is
        // as good as before, and the store goes on.
        if catch_unwind(AssertUnwindSafe(|| job(&mut connection))).is_err() {
            tracing::error!("a request to the SQLite store panicked and was rolled back");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workers() -> Workers {
        Workers::start("test", vec![Connection::open_in_memory().unwrap()], 1).unwrap()
    }

    #[tokio::test]
    async fn a_panicking_job_is_lost_and_the_next_one_runs() {
        let workers = workers();
        assert_eq!(workers.run(|_| panic!("on purpose")).await, Err::<(), _>(Lost::Halfway));
        assert_eq!(workers.run(|_| 1).await, Ok(1));
    }

    /// A caller that gives up neither stops the thread nor loses what the job had begun.
    #[tokio::test]
    async fn a_dropped_request_does_not_hang_the_thread() {
        let workers = workers();
        let (begun, has_begun) = oneshot::channel();
        let (go, wait) = std::sync::mpsc::sync_channel::<()>(1);
        let given_up = workers.run(move |connection| {
            begun.send(()).unwrap();
            wait.recv().unwrap();
            connection.execute_batch("CREATE TABLE begun (x)").unwrap();
        });
        tokio::select! {
            _ = given_up => unreachable!("it waits"),
            begun = has_begun => begun.unwrap(),
        }
        go.send(()).unwrap();
        let found = workers.run(|connection| connection.table_exists(None, "begun").unwrap()).await;
        assert_eq!(found, Ok(true));
    }

    #[test]
    fn dropping_ends_the_threads() {
        let queued = {
            let workers = workers();
            workers.jobs.downgrade()
        };
        assert!(queued.upgrade().is_none());
    }
}
