//! Groups that come and go while the tree runs.

use super::*;
use anyhow::anyhow;

use crate::{Incurable, Restart, Roster, Taken};

fn group(name: &str, worker: Worker) -> Group {
    Group::new(name, brisk()).child(worker)
}

/// A tree with a worker and a roster that bears no restart.
fn tree_with(roster: &Roster, other: &Puppet) -> Supervisor {
    let strict = Policy { intensity: Intensity { max_restarts: 0, ..brisk().intensity }, ..brisk() };
    Supervisor::start(Group::new("umbel", strict).child(other.worker("other")).child(roster.clone()))
}

async fn is_up(roster: &Roster, name: &str) {
    roster.tree(name).await.unwrap().wait_until_up(PATIENCE).await.unwrap();
}

#[test]
fn a_group_comes_and_goes_while_the_others_go_on() {
    run(async {
        let (roster, journal) = (Roster::new("tenants", brisk()), Journal::default());
        let [other, a, b] = [(); 3].map(|()| Puppet::in_journal(&journal));
        roster.add(group("a", a.worker("one"))).unwrap();
        assert_eq!(roster.add(group("a", a.worker("one"))), Err(Taken { name: "a".into() }));
        let supervisor = tree_with(&roster, &other);
        let tree = up(&supervisor).await;
        assert_eq!(node(&tree.snapshot(), "tenants/a").restart, Restart::Independent);
        roster.add(group("b", b.worker("two"))).unwrap();
        is_up(&roster, "b").await;
        assert_eq!(journal.take(), ["start other", "start one", "start two"]);

        assert_eq!(roster.remove("a").await, Some(Outcome::Stopped));
        assert_eq!(journal.take(), ["stop one"]);
        assert!(roster.remove("a").await.is_none() && roster.tree("a").await.is_none());
        let names = node(&tree.snapshot(), "tenants").children;
        assert_eq!(names.iter().map(|child| &*child.name).collect::<Vec<_>>(), ["b"]);

        // The order counts from when it is given, and one of that name comes after it.
        drop(roster.remove("b"));
        roster.add(group("b", b.worker("three"))).unwrap();
        is_up(&roster, "b").await;
        assert_eq!(journal.take(), ["stop two", "start three"]);
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
        assert_eq!(journal.take(), ["stop three", "stop other"]);
        assert_eq!(roster.remove("b").await, Some(Outcome::Stopped), "it has ended with the tree");
    });
}

#[test]
fn what_no_restart_helps_one_of_them_ends_all() {
    run(async {
        let (roster, journal) = (Roster::new("tenants", brisk()), Journal::default());
        let [other, good] = [(); 2].map(|()| Puppet::in_journal(&journal));
        roster.add(group("good", good.worker("good"))).unwrap();
        let supervisor = tree_with(&roster, &other);
        up(&supervisor).await;
        is_up(&roster, "good").await;
        roster
            .add(group("lost", Worker::new("store", |_| async { Err(anyhow!("back").context(Incurable)) })))
            .unwrap();
        let Outcome::Escalated { path, cause } = supervisor.finished().await else { panic!() };
        assert_eq!((&*path, &*cause), ("umbel/tenants/lost/store", "no restart helps: back"));
        assert_eq!(journal.take(), ["start other", "start good", "stop good", "stop other"]);
    });
}

#[test]
fn one_that_fails_is_started_again_and_takes_nobody_along() {
    run(async {
        let (roster, journal) = (Roster::new("tenants", brisk()), Journal::default());
        let [other, good, frail] = [(); 3].map(|()| Puppet::in_journal(&journal));
        let hopeless = Worker::new("never", |_| async { bail!("no database") });
        let stuck = Worker::new("stuck", |context| async move {
            context.stopping().await;
            Ok(())
        });
        // Neither one that cannot start nor one that takes its time for it keeps those behind it.
        roster.add(group("hopeless", hopeless)).unwrap();
        roster.add(group("stuck", stuck)).unwrap();
        roster.add(group("good", good.worker("good"))).unwrap();
        let strict = Policy { intensity: Intensity { max_restarts: 1, ..brisk().intensity }, ..brisk() };
        roster.add(Group::new("frail", strict).child(frail.worker("frail"))).unwrap();
        let supervisor = tree_with(&roster, &other);
        let tree = supervisor.tree();
        for name in ["good", "frail"] {
            is_up(&roster, name).await;
        }
        for failed in 1..=10 {
            frail.fail.notify_one();
            let frail = |tree: &TreeNode| node(tree, "tenants/frail");
            let again = move |tree: &TreeNode| {
                let (group, worker) = (frail(tree), node(tree, "tenants/frail/frail"));
                group.is_up() && group.restarts + worker.restarts >= failed
            };
            tree.wait_until(again).await;
        }
        let seen = tree.wait_until(|tree| node(tree, "tenants/hopeless").restarts > 10).await;
        assert!(node(&seen, "tenants/frail").restarts > 0, "beyond its intensity it begins anew:\n{seen}");
        let untouched =
            ["other", "tenants", "tenants/good", "tenants/stuck"].map(|path| node(&seen, path).restarts);
        assert_eq!(untouched, [0; 4]);
        assert_eq!(node(&seen, "tenants").state, State::Up);
        let cause = node(&seen, "tenants/hopeless").last_cause.unwrap();
        assert_eq!(cause, "umbel/tenants/hopeless/never: no database");

        assert_eq!(roster.remove("hopeless").await, Some(Outcome::Stopped));
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
    });
}

#[test]
fn one_that_does_not_stop_is_left_behind_and_named() {
    run(async {
        let (roster, other) = (Roster::new("tenants", brisk()), Puppet::default());
        let deaf = Worker::new("deaf", |context| async move {
            context.ready();
            std::future::pending().await
        });
        let soon = Policy { stop_within: Duration::from_millis(20), ..brisk() };
        roster.add(Group::new("a", soon.clone()).child(deaf.clone())).unwrap();
        roster.add(Group::new("b", soon).child(deaf)).unwrap();
        let supervisor = tree_with(&roster, &other);
        up(&supervisor).await;
        let left = |name: &str| Outcome::Abandoned { paths: vec![format!("umbel/tenants/{name}/deaf")] };
        assert_eq!(roster.remove("a").await, Some(left("a")));
        assert_eq!(supervisor.shut_down().await, left("b"));
    });
}
