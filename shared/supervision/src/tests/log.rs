//! What the log tells of restarts, abandonments and escalations.

use std::fmt::{Debug, Write};
use std::sync::OnceLock;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::*;
use crate::Strategy;

/// Collects the lines of this process's log that warn or worse.
struct Lines;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LINES.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // How long a restart waits has jitter.
        if field.name() != "after" {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, " {}={value}", field.name()).unwrap();
    }
}

/// The lines about this tree, which other tests have none of. Theirs is a thread of their own, hence one collector for all.
fn about(root: &str) -> Vec<String> {
    let lines = LINES.lock().unwrap();
    lines.iter().filter(|line| line.contains(&format!("path={root}"))).cloned().collect()
}

fn collect() {
    static COLLECTING: OnceLock<()> = OnceLock::new();
    COLLECTING.get_or_init(|| tracing::subscriber::set_global_default(Lines).unwrap());
}

#[test]
fn each_restart_and_the_escalation_are_a_line_with_path_cause_and_count() {
    collect();
    run(async {
        let [a, b] = [(); 2].map(|()| Puppet::default());
        let policy = Policy {
            intensity: Intensity { max_restarts: 1, within: Duration::from_secs(60) },
            ..brisk().strategy(Strategy::RestForOne)
        };
        let root = Group::new("told", policy).child(a.worker("a")).child(b.worker("b"));
        let supervisor = Supervisor::start(root);
        let tree = up(&supervisor).await;
        a.fail.notify_one();
        restarted(&tree, "b", 1).await;
        a.fail.notify_one();
        assert!(matches!(supervisor.finished().await, Outcome::Escalated { .. }));
        assert_eq!(
            about("told"),
            [
                "WARN message=restarting path=told/a cause=a was told to fail restarts=1",
                "WARN message=restarting path=told/b cause=restarted along with told/a restarts=1",
                "ERROR message=gives up path=told cause=a was told to fail child=told/a restarts=1 within=60s",
            ]
        );
    });
}

#[test]
fn each_abandonment_is_a_line_with_path_cause_and_count() {
    collect();
    run(async {
        let fail = Arc::new(Notify::new());
        let failing = Arc::clone(&fail);
        let incarnations = Mutex::new(0);
        let worker = Worker::new("w", move |context| {
            let failing = Arc::clone(&failing);
            let mut incarnations = incarnations.lock().unwrap();
            *incarnations += 1;
            let incarnation = *incarnations;
            async move {
                if incarnation == 2 {
                    std::future::pending::<()>().await;
                }
                context.ready();
                // The third one does not stop, either.
                failing.notified().await;
                bail!("first")
            }
        });
        let limit = Duration::from_millis(100);
        let policy = Policy { start_within: limit, stop_within: limit, ..brisk() };
        let supervisor = Supervisor::start(Group::new("left", policy).child(worker));
        let tree = up(&supervisor).await;
        fail.notify_one();
        restarted(&tree, "w", 2).await;
        let paths = vec!["left/w".to_owned()];
        assert_eq!(supervisor.shut_down().await, Outcome::Abandoned { paths });
        assert_eq!(node(&tree.snapshot(), "w").abandoned, 2);
        assert_eq!(
            about("left"),
            [
                "WARN message=restarting path=left/w cause=first restarts=1",
                "WARN message=abandoned path=left/w cause=not ready within 100ms abandoned=1",
                "WARN message=restarting path=left/w cause=not ready within 100ms restarts=2",
                "WARN message=abandoned path=left/w cause=did not stop within 100ms; abandoned abandoned=2",
            ]
        );
    });
}
