//! The numbers of a bus with a store of a few subscriptions, over HTTP.

use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use actix::{Actor, Context, Handler};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
};
use umbel_bus::{
    Answered, BusSettings, Carrier, Delivery, Dispatch, DispatchError, DispatchOptions, Dispatched, Envelope,
    NotCarried, Parcel, Peer, RouteSet,
};
use umbel_core::{
    Command, Json, Position, Timestamp,
    store::{AllPage, PartitionState, Process, Reach, ReadAll, SubscriptionState},
    subscription::{NodeId, Start, SubscriptionName},
    version::Place,
};
use umbel_supervision::{Group, Policy, Supervisor};
use uuid::Uuid;

use super::*;

/// A store with subscriptions to a log of 10 events, of which the `n`th has handled `n`, had handled 2 before it was reset, and has `n` dead
/// letters.
struct Kept {
    names: Vec<&'static str>,
}

impl Actor for Kept {
    type Context = Context<Self>;
}

impl Handler<Envelope<ListSubscriptions>> for Kept {
    type Result = Answered<ListSubscriptions>;

    fn handle(&mut self, envelope: Envelope<ListSubscriptions>, _: &mut Self::Context) -> Self::Result {
        let ListSubscriptions { after, limit, .. } = envelope.open()?;
        let state = |(number, name): (u64, &&str)| SubscriptionState {
            name: SubscriptionName::new(*name).unwrap(),
            kept_as: (*name).into(),
            source: "log".into(),
            stream: None,
            start: Start::Origin,
            paused: number == 2,
            created_at: Timestamp::from_micros(0),
            incarnation: 0,
            members: 1,
            partitions: vec![PartitionState {
                partition: 0,
                checkpoint: Place::new(number),
                handled: Place::new(number.max(2)),
                epoch: 1,
                owner: None,
                letters: number,
                oldest_letter_at: Some(Timestamp::from_micros(1)),
            }],
        };
        let behind =
            self.names.iter().filter(|name| after.as_ref().is_none_or(|after| **name > after.as_str()));
        let numbered =
            |name| (1 + u64::try_from(self.names.iter().position(|one| one == name).unwrap()).unwrap(), name);
        Some(Ok(behind.take(usize::try_from(limit).unwrap()).map(numbered).map(state).collect()))
    }
}

impl Handler<Envelope<ReadAll>> for Kept {
    type Result = Answered<ReadAll>;

    fn handle(&mut self, envelope: Envelope<ReadAll>, _: &mut Self::Context) -> Self::Result {
        let ReadAll { from, .. } = envelope.open()?;
        let scanned_to = from.unwrap_or_default();
        Some(Ok(AllPage { events: Vec::new(), scanned_to, head: Position::new(10) }))
    }
}

/// What follows one stream is held up; of what follows the log the bus knows better. One is a process manager, with timers that fail.
fn here() -> SubscriptionsHere {
    SubscriptionsHere::new(|| {
        let of = |name: &str, held_up, failing_timers| SubscriptionHere {
            name: name.into(),
            held_up,
            failing_timers,
        };
        vec![of("test.of_stream", true, None), of("test.pulls", false, Some(2)), of("test.list", false, None)]
    })
}

/// What is answered with these settings by a bus with such a store, or with none.
fn asked(names: Option<&[&'static str]>, subscriptions_max: u32) -> String {
    answered(subscriptions_max, async |bus| {
        let (_position, position) = watch::channel(Position::new(7));
        let (_reason, reason) = watch::channel(Some("a poison event".to_owned()));
        bus.register(RouteSet::new("test/list").projects("test.list", &[], position, reason)).await.unwrap();
        if let Some(names) = names {
            let store = Kept { names: names.to_vec() }.start();
            let routes = RouteSet::new("store")
                .answers::<ListSubscriptions>(store.clone().recipient())
                .answers::<ReadAll>(store.recipient());
            bus.register(routes).await.unwrap();
        }
    })
}

/// What is answered once this was done with the bus.
fn answered(subscriptions_max: u32, prepare: impl AsyncFnOnce(&Bus)) -> String {
    actix::System::new().block_on(async {
        let (bus, bound) = (Bus::new(BusSettings::default()), BoundAddress::default());
        let address = Some(([127, 0, 0, 1], 0).into());
        let settings = MetricsSettings { address, deadline_ms: 200, subscriptions_max };
        let group = Group::new("test", Policy::default())
            .child(umbel_bus::worker(&bus))
            .child(worker(settings, bus.clone(), here(), bound.clone()).unwrap());
        let supervisor = Supervisor::start(group);
        supervisor.tree().wait_until_up(Duration::from_secs(10)).await.unwrap();
        prepare(&bus).await;
        let answer = get(bound.get().unwrap(), "/metrics").await;
        assert!(get(bound.get().unwrap(), "/").await.starts_with("HTTP/1.1 404"));
        supervisor.shut_down().await;
        answer
    })
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[track_caller]
fn holds(answer: &str, lines: &[&str]) {
    for line in lines {
        assert!(answer.lines().any(|found| found == *line), "{line} is not in {answer}");
    }
}

/// Lag and dead letters of every subscription are there, and how far what runs here has come.
#[test]
fn subscriptions_and_components_are_told() {
    let answer = asked(Some(&["a", "b"]), 2);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("text/plain; version=0.0.4"), "{answer}");
    holds(
        &answer,
        &[
            "umbel_metrics_complete 1",
            "# TYPE umbel_subscription_lag_events gauge",
            "umbel_subscription_lag_events{subscription=\"a\"} 9",
            "umbel_subscription_lag_events{subscription=\"b\"} 8",
            "umbel_subscription_lag_seconds{subscription=\"a\"} 0",
            "umbel_subscription_replay_events{subscription=\"a\"} 2",
            "umbel_subscription_replayed_events{subscription=\"a\"} 1",
            "umbel_subscription_replay_events{subscription=\"b\"} 0",
            "umbel_subscription_replayed_events{subscription=\"b\"} 0",
            "umbel_subscription_paused{subscription=\"b\"} 1",
            "umbel_subscription_partitions_owned{subscription=\"a\"} 0",
            "umbel_dead_letters{subscription=\"b\"} 2",
            "umbel_component_position{component=\"test.list\"} 7",
            "umbel_component_held_up{component=\"test.list\"} 1",
            "umbel_component_held_up{component=\"test.of_stream\"} 1",
            "umbel_component_held_up{component=\"test.pulls\"} 0",
            "umbel_process_manager_failing_timers{component=\"test.pulls\"} 2",
        ],
    );
    let oldest = answer.lines().find(|line| line.starts_with("umbel_dead_letters_oldest_seconds")).unwrap();
    assert!(oldest.rsplit(' ').next().unwrap().parse::<u64>().unwrap() > 1_000_000_000, "{oldest}");
    assert!(!answer.contains("poison"), "reasons may quote events");
    let of_list =
        answer.lines().filter(|line| line.starts_with("umbel_component_held_up{component=\"test.list\"}"));
    assert_eq!(of_list.count(), 1, "{answer}");
    assert!(!answer.contains("umbel_process_manager_failing_timers{component=\"test.list\"}"), "{answer}");
    assert!(
        !answer.contains("umbel_component_position{component=\"test.of_stream\"}"),
        "it has none in the log"
    );
}

/// A command that does as it is told.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "test.obey", rejection = String)]
struct Obey(Outcome);

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Outcome {
    Ok,
    Rejected,
    Conflict,
    Unavailable,
    Timeout,
    Failed,
}

/// Obeys.
struct Obedient;

impl Actor for Obedient {
    type Context = Context<Self>;
}

impl Handler<Envelope<Dispatch<Obey>>> for Obedient {
    type Result = Answered<Dispatch<Obey>>;

    fn handle(&mut self, envelope: Envelope<Dispatch<Obey>>, _: &mut Self::Context) -> Self::Result {
        let Dispatch { command: Obey(outcome), .. } = envelope.open()?;
        let unknown = umbel_bus::Outcome::Unknown;
        Some(Err(match outcome {
            Outcome::Ok => {
                let (position, version, events) = (None, None, None);
                return Some(Ok(Dispatched {
                    reply: (),
                    position,
                    version,
                    events,
                    repeated: false,
                    returned: None,
                }));
            }
            Outcome::Rejected => DispatchError::Rejected("no".into()),
            Outcome::Conflict => DispatchError::Conflict { attempts: 1 },
            Outcome::Unavailable => DispatchError::unavailable("away"),
            Outcome::Timeout => DispatchError::Timeout { command: Obey::NAME, outcome: unknown },
            Outcome::Failed => DispatchError::Failed { reason: "a bug".into() },
        }))
    }
}

/// CM-13: commands are told by name and outcome, from their first dispatch on: how many there were, and how long they took.
#[test]
fn commands_are_told() {
    let answer = answered(1, async |bus| {
        let routes = RouteSet::new("test/obey").carries_out::<Obey>(Obedient.start().recipient());
        bus.register(routes).await.unwrap();
        let outcomes = [
            Outcome::Ok,
            Outcome::Rejected,
            Outcome::Conflict,
            Outcome::Timeout,
            Outcome::Failed,
            Outcome::Ok,
        ];
        for outcome in outcomes {
            drop(bus.dispatch(Obey(outcome)).await);
        }
        let body = Json::encode(&Outcome::Rejected).unwrap();
        drop(bus.dispatch_encoded(Obey::NAME, 1, body, DispatchOptions::default()).await);
    });
    let counts =
        [("ok", 2), ("refused", 2), ("conflict", 1), ("unavailable", 0), ("timeout", 1), ("failed", 1)];
    let lines = counts.map(|(outcome, count)| {
        format!("umbel_commands_total{{command=\"test.obey\",outcome=\"{outcome}\"}} {count}")
    });
    holds(&answer, &lines.each_ref().map(String::as_str));
    holds(&answer, &["# TYPE umbel_commands_total counter", "# TYPE umbel_commands_seconds_total counter"]);
    let seconds = |outcome: &str| {
        let begin = format!("umbel_commands_seconds_total{{command=\"test.obey\",outcome=\"{outcome}\"}} ");
        let number = answer.lines().find_map(|line| line.strip_prefix(&begin)).unwrap();
        number.parse::<f64>().unwrap()
    };
    assert!(seconds("ok") > 0.0 && seconds("ok") < 10.0, "{answer}");
    assert_eq!(seconds("unavailable").to_bits(), 0.0_f64.to_bits());
}

/// LK-14: other processes are told, by where they are, and whether what they are counted on for can be had.
#[test]
fn other_processes_are_told() {
    struct Away;

    impl Carrier for Away {
        fn carry<'a>(
            &'a self,
            _: &'a Peer,
            _: &'a Parcel,
        ) -> Pin<Box<dyn Future<Output = Result<Delivery, NotCarried>> + Send + 'a>> {
            Box::pin(async { Err(NotCarried::NotSent("away".into())) })
        }

        fn contact(&self, _: NodeId) -> Contact {
            let since = Instant::now().checked_sub(Duration::from_secs(7));
            Contact { reached: Reached::Away, since, last_error: None, missed: 3 }
        }
    }

    let bus = Bus::new(BusSettings::default());
    bus.set_carrier(Arc::new(Away));
    let reach =
        Reach { address: "10.0.0.7:4100".into(), commands: vec!["a.b".into()], queries: vec!["a.c".into()] };
    let node = NodeId(Uuid::from_u128(7));
    bus.announce_processes(vec![Process { node, listeners: Vec::new(), reach: Some(reach) }]);
    let labels = format!("{{process=\"{}\",address=\"10.0.0.7:4100\"}}", node.0);
    let lines = [("counted_on", 2), ("reached", 0), ("away_seconds", 7), ("missed_messages", 3)]
        .map(|(name, number)| format!("umbel_peer_{name}{labels} {number}"));
    holds(&told(&bus, &here(), &Seen::default()), &lines.each_ref().map(String::as_str));
}

/// More subscriptions than are told of, and a store that is away, show in a number of their own; the rest is told all the same.
#[test]
fn what_is_not_told_shows() {
    let answer = asked(Some(&["a", "b"]), 1);
    holds(&answer, &["umbel_metrics_complete 0", "umbel_dead_letters{subscription=\"a\"} 1"]);
    assert!(!answer.contains("\"b\""), "{answer}");
    let answer = asked(None, 2);
    holds(&answer, &["umbel_metrics_complete 0", "umbel_component_position{component=\"test.list\"} 7"]);
}

/// Who asks while somebody is being answered is told to come back.
#[test]
fn one_is_answered_at_a_time() {
    actix::System::new().block_on(async {
        let (bus, busy) = (Bus::new(BusSettings::default()), Arc::new(AtomicBool::new(true)));
        let deadline = Duration::from_millis(1);
        let source = Source { bus, here: here(), deadline, subscriptions_max: 1, busy };
        assert_eq!(metrics(web::Data::new(source.clone())).await.status(), 503);
        drop(Answering(Arc::clone(&source.busy)));
        assert_eq!(metrics(web::Data::new(source.clone())).await.status(), 200);
        assert!(!source.busy.load(Ordering::Acquire));
    });
}

/// Without an address there is no server.
#[test]
fn metrics_are_off_unless_they_have_an_address() {
    let settings = |address: &str| {
        let section = serde_json::json!({"address": address, "deadline_ms": 1, "subscriptions_max": 1});
        serde_json::from_value::<MetricsSettings>(section).map_err(|error| error.to_string())
    };
    let bus = Bus::new(BusSettings::default());
    let worker = |address| worker(settings(address).unwrap(), bus.clone(), here(), BoundAddress::default());
    assert!(worker("").is_none());
    assert!(worker("127.0.0.1:0").is_some());
    assert!(settings("localhost").unwrap_err().contains("127.0.0.1:9464"));
}
