//! actix actors as workers.

use actix::{Actor, ActorContext, Addr, Context, Handler, Message};
use tokio::sync::watch;

use super::*;
use crate::{Drain, Tether};

/// Answers, panics, gives up or stops when asked to.
struct Echo {
    tether: Tether,
    journal: Journal,
}

struct Ask;

impl Message for Ask {
    type Result = u8;
}

enum End {
    Panic,
    GiveUp,
    Stop,
}

impl Message for End {
    type Result = ();
}

impl Actor for Echo {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Self::Context) {
        self.journal.note("stopped");
    }
}

impl Handler<Ask> for Echo {
    type Result = u8;

    fn handle(&mut self, _: Ask, _: &mut Self::Context) -> u8 {
        42
    }
}

impl Handler<End> for Echo {
    type Result = ();

    fn handle(&mut self, how: End, context: &mut Self::Context) {
        match how {
            End::Panic => panic!("boom in a handler"),
            End::GiveUp => self.tether.give_up(anyhow::anyhow!("lost my database")),
            End::Stop => {}
        }
        context.stop();
    }
}

impl Handler<Drain> for Echo {
    type Result = ();

    fn handle(&mut self, _: Drain, context: &mut Self::Context) {
        self.journal.note("drain");
        context.stop();
    }
}

/// The worker, and the address of its newest incarnation.
fn echo(journal: &Journal) -> (Worker, watch::Receiver<Option<Addr<Echo>>>) {
    let (sender, receiver) = watch::channel(None);
    let journal = journal.clone();
    let worker = Worker::new("echo", move |context| {
        let (journal, sender) = (journal.clone(), sender.clone());
        context.run_actor(move |tether| {
            let address = Echo { tether, journal }.start();
            sender.send_replace(Some(address.clone()));
            address
        })
    });
    (worker, receiver)
}

fn newest(addresses: &watch::Receiver<Option<Addr<Echo>>>) -> Addr<Echo> {
    addresses.borrow().clone().expect("an incarnation")
}

/// UX-10, the supervision part: the caller gets an error, a new actor answers, the cause is known.
#[test]
fn an_actor_that_panics_in_a_handler_is_restarted_with_the_message_as_cause() {
    run(async {
        let journal = Journal::default();
        let (worker, addresses) = echo(&journal);
        let supervisor = Supervisor::start(Group::new("umbel", brisk()).child(worker));
        let tree = up(&supervisor).await;
        assert_eq!(newest(&addresses).send(Ask).await.unwrap(), 42);

        assert!(newest(&addresses).send(End::Panic).await.is_err(), "the caller is told");
        let seen = restarted(&tree, "echo", 1).await;
        let cause = node(&seen, "echo").last_cause.unwrap();
        assert!(cause.starts_with("panicked: boom in a handler (at "), "{cause}");
        assert_eq!(newest(&addresses).send(Ask).await.unwrap(), 42);
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
    });
}

#[test]
fn an_actor_that_stops_by_itself_is_restarted_with_the_cause_it_gave() {
    run(async {
        let (worker, addresses) = echo(&Journal::default());
        let supervisor = Supervisor::start(Group::new("umbel", brisk()).child(worker));
        let tree = up(&supervisor).await;

        newest(&addresses).send(End::GiveUp).await.unwrap();
        let seen = restarted(&tree, "echo", 1).await;
        assert_eq!(node(&seen, "echo").last_cause.unwrap(), "lost my database");

        newest(&addresses).send(End::Stop).await.unwrap();
        let seen = restarted(&tree, "echo", 2).await;
        assert_eq!(node(&seen, "echo").last_cause.unwrap(), "the actor stopped without being told to");
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
    });
}

#[test]
fn an_actor_is_drained_before_it_stops() {
    run(async {
        let journal = Journal::default();
        let (worker, _addresses) = echo(&journal);
        let supervisor = Supervisor::start(Group::new("umbel", brisk()).child(worker));
        let tree = up(&supervisor).await;
        assert_eq!(supervisor.shut_down().await, Outcome::Stopped);
        assert_eq!(journal.take(), ["drain", "stopped"]);
        assert_eq!(node(&tree.snapshot(), "echo").last_cause, None, "a clean stop has no cause");
    });
}

struct StillBorn {
    _tether: Tether,
}

impl Actor for StillBorn {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        panic!("no port");
    }
}

impl Handler<Drain> for StillBorn {
    type Result = ();

    fn handle(&mut self, _: Drain, context: &mut Self::Context) {
        context.stop();
    }
}

#[test]
fn an_actor_that_panics_while_starting_fails_the_first_start() {
    run(async {
        let worker = Worker::new("still-born", |context| {
            context.run_actor(|tether| StillBorn { _tether: tether }.start())
        });
        let supervisor = Supervisor::start(Group::new("umbel", brisk()).child(worker));
        let Outcome::FailedToStart { path, cause } = supervisor.finished().await else {
            panic!("started:\n{}", supervisor.tree().snapshot())
        };
        assert_eq!(path, "umbel/still-born");
        assert!(cause.contains("panicked: no port"), "{cause}");
    });
}
