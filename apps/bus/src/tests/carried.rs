//! What is made of how far a message came: whom it goes to next, and what its caller is told.

use std::{collections::VecDeque, sync::Mutex};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use umbel_core::{
    Command, CommandId, Json, Query,
    store::{Process, Reach},
    subscription::NodeId,
};
use uuid::Uuid;

use super::*;
use crate::{
    AskError, Carrier, Contact, Delivery, DispatchError, DispatchOptions, Dispatched, Kind, NotCarried,
    Outcome, Parcel, Peer, Reached, Refusal, Whereabouts,
};

#[derive(Debug, Serialize, Deserialize, Command)]
#[command(name = "far.command", reply = u32, rejection = String)]
struct Far;

#[derive(Debug, Serialize, Deserialize, Query)]
#[query(name = "far.query", answer = u32)]
struct Farther;

type Carried = Result<Delivery, NotCarried>;

/// Says what it is told to, one after the other, and notes to whom messages went.
#[derive(Default)]
struct Script {
    says: Mutex<VecDeque<Carried>>,
    went_to: Mutex<Vec<NodeId>>,
}

impl Carrier for Script {
    fn carry<'a>(&'a self, to: &'a Peer, _: &'a Parcel) -> BoxFuture<'a, Carried> {
        self.went_to.lock().unwrap().push(to.node);
        Box::pin(async { self.says.lock().unwrap().pop_front().expect("nobody else is asked") })
    }

    fn contact(&self, to: NodeId) -> Contact {
        let reached = if to.0.as_u128() == 1 { Reached::Connected } else { Reached::Away };
        Contact { reached, ..Contact::default() }
    }
}

/// A process that answers both.
fn process(number: u128) -> Process {
    Process {
        node: NodeId(Uuid::from_u128(number)),
        listeners: Vec::new(),
        reach: Some(Reach {
            address: format!("host-{number}:1"),
            commands: vec![Far::NAME.into()],
            queries: vec![Farther::NAME.into()],
        }),
    }
}

/// A bus that knows three of them, of which only the first is reached.
fn among_three() -> (Bus, Arc<Script>) {
    let (bus, script) = (Bus::new(BusSettings::default()), Arc::<Script>::default());
    bus.set_carrier(Arc::clone(&script) as _);
    bus.announce_processes((1..=3).map(process).collect());
    (bus, script)
}

fn command(answer: Result<u32, DispatchError<Json>>) -> Carried {
    let answer = answer.map(|reply| Dispatched::reply_only(Json::encode(&reply).unwrap()));
    Ok(Delivery::Command { answer: Box::new(answer), awaits: None })
}

fn query(answer: Result<u32, AskError>) -> Carried {
    Ok(Delivery::Query(answer.map(|answer| Json::encode(&answer).unwrap())))
}

fn not_sent() -> Carried {
    Err(NotCarried::NotSent("refused".into()))
}

fn unwelcome() -> Carried {
    Err(NotCarried::Unwelcome("another secret".into()))
}

fn too_large() -> Carried {
    Err(NotCarried::TooLarge("too large".into()))
}

fn lost() -> Carried {
    Err(NotCarried::Lost("cut".into()))
}

const UNKNOWN: Result<u32, DispatchError<String>> =
    Err(DispatchError::Timeout { command: Far::NAME, outcome: Outcome::Unknown });

/// LK-05: a command goes on to the next process as long as nothing was done, or its caller's id makes it harmless; what was sent once is never
/// said not to have been done.
#[test]
fn a_command_is_sent_on_as_long_as_that_is_safe() {
    run(async {
        let nobody = || command(Err(DispatchError::NoHandler { command: Far::NAME.into() }));
        let down = || command(Err(DispatchError::unavailable("down")));
        let conflict = || command(Err(DispatchError::Conflict { attempts: 3 }));
        let rejected = || command(Err(DispatchError::Rejected(Json::encode("no").unwrap())));
        let needs = || command(Err(DispatchError::NoHandler { command: "other.command".into() }));
        let newer = || command(Err(DispatchError::NoHandler { command: format!("{}/2", Far::NAME).into() }));
        let halted = || {
            let halted = Refusal::Halted { by: "quota", reason: "no more today".into() };
            command(Err(DispatchError::Refused(halted)))
        };
        let undecodable =
            || command(Err(DispatchError::Undecodable { command: Far::NAME, reason: "a newer form".into() }));
        let unreached = "far.command is answered at host-";
        for (idempotent, says, expected) in [
            (false, vec![not_sent(), nobody(), command(Ok(7))], Ok(7)),
            (false, vec![lost()], UNKNOWN),
            (false, vec![Err(NotCarried::Late)], UNKNOWN),
            (true, vec![Err(NotCarried::Late)], UNKNOWN),
            (true, vec![lost(), not_sent(), command(Ok(7))], Ok(7)),
            (true, vec![lost(), rejected()], Err(DispatchError::Rejected("no".into()))),
            // Of something else, that the owner needs: this is his answer.
            (false, vec![needs()], Err(DispatchError::NoHandler { command: "other.command".into() })),
            (false, vec![newer(), command(Ok(7))], Ok(7)),
            // They speak for themselves, and not for the one that was lost.
            (true, vec![lost(), down()], UNKNOWN),
            (true, vec![lost(), conflict()], UNKNOWN),
            (true, vec![lost(), halted()], UNKNOWN),
            (true, vec![lost(), undecodable()], UNKNOWN),
            (true, vec![lost(), needs()], UNKNOWN),
            (true, vec![lost(), not_sent(), nobody()], UNKNOWN),
            (true, vec![lost(), Err(NotCarried::Impossible("too large".into()))], UNKNOWN),
            (false, vec![down()], Err(DispatchError::unavailable("down"))),
            (false, vec![too_large(), unwelcome(), command(Ok(7))], Ok(7)),
            (
                false,
                vec![too_large(), unwelcome(), nobody()],
                Err(DispatchError::Failed { reason: "too large".into() }),
            ),
            (
                false,
                vec![Err(NotCarried::Impossible("too large".into()))],
                Err(DispatchError::Failed { reason: "too large".into() }),
            ),
            (
                false,
                vec![nobody(), nobody(), nobody()],
                Err(DispatchError::NoHandler { command: Far::NAME.into() }),
            ),
        ] {
            let (bus, script) = among_three();
            let (said, count) = (format!("{says:?}"), says.len());
            script.says.lock().unwrap().extend(says);
            let mut options = DispatchOptions::default().deadline(AMPLE);
            if idempotent {
                options = options.command_id(CommandId(Uuid::from_u128(9)));
            }
            let answer = bus.dispatch_with(Far, options).await.map(|dispatched| dispatched.reply);
            assert_eq!(answer, expected, "{said}");
            let mut went_to = script.went_to.lock().unwrap().clone();
            went_to.dedup();
            assert_eq!(went_to.len(), count, "each is asked once: {said}");
        }
        let (bus, script) = among_three();
        script.says.lock().unwrap().extend([not_sent(), not_sent(), not_sent()]);
        let Err(DispatchError::Unavailable { reason, .. }) = bus.dispatch(Far).await else {
            panic!("nobody was reached")
        };
        assert!(reason.contains(unreached) && reason.contains("refused"), "{reason}");
    });
}

/// LK-16: given processes that are not talked to until somebody changes a setting, then whoever asks is not told to try again, unless
/// another one may be reached later.
#[test]
fn who_is_not_talked_to_answers_nothing() {
    run(async {
        let (bus, script) = among_three();
        script.says.lock().unwrap().extend([unwelcome(), unwelcome(), unwelcome()]);
        assert_eq!(bus.ask(Farther).await, Err(AskError::NoHandler { query: Farther::NAME }));
        script.says.lock().unwrap().extend([unwelcome(), not_sent(), unwelcome()]);
        assert!(matches!(bus.ask(Farther).await, Err(AskError::Unavailable { .. })));
    });
}

/// LK-17: given a process that answered something until a moment ago, then who asks for it may try again; what nobody has answered is told from
/// that, and so is what somebody else answers.
#[test]
fn who_has_just_gone_may_come_back() {
    run(async {
        let (bus, script) = among_three();
        bus.announce_processes(vec![process(3)]);
        script.says.lock().unwrap().push_back(query(Ok(7)));
        assert_eq!(bus.ask(Farther).await, Ok(7));
        let mut last = process(3);
        last.reach.as_mut().unwrap().queries.clear();
        bus.announce_processes(vec![last]);
        let gone = bus.ask(Farther).await;
        assert!(
            matches!(&gone, Err(AskError::Unavailable { reason, .. }) if reason.contains("host-3:1 until a moment ago")),
            "{gone:?}"
        );
        let never =
            bus.dispatch_encoded("far.never", 1, Json::encode(&1).unwrap(), DispatchOptions::default());
        assert_eq!(never.await.unwrap_err(), DispatchError::NoHandler { command: "far.never".into() });
        bus.announce_processes(vec![process(4)]);
        script.says.lock().unwrap().push_back(query(Ok(8)));
        assert_eq!(bus.ask(Farther).await, Ok(8));
    });
}

/// LK-14: what other processes are counted on for, and whether they are reached, shows on the bus.
#[test]
fn it_shows_where_messages_are_answered() {
    let (bus, _) = among_three();
    let seen: Vec<_> = bus
        .peers()
        .into_iter()
        .map(|view| (view.peer.address, view.contact.reached, view.counted_on))
        .collect();
    let both = vec![Far::NAME.to_owned(), Farther::NAME.to_owned()];
    let expected = [(1, Reached::Connected), (2, Reached::Away), (3, Reached::Away)]
        .map(|(number, reached)| (format!("host-{number}:1").into(), reached, both.clone()));
    assert_eq!(seen, expected);
    assert_eq!(bus.whereabouts(Kind::Query, Farther::NAME), Whereabouts::There);
    assert_eq!(bus.whereabouts(Kind::Command, Farther::NAME), Whereabouts::Nowhere);
    let changes = bus.peers_changed();
    bus.announce_processes(vec![process(2)]);
    assert_eq!(bus.whereabouts(Kind::Query, Farther::NAME), Whereabouts::Unreached);
    assert!(changes.has_changed().unwrap());
}

/// LK-05: a query goes on to the next process whatever became of it, but for its deadline.
#[test]
fn a_query_is_sent_on() {
    run(async {
        let nobody = || query(Err(AskError::NoHandler { query: Farther::NAME }));
        for (says, expected) in [
            (vec![not_sent(), lost(), query(Ok(7))], Ok(7)),
            (vec![nobody(), query(Err(AskError::unavailable("down")))], Err(AskError::unavailable("down"))),
            (
                vec![query(Err(AskError::NoHandler { query: "other.query" }))],
                Err(AskError::NoHandler { query: "other.query" }),
            ),
            (vec![Err(NotCarried::Late)], Err(AskError::Timeout { query: Farther::NAME })),
            (vec![nobody(), nobody(), nobody()], Err(AskError::NoHandler { query: Farther::NAME })),
            (
                vec![Ok(Delivery::Query(Ok(Json::encode("seven").unwrap())))],
                Err(AskError::Failed { reason: String::new() }),
            ),
        ] {
            let (bus, script) = among_three();
            script.says.lock().unwrap().extend(says);
            match (bus.ask(Farther).await, expected) {
                (Err(AskError::Failed { reason }), Err(AskError::Failed { .. })) => {
                    assert!(reason.contains("another form"), "{reason}");
                }
                (answer, expected) => assert_eq!(answer, expected),
            }
        }
        let (bus, script) = among_three();
        script.says.lock().unwrap().extend([lost(), not_sent(), not_sent()]);
        assert!(matches!(bus.ask(Farther).await, Err(AskError::Unavailable { .. })));
    });
}

/// LK-01: those that answer the same get their turns.
#[test]
fn several_owners_are_asked_in_turns() {
    run(async {
        let (bus, script) = among_three();
        script.says.lock().unwrap().extend((0..6).map(|number| query(Ok(number))));
        for number in 0..6 {
            assert_eq!(bus.ask(Farther).await, Ok(number));
        }
        let went_to = script.went_to.lock().unwrap().clone();
        assert_eq!(went_to[..3], went_to[3..]);
        assert_eq!(went_to.iter().collect::<std::collections::HashSet<_>>().len(), 3);
    });
}
