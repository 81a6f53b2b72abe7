//! Who comes back after which end, and when the group gives up.

use super::*;
use anyhow::anyhow;

use crate::{Incurable, Restart, Strategy};

fn cause_of(tree: &TreeNode, path: &str) -> String {
    node(tree, path).last_cause.expect("a cause")
}

#[test]
fn a_worker_that_fails_or_panics_or_just_returns_is_restarted_with_its_cause() {
    run(async {
        let puppet = Puppet::default();
        let supervisor = Supervisor::start(Group::new("umbel", brisk()).child(puppet.worker("a")));
        let tree = up(&supervisor).await;

        puppet.fail.notify_one();
        assert_eq!(cause_of(&restarted(&tree, "a", 1).await, "a"), "a was told to fail");

        puppet.panic.notify_one();
        let cause = cause_of(&restarted(&tree, "a", 2).await, "a");
        assert!(cause.starts_with("panicked: a was told to panic (at "), "{cause}");
        assert!(cause.contains("mod.rs:"), "names the place: {cause}");

        puppet.finish.notify_one();
        assert_eq!(cause_of(&restarted(&tree, "a", 3).await, "a"), "ended without being told to");
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
    });
}

#[test]
fn transient_and_temporary_workers_stay_down_when_their_kind_says_so() {
    run(async {
        let [job, flaky, once] = [(); 3].map(|()| Puppet::default());
        let root = Group::new("umbel", brisk())
            .child(job.worker("job").restart(Restart::Transient))
            .child(flaky.worker("flaky").restart(Restart::Transient))
            .child(once.worker("once").restart(Restart::Temporary));
        let supervisor = Supervisor::start(root);
        let tree = up(&supervisor).await;

        job.finish.notify_one();
        flaky.fail.notify_one();
        once.fail.notify_one();
        let seen = tree
            .wait_until(|tree| {
                let state = |path| node(tree, path).state;
                state("job") == State::Stopped
                    && state("once") == State::Failed
                    && state("flaky") == State::Up
                    && node(tree, "flaky").restarts == 1
            })
            .await;
        assert!(seen.is_up(), "what ended by its kind does not count:\n{seen}");
        assert_eq!(cause_of(&seen, "once"), "once was told to fail");
        assert_eq!((node(&seen, "job").restarts, node(&seen, "once").restarts), (0, 0));
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
    });
}

/// Starts a, b, c under the strategy, lets b fail, and says what happened then until all are up again.
fn after_b_fails(strategy: Strategy) -> (Vec<String>, [u32; 3]) {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    run(async move {
        let journal = Journal::default();
        let [a, b, c] = [(); 3].map(|()| Puppet::in_journal(&journal));
        let root = Group::new("umbel", brisk().strategy(strategy))
            .child(a.worker("a"))
            .child(b.worker("b"))
            .child(c.worker("c"));
        let supervisor = Supervisor::start(root);
        let tree = up(&supervisor).await;
        assert_eq!(journal.take(), ["start a", "start b", "start c"]);
        b.fail.notify_one();
        let seen = restarted(&tree, "b", 1).await;
        sender.send((journal.take(), ["a", "b", "c"].map(|path| node(&seen, path).restarts))).unwrap();
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
    });
    receiver.recv().unwrap()
}

#[test]
fn one_for_one_restarts_the_failed_child_alone() {
    let (happened, restarts) = after_b_fails(Strategy::OneForOne);
    assert_eq!(happened, ["start b"]);
    assert_eq!(restarts, [0, 1, 0]);
}

#[test]
fn rest_for_one_restarts_the_later_ones_too_in_order() {
    let (happened, restarts) = after_b_fails(Strategy::RestForOne);
    assert_eq!(happened, ["stop c", "start b", "start c"]);
    assert_eq!(restarts, [0, 1, 1]);
}

#[test]
fn one_for_all_restarts_everybody_in_order() {
    let (happened, restarts) = after_b_fails(Strategy::OneForAll);
    assert_eq!(happened, ["stop c", "stop a", "start a", "start b", "start c"]);
    assert_eq!(restarts, [1, 1, 1]);
}

/// A worker that comes up and fails at once in each incarnation, once it was let loose.
fn hopeless(name: &str, loose: &Arc<tokio::sync::Semaphore>) -> Worker {
    let loose = Arc::clone(loose);
    Worker::new(name, move |context| {
        let loose = Arc::clone(&loose);
        async move {
            context.ready();
            drop(loose.acquire().await?);
            bail!("hopeless")
        }
    })
}

/// UX-11: what others can do without comes up when it can, fails for ever if it must, and takes nobody down: not at the first start, not
/// beyond any intensity. Its group does not wait for it, and restarts others meanwhile.
#[test]
fn an_independent_worker_fails_on_its_own_account() {
    run(async {
        let (journal, loose) = (Journal::default(), Arc::new(tokio::sync::Semaphore::new(0)));
        let opens = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let open = Arc::clone(&opens);
        let shut = Worker::new("shut", move |context| {
            let open = open.load(std::sync::atomic::Ordering::SeqCst);
            async move {
                anyhow::ensure!(open, "shut");
                context.ready();
                context.stopping().await;
                Ok(())
            }
        });
        let sibling = Puppet::in_journal(&journal);
        let policy = Policy { intensity: Intensity { max_restarts: 1, within: PATIENCE }, ..brisk() };
        let root = Group::new("umbel", policy)
            .child(shut.restart(Restart::Independent))
            .child(hopeless("hopeless", &loose).restart(Restart::Independent))
            .child(sibling.worker("sibling"));
        let supervisor = Supervisor::start(root);
        let tree = supervisor.tree();
        let seen = tree.wait_until(|tree| tree.state == State::Up).await;
        assert!(!seen.is_up(), "{seen}");
        let failed = |tree: &TreeNode, times| {
            ["shut", "hopeless"].iter().all(|path| node(tree, path).restarts >= times)
        };
        loose.add_permits(1);
        let seen = tree.wait_until(|tree| failed(tree, 5)).await;
        assert_eq!(
            (cause_of(&seen, "shut"), cause_of(&seen, "hopeless")),
            ("shut".into(), "hopeless".into())
        );
        assert_eq!((seen.state, node(&seen, "sibling").restarts), (State::Up, 0));
        sibling.fail.notify_one();
        tree.wait_until(|tree| {
            node(tree, "sibling").restarts == 1 && node(tree, "sibling").state == State::Up
        })
        .await;
        assert_eq!(journal.take(), ["start sibling", "start sibling"]);
        opens.store(true, std::sync::atomic::Ordering::SeqCst);
        tree.wait_until(|tree| node(tree, "shut").state == State::Up).await;
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
    });
}

/// UX-11: an independent worker whose start hangs holds up nobody who is started after it, and its group only until it is late the first time.
#[test]
fn an_independent_worker_that_hangs_in_its_start_holds_nobody_up() {
    run(async {
        let hangs = |name: &str| {
            Worker::new(name, |context| async move {
                context.stopping().await;
                Ok(())
            })
            .restart(Restart::Independent)
        };
        let journal = Journal::default();
        let policy = Policy { start_within: Duration::from_secs(2), ..brisk() };
        let quick = Puppet::in_journal(&journal);
        let root = Group::new("umbel", policy)
            .child(hangs("hangs"))
            .child(hangs("as_well"))
            .child(quick.worker("quick").restart(Restart::Independent))
            .child(Puppet::in_journal(&journal).worker("sibling"));
        let supervisor = Supervisor::start(root);
        let tree = supervisor.tree();
        let is_up = |tree: &TreeNode, path| node(tree, path).state == State::Up;
        let seen = tree.wait_until(|tree| is_up(tree, "quick") && is_up(tree, "sibling")).await;
        assert_eq!((node(&seen, "hangs").restarts, seen.state), (0, State::Starting), "{seen}");
        let seen = tree.wait_until(|tree| tree.state == State::Up).await;
        assert!(cause_of(&seen, "hangs").contains("not ready within"), "{seen}");
        quick.fail.notify_one();
        let again = |tree: &TreeNode| is_up(tree, "quick") && node(tree, "quick").restarts == 1;
        let seen = tree.wait_until(again).await;
        assert!(!is_up(&seen, "hangs"), "{seen}");
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
    });
}

/// UX-11: each group bears its restarts, then fails as a child of its parent, up to the root.
#[test]
fn beyond_the_intensity_the_failure_escalates_to_the_root() {
    run(async {
        let journal = Journal::default();
        let loose = Arc::new(tokio::sync::Semaphore::new(0));
        let bears = |max_restarts| Policy {
            intensity: Intensity { max_restarts, within: Duration::from_secs(60) },
            ..brisk()
        };
        let root = Group::new("umbel", bears(1))
            .child(Puppet::in_journal(&journal).worker("sibling"))
            .child(Group::new("app", bears(2)).child(hopeless("w", &loose)));
        let supervisor = Supervisor::start(root);
        let tree = up(&supervisor).await;
        loose.add_permits(1);

        let Outcome::Escalated { path, cause } = supervisor.finished().await else {
            panic!("did not escalate:\n{}", tree.snapshot())
        };
        assert_eq!(path, "umbel/app/w");
        assert_eq!(
            cause,
            "hopeless; umbel/app gave up (max_restarts = 2 within 60s); umbel gave up (max_restarts = 1 within 60s)"
        );
        let seen = tree.snapshot();
        assert_eq!((seen.state, node(&seen, "app").state), (State::Failed, State::Failed));
        assert_eq!((node(&seen, "app").restarts, node(&seen, "app/w").restarts), (1, 4), "\n{seen}");
        assert_eq!(node(&seen, "sibling").state, State::Stopped);
        assert_eq!(journal.take(), ["start sibling", "stop sibling"], "others stop in order");
    });
}

/// UX-11: what no restart helps is not restarted, by no group up to the root; the others stop in order.
#[test]
fn what_no_restart_helps_ends_the_tree_at_once() {
    run(async {
        let (journal, fail) = (Journal::default(), Arc::new(Notify::new()));
        let failing = Arc::clone(&fail);
        let worker = Worker::new("w", move |context| {
            let failing = Arc::clone(&failing);
            async move {
                context.ready();
                failing.notified().await;
                Err(anyhow!("the log is another").context(Incurable).context("looking"))
            }
        });
        let inner = Group::new("app", brisk()).child(worker.restart(Restart::Independent));
        let root =
            Group::new("umbel", brisk()).child(Puppet::in_journal(&journal).worker("sibling")).child(inner);
        let supervisor = Supervisor::start(root);
        let tree = up(&supervisor).await;
        fail.notify_one();
        let cause = "looking: no restart helps: the log is another".to_owned();
        let escalated = Outcome::Escalated { path: "umbel/app/w".into(), cause };
        assert_eq!(supervisor.finished().await, escalated);
        let seen = tree.snapshot();
        assert_eq!((node(&seen, "app").restarts, node(&seen, "app/w").restarts), (0, 0), "\n{seen}");
        assert_eq!(journal.take(), ["start sibling", "stop sibling"]);
    });
}

#[test]
fn a_restart_that_does_not_get_ready_counts_as_a_failure() {
    run(async {
        let (journal, fail) = (Journal::default(), Arc::new(Notify::new()));
        let (log, failing) = (journal.clone(), Arc::clone(&fail));
        let worker = Worker::new("late", move |context| {
            let (log, failing) = (log.clone(), Arc::clone(&failing));
            async move {
                let incarnation = log.0.lock().unwrap().len();
                log.note("start");
                if incarnation == 1 {
                    // Does not listen to stop either.
                    std::future::pending::<()>().await;
                }
                context.ready();
                tokio::select! { () = failing.notified() => bail!("first"), () = context.stopping() => Ok(()) }
            }
        });
        let policy = Policy { start_within: Duration::from_millis(100), ..brisk() };
        let supervisor = Supervisor::start(Group::new("umbel", policy).child(worker));
        let tree = up(&supervisor).await;
        fail.notify_one();
        let seen = restarted(&tree, "late", 2).await;
        assert_eq!(cause_of(&seen, "late"), "not ready within 100ms");
        assert_eq!(journal.take().len(), 3);
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
    });
}
