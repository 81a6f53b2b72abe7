//! Threads that block.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::ThreadId;

use tokio::sync::{mpsc, oneshot};

use super::*;

/// A worker that blocks its thread when told to, in its first incarnation, until it is released.
struct Blocker {
    block: Arc<Notify>,
    /// Said just before it blocks.
    blocking: Arc<Notify>,
    release: SyncSender<()>,
    /// The thread of each incarnation.
    threads: mpsc::Receiver<ThreadId>,
    /// Resolves when the first incarnation is gone for good.
    gone: oneshot::Receiver<()>,
}

impl Blocker {
    fn new(name: &str) -> (Worker, Self) {
        let (release, released) = sync_channel(1);
        let (thread, threads) = mpsc::channel(10);
        let (is_gone, gone) = oneshot::channel::<()>();
        let [block, blocking] = [(); 2].map(|()| Arc::new(Notify::new()));
        let (wait, says_so) = (Arc::clone(&block), Arc::clone(&blocking));
        let first = Arc::new(Mutex::new(Some((released, is_gone))));
        let worker = Worker::new(name, move |context| {
            let (wait, says_so) = (Arc::clone(&wait), Arc::clone(&says_so));
            let (thread, first) = (thread.clone(), first.lock().unwrap().take());
            async move {
                thread.send(std::thread::current().id()).await?;
                context.ready();
                tokio::select! { () = wait.notified() => {}, () = context.stopping() => return Ok(()) }
                let (released, _is_gone): (Receiver<()>, _) = first.expect("told to block once");
                says_so.notify_one();
                released.recv()?;
                bail!("late: nobody may hear of this")
            }
        });
        (worker, Self { block, blocking, release, threads, gone })
    }
}

/// An ordinary worker that answers as long as its thread does.
fn answering(name: &str) -> (Worker, mpsc::Sender<oneshot::Sender<()>>) {
    let (sender, receiver) = mpsc::channel::<oneshot::Sender<()>>(1);
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let worker = Worker::new(name, move |context| {
        let receiver = Arc::clone(&receiver);
        async move {
            context.ready();
            let mut receiver = receiver.lock().await;
            loop {
                tokio::select! {
                    Some(reply) = receiver.recv() => drop(reply.send(())),
                    () = context.stopping() => return Ok(()),
                }
            }
        }
    });
    (worker, sender)
}

async fn ask(asked: &mpsc::Sender<oneshot::Sender<()>>) {
    let (reply, answer) = oneshot::channel();
    asked.send(reply).await.unwrap();
    answer.await.unwrap();
}

/// UX-12: the group whose thread is blocked is replaced on a new thread, the others did not wait, and what the old
/// incarnation says when it wakes changes nothing.
#[test]
fn a_blocked_group_is_replaced_while_its_siblings_keep_answering() {
    run(async {
        let (blocker, mut control) = Blocker::new("blocker");
        let (beside, _) = answering("beside");
        let (sibling, asked) = answering("sibling");
        let root = Group::new("umbel", watched())
            .child(Group::new("stuck", watched()).child(blocker).child(beside))
            .child(Group::new("other", watched()).child(sibling));
        let supervisor = Supervisor::start(root);
        let tree = up(&supervisor).await;
        let old_thread = control.threads.recv().await.unwrap();

        control.block.notify_one();
        control.blocking.notified().await;
        for _ in 0..10 {
            ask(&asked).await;
        }
        let seen = restarted(&tree, "stuck/blocker", 1).await;
        ask(&asked).await;
        let cause = node(&seen, "stuck/blocker").last_cause.unwrap();
        assert!(cause.contains("its thread is blocked: no answer to the heartbeat within 500ms"), "{cause}");
        assert_eq!(node(&seen, "stuck/beside").restarts, 1, "it lost the same thread");
        assert_eq!(node(&seen, "stuck/blocker").abandoned, 1);
        assert_eq!(node(&seen, "other/sibling").restarts, 0);
        assert_ne!(control.threads.recv().await.unwrap(), old_thread);

        control.release.send(()).unwrap();
        assert!((&mut control.gone).await.is_err(), "dropped at last");
        ask(&asked).await;
        let seen = tree.snapshot();
        assert!(seen.is_up(), "\n{seen}");
        assert_eq!(node(&seen, "stuck/blocker").restarts, 1, "its late end was ignored");
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
    });
}

#[test]
fn a_worker_that_blocks_its_own_thread_is_replaced_alone() {
    run(async {
        let (blocker, mut control) = Blocker::new("blocker");
        let (beside, asked) = answering("beside");
        let root = Group::new("umbel", watched()).child(blocker.own_thread()).child(beside);
        let supervisor = Supervisor::start(root);
        let tree = up(&supervisor).await;
        let old_thread = control.threads.recv().await.unwrap();

        control.block.notify_one();
        let seen = restarted(&tree, "blocker", 1).await;
        ask(&asked).await;
        assert_eq!((node(&seen, "beside").restarts, node(&seen, "blocker").abandoned), (0, 1));
        assert_ne!(control.threads.recv().await.unwrap(), old_thread);
        control.release.send(()).unwrap();
        assert!((&mut control.gone).await.is_err(), "dropped at last");
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
    });
}

/// Migrations, say: `start_within` bounds them, not the heartbeat.
#[test]
fn a_worker_on_its_own_thread_may_block_it_until_it_is_ready() {
    run(async {
        let (entered, has_entered) = oneshot::channel();
        let (release, released) = sync_channel::<()>(1);
        let first = Arc::new(Mutex::new(Some((entered, released))));
        let worker = Worker::new("slow", move |context| {
            let first = first.lock().unwrap().take();
            async move {
                let (entered, released) = first.expect("started once");
                entered.send(()).expect("the test waits");
                released.recv()?;
                context.ready();
                context.stopping().await;
                Ok(())
            }
        });
        let limit = Duration::from_millis(200);
        let policy = Policy { heartbeat: Some(Heartbeat { every: limit / 5, limit }), ..brisk() };
        // Its thread is blocked too, for the same time, and is watched: when that shows, the limit has passed for both.
        let (blocker, control) = Blocker::new("blocker");
        let slow = Group::new("slow", policy.clone()).child(worker.own_thread());
        let root = Group::new("umbel", policy).child(blocker).child(slow);
        let supervisor = Supervisor::start(root);
        has_entered.await.unwrap();
        control.block.notify_one();
        supervisor.tree().wait_until(|tree| node(tree, "blocker").restarts >= 1).await;
        release.send(()).unwrap();
        let tree = up(&supervisor).await;
        assert_eq!(node(&tree.snapshot(), "slow/slow").restarts, 0);
        drop(control);
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
    });
}

#[test]
fn a_thread_that_was_stopped_from_inside_is_replaced() {
    run(async {
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let worker = Worker::new("saboteur", move |context| {
            let stopped = Arc::clone(&stopped);
            async move {
                context.ready();
                tokio::select! { () = stopped.notified() => {}, () = context.stopping() => return Ok(()) }
                actix::Arbiter::current().stop();
                std::future::pending().await
            }
        });
        let supervisor = Supervisor::start(Group::new("umbel", brisk()).child(worker));
        let tree = up(&supervisor).await;
        stop.notify_one();
        let seen = restarted(&tree, "saboteur", 1).await;
        assert_eq!(node(&seen, "saboteur").last_cause.unwrap(), "its thread has ended");
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
    });
}
