//! Events that take along whoever handles them: they end the process, or block its thread.

use std::{fs, time::Duration};

use serde_json::{Value, json};

use super::{
    node::{Handler, MANAGER, Node, blocking, deadly},
    stage::{Stage, Written, append, play, until},
};
use crate::support::{Store, Umbel};

/// Short: each owner that dies is replaced when its leases have run out.
const LEASE: Duration = Duration::from_millis(400);
/// Events of each key.
const EVENTS: u64 = 3;
/// Owners that an event may take along: two of whom nothing is known but that they died, and two that had begun it with care.
const DEATHS: usize = 4;

/// A node that is started again whenever its process has ended.
struct Service<'a> {
    stage: &'a Stage,
    handler: Handler,
    node: Node,
    ended: usize,
}

impl<'a> Service<'a> {
    fn start(stage: &'a Stage, handler: Handler) -> Self {
        Self { stage, handler, node: stage.node("node", handler), ended: 0 }
    }

    /// Looks after it; how often it had to be started again.
    fn look_after(&mut self) -> usize {
        if !self.node.runs() {
            self.ended += 1;
            self.node = self.stage.node("node", self.handler);
        }
        self.ended
    }
}

/// EH-16: an event that ends its process takes along a few, and then is a dead letter that says so; other keys go on meanwhile. Tried again
/// it takes along one more, and is handled once it can be.
#[test]
fn an_event_that_ends_its_process_becomes_a_dead_letter() {
    let umbel = Umbel::new(Store::postgres());
    // Before anything is waited for: the tool may have to be built first.
    umbel.json(&["store", "init"]);
    play(&umbel.place(), LEASE, async |stage| {
        let cause = stage.folder().join(deadly("ada"));
        fs::write(&cause, "").unwrap();
        write(stage, 1..=EVENTS).await;
        let mut service = Service::start(stage, Handler::Shared);
        let letters = parked(stage, &umbel, &mut service).await;
        assert_eq!(service.ended, DEATHS, "{letters:?}");
        assert_lost(&letters[0]);

        let retry = ["dead-letters", "retry", "--subscription", "failover.shared"];
        umbel.json(&retry);
        until("it to take along one more", async || {
            let (ended, letters) = (service.look_after(), umbel.json(&["dead-letters", "list"]));
            let again = ended == DEATHS + 1 && letters[0]["retry"] == json!(false);
            if again { Ok(()) } else { Err((ended, letters)) }
        })
        .await;

        fs::remove_file(&cause).unwrap();
        umbel.json(&retry);
        append(&stage.bus, "ada", EVENTS + 1).await;
        let written = Written::from([("ada".to_owned(), EVENTS + 1), ("bob".to_owned(), EVENTS)]);
        let handled = stage.settled(&written).await;
        assert_eq!(handled.again, []);
        assert_eq!(service.look_after(), DEATHS + 1);
    });
}

/// EH-16: so does one that blocks its thread, on which nobody can lay hands.
#[test]
fn an_event_that_blocks_its_thread_becomes_a_dead_letter() {
    let umbel = Umbel::new(Store::postgres());
    umbel.json(&["store", "init"]);
    play(&umbel.place(), LEASE, async |stage| {
        fs::write(stage.folder().join(blocking("ada")), "").unwrap();
        write(stage, 1..=EVENTS).await;
        let mut service = Service::start(stage, Handler::Shared);
        let letters = parked(stage, &umbel, &mut service).await;
        assert_lost(&letters[0]);
    });
}

/// EH-16: the same for a process manager.
#[test]
fn an_event_that_ends_the_process_of_a_manager_becomes_a_dead_letter() {
    let umbel = Umbel::new(Store::postgres());
    umbel.json(&["store", "init"]);
    play(&umbel.place(), LEASE, async |stage| {
        fs::write(stage.folder().join(deadly("ada")), "").unwrap();
        write(stage, 1..=EVENTS).await;
        let mut service = Service::start(stage, Handler::Manager);
        let letters = until("the dead letters", async || {
            let (ended, letters) = (service.look_after(), umbel.json(&["dead-letters", "list"]));
            let partitions = stage.partitions_of(MANAGER).await;
            let all = partitions.iter().all(|partition| partition.checkpoint.get() >= EVENTS * 2);
            let parked = all && letters.len() as u64 == EVENTS;
            if parked { Ok(letters) } else { Err((ended, partitions, letters)) }
        })
        .await;
        assert_eq!(service.ended, DEATHS, "{letters:?}");
        assert_lost(&letters[0]);
    });
}

/// The letter says that nobody lived to say how it ended.
#[track_caller]
fn assert_lost(letter: &Value) {
    let error = letter["failure"]["error"].as_str().unwrap();
    assert!(error.starts_with("it was begun 2 times without a word of how it ended"), "{error}");
}

async fn write(stage: &Stage, numbers: impl Iterator<Item = u64>) {
    for number in numbers {
        append(&stage.bus, "ada", number).await;
        append(&stage.bus, "bob", number).await;
    }
}

/// Waits until the events of one key are dead letters and those of the other are handled.
async fn parked(stage: &Stage, umbel: &Umbel, service: &mut Service<'_>) -> Vec<Value> {
    until("the dead letters", async || {
        let (ended, letters) = (service.look_after(), umbel.json(&["dead-letters", "list"]));
        let handled = stage.handled();
        let others = handled.last.get("bob") == Some(&EVENTS) && !handled.last.contains_key("ada");
        if others && letters.len() as u64 == EVENTS {
            Ok(letters)
        } else {
            Err((ended, handled.last, letters))
        }
    })
    .await
}
