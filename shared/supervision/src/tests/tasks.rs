//! The tasks that belong to a worker.

use super::*;

/// Says when it is dropped.
struct Held(Journal, &'static str);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.note(format!("{} dropped", self.1));
    }
}

/// A task's error is its worker's, whatever the worker's future is doing; nothing of the incarnation is left when the next one
/// starts.
#[test]
fn a_task_that_fails_takes_its_worker_and_the_other_tasks_along() {
    run(async {
        let (journal, fail) = (Journal::default(), Arc::new(Notify::new()));
        let (log, failing) = (journal.clone(), Arc::clone(&fail));
        let worker = Worker::new("w", move |context| {
            let (log, failing) = (log.clone(), Arc::clone(&failing));
            async move {
                log.note("start");
                let (in_task, in_future) = (Held(log.clone(), "task"), Held(log, "future"));
                context.spawn("done at once", async { Ok(()) });
                context.spawn("endless", async move {
                    let _held = in_task;
                    std::future::pending().await
                });
                context.spawn("reader", async move {
                    failing.notified().await;
                    bail!("the socket is gone")
                });
                let _held = in_future;
                context.ready();
                context.stopping().await;
                Ok(())
            }
        });
        let supervisor = Supervisor::start(Group::new("umbel", brisk()).child(worker));
        let tree = up(&supervisor).await;
        fail.notify_one();
        let seen = restarted(&tree, "w", 1).await;
        assert_eq!(node(&seen, "w").last_cause.unwrap(), "its task reader failed: the socket is gone");
        assert_eq!(journal.take(), ["start", "future dropped", "task dropped", "start"]);
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
        assert_eq!(journal.take(), ["future dropped", "task dropped"], "an ordered stop ends them, too");
        assert_eq!(node(&tree.snapshot(), "w").restarts, 1);
    });
}

/// Whoever keeps the context of an incarnation that has ended can start nothing any more in its name.
#[test]
fn a_context_outlives_its_incarnation_without_a_task() {
    run(async {
        let (journal, fail) = (Journal::default(), Arc::new(Notify::new()));
        let (log, failing) = (journal.clone(), Arc::clone(&fail));
        let former = Arc::new(Mutex::new(None));
        let worker = Worker::new("w", move |context| {
            let (log, failing, former) = (log.clone(), Arc::clone(&failing), Arc::clone(&former));
            async move {
                let kept: Option<crate::WorkerContext> = former.lock().unwrap().replace(context.clone());
                if let Some(kept) = kept {
                    kept.spawn("late", async move {
                        log.note("this must not run");
                        Ok(())
                    });
                }
                context.ready();
                tokio::select! { () = failing.notified() => bail!("first"), () = context.stopping() => Ok(()) }
            }
        });
        let supervisor = Supervisor::start(Group::new("umbel", brisk()).child(worker));
        let tree = up(&supervisor).await;
        fail.notify_one();
        restarted(&tree, "w", 1).await;
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
        assert_eq!(journal.take(), [""; 0]);
    });
}
