//! The first start, the ordered stop, and what the tree shows.

use super::*;

#[test]
fn children_start_in_order_and_stop_in_reverse() {
    run(async {
        let journal = Journal::default();
        let puppet = |name: &str| Puppet::in_journal(&journal).worker(name);
        let root = Group::new("umbel", brisk())
            .child(puppet("a"))
            .child(Group::new("app", brisk()).child(puppet("b")).child(puppet("c")))
            .child(puppet("d").own_thread());
        let supervisor = Supervisor::start(root);
        let tree = up(&supervisor).await;
        assert_eq!(journal.take(), ["start a", "start b", "start c", "start d"]);
        assert_eq!(
            tree.snapshot().to_string(),
            "umbel      up\n\
             |-- a      up\n\
             |-- app    up\n\
             |   |-- b  up\n\
             |   `-- c  up\n\
             `-- d      up"
        );
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
        assert_eq!(journal.take(), ["stop d", "stop c", "stop b", "stop a"]);
        assert_eq!(tree.snapshot().state, State::Stopped);
        assert_eq!(supervisor.finished().await, Outcome::Stopped, "and so it stays");
    });
}

#[test]
fn a_child_starts_only_when_the_one_before_is_ready() {
    run(async {
        let (journal, open) = (Journal::default(), Arc::new(Notify::new()));
        let (log, gate) = (journal.clone(), Arc::clone(&open));
        let slow = Worker::new("slow", move |context| {
            let (log, gate) = (log.clone(), Arc::clone(&gate));
            async move {
                log.note("slow begins");
                gate.notified().await;
                log.note("slow is ready");
                context.ready();
                context.stopping().await;
                Ok(())
            }
        });
        let root =
            Group::new("umbel", brisk()).child(slow).child(Puppet::in_journal(&journal).worker("next"));
        let supervisor = Supervisor::start(root);
        open.notify_one();
        up(&supervisor).await;
        assert_eq!(journal.take(), ["slow begins", "slow is ready", "start next"]);
        supervisor.shut_down().await;
    });
}

#[test]
fn a_failure_in_the_first_start_ends_the_tree_with_its_cause() {
    run(async {
        let journal = Journal::default();
        let port = Worker::new("http", |_| async {
            let error = std::io::Error::from(std::io::ErrorKind::AddrInUse);
            Err(anyhow::Error::from(error).context("cannot listen on 127.0.0.1:4000"))
        });
        let root = Group::new("umbel", brisk())
            .child(Puppet::in_journal(&journal).worker("a"))
            .child(Group::new("gateway", brisk()).child(port))
            .child(Puppet::in_journal(&journal).worker("never"));
        let supervisor = Supervisor::start(root);
        let failed = Outcome::FailedToStart {
            path: "umbel/gateway/http".to_owned(),
            cause: "cannot listen on 127.0.0.1:4000: address in use".to_owned(),
        };
        assert_eq!(supervisor.finished().await, failed);
        assert_eq!(journal.take(), ["start a", "stop a"]);
        let seen = supervisor.tree().snapshot();
        assert_eq!(node(&seen, "gateway/http").restarts, 0, "it was not tried again");
        let refused = supervisor.tree().wait_until_up(PATIENCE).await.unwrap_err();
        assert_eq!(refused.reason, "the tree ended before it was up");
    });
}

#[test]
fn a_worker_that_is_never_ready_fails_the_first_start() {
    run(async {
        let policy = Policy { start_within: Duration::from_millis(50), ..brisk() };
        let worker = Worker::new("mute", |_| std::future::pending());
        let supervisor = Supervisor::start(Group::new("umbel", policy).child(worker));
        let failed = Outcome::FailedToStart {
            path: "umbel/mute".to_owned(),
            cause: "not ready within 50ms".to_owned(),
        };
        assert_eq!(supervisor.finished().await, failed);
    });
}

#[test]
fn a_worker_that_does_not_stop_is_abandoned_at_the_deadline_and_told_of() {
    run(async {
        let journal = Journal::default();
        let deaf = Worker::new("deaf", |context| async move {
            context.ready();
            std::future::pending().await
        });
        let policy = Policy { stop_within: Duration::from_millis(50), ..brisk() };
        let root = Group::new("umbel", brisk())
            .child(Puppet::in_journal(&journal).worker("a"))
            .child(Group::new("app", policy).child(deaf));
        let supervisor = Supervisor::start(root);
        let tree = up(&supervisor).await;
        let abandoned = Outcome::Abandoned { paths: vec!["umbel/app/deaf".to_owned()] };
        assert_eq!(supervisor.shut_down().await, abandoned);
        let deaf = node(&tree.snapshot(), "app/deaf");
        assert_eq!(deaf.state, State::Abandoned);
        assert_eq!(deaf.last_cause.unwrap(), "did not stop within 50ms; abandoned");
        assert_eq!(journal.take(), ["start a", "stop a"], "the others stopped as they should");
    });
}

#[test]
fn a_stop_during_the_start_ends_what_has_started() {
    run(async {
        let journal = Journal::default();
        let endless = Worker::new("endless", |context| async move {
            context.stopping().await;
            Ok(())
        });
        let root = Group::new("umbel", brisk())
            .child(Puppet::in_journal(&journal).worker("a"))
            .child(endless)
            .child(Puppet::in_journal(&journal).worker("never"));
        let supervisor = Supervisor::start(root);
        supervisor.tree().wait_until(|tree| node(tree, "a").state == State::Up).await;
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
        assert_eq!(journal.take(), ["start a", "stop a"]);
    });
}
