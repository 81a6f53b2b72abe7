//! What processes tell each other of appends: a process is a bus with a store of its own over one schema.

use std::{future::Future, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, future::poll_fn};
use tokio::{sync::watch, time::timeout};
use tokio_postgres::{AsyncMessage, Client, NoTls};
use umbel_bus::{Bus, BusSettings, edge};
use umbel_core::{
    EventId,
    ExpectedVersion::Any,
    Metadata, Position,
    store::{Act, Append, KeepLeases, Lease, LetterFilter, OpenSubscription, Perform},
    subscription::{Change, NodeId, Start, SubscriptionName},
};
use umbel_supervision::{Group, Policy, Supervisor};
use umbel_testkit::postgres::{Pooler, TestSchema};

use super::support::{append, client, event, schema, stream, to};
use crate::{
    Log as _, News, StoreSettings, group_over,
    postgres::{Postgres, PostgresOptions, news::channel, sql::Schema},
};

/// A deadline that nothing reaches unless something is wrong.
const AMPLE: Duration = Duration::from_secs(30);

/// Between looks of a process that shall find out by itself only what it is told: an hour.
const NEVER_MS: u64 = 3_600_000;

/// Runs a test on an actix system of its own, whose threads end with it.
fn run(test: impl Future<Output = ()>) {
    let system = actix::System::new();
    system.block_on(async {
        timeout(AMPLE, test).await.expect("the test hangs");
        actix::System::current().stop();
    });
    system.run().unwrap();
}

fn options() -> PostgresOptions {
    PostgresOptions { max_connections: 2, ..PostgresOptions::default() }
}

async fn adapter(schema: &TestSchema, options: PostgresOptions) -> Arc<Postgres> {
    Arc::new(Postgres::connect(schema.url(), schema.name(), options).await.unwrap())
}

/// The same as in a process, where somebody attends to it.
async fn attended(schema: &TestSchema) -> Arc<Postgres> {
    let adapter = adapter(schema, options()).await;
    let attended = Arc::clone(&adapter);
    tokio::spawn(async move { attended.attend().await });
    adapter
}

/// A process that looks by itself every so often.
async fn process(adapter: Arc<Postgres>, poll_interval_ms: u64) -> (Bus, Supervisor) {
    let bus = Bus::new(BusSettings::default());
    let settings = StoreSettings { poll_interval_ms, ..StoreSettings::default() };
    let store = group_over(adapter, &settings, &bus, Policy::default());
    let root = Group::new("test", Policy::default()).child(umbel_bus::worker(&bus)).child(store);
    let supervisor = Supervisor::start(root);
    supervisor.tree().wait_until_up(AMPLE).await.unwrap();
    (bus, supervisor)
}

async fn reaches(head: &mut watch::Receiver<Position>, position: u64) {
    head.wait_for(|head| head.get() >= position).await.unwrap();
}

/// Backends that listen for this schema.
async fn listeners(client: &Client, schema: &TestSchema) -> Vec<i32> {
    let ask = "SELECT pid FROM pg_stat_activity
               WHERE application_name = 'umbel listener' AND state = 'idle' AND query = $1";
    let listens = format!("LISTEN \"{}\";", channel(&Schema::new(schema.name()).unwrap()));
    client.query(ask, &[&listens]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// The one that listens, as soon as there is one.
async fn listener(client: &Client, schema: &TestSchema) -> i32 {
    loop {
        if let [one] = listeners(client, schema).await[..] {
            return one;
        }
    }
}

/// SU-10's part across processes: an append wakes who follows in another process, long before it looks by itself. Nobody
/// listens before somebody follows.
#[test]
fn an_append_wakes_followers_of_another_process() {
    run(async {
        let schema = schema();
        let client = client(schema.url()).await;
        let (here, _here) = process(adapter(&schema, options()).await, NEVER_MS).await;
        let (there, _there) = process(adapter(&schema, options()).await, NEVER_MS).await;
        here.store().append(to("a", Any)).await.unwrap();
        assert_eq!(listeners(&client, &schema).await, [0; 0]);
        let mut head = there.head();
        listener(&client, &schema).await;
        for position in 2..=20 {
            let appended = here.store().append(to("a", Any)).await.unwrap();
            assert_eq!(appended.last_position, Some(Position::new(position)));
            reaches(&mut head, position).await;
        }
    });
}

/// SU-10: what was appended while nothing could be heard is seen once it can be again, without a further append: here by one
/// who tells nobody.
#[test]
fn after_an_outage_nothing_waits_for_the_next_append() {
    run(async {
        let schema = schema();
        let client = client(schema.url()).await;
        let silent = adapter(&schema, PostgresOptions { listen: false, ..options() }).await;
        let (there, _there) = process(adapter(&schema, options()).await, NEVER_MS).await;
        let (mut head, mut changes) = (there.head(), there.changes());
        for position in 1..=3 {
            let listener = listener(&client, &schema).await;
            assert_eq!(changes.recv().await.unwrap(), Change::Any, "the head was asked for before");
            append(&silent, to("a", Any)).await.unwrap();
            assert_eq!(head.borrow_and_update().get(), position - 1, "nobody has told it");
            client.execute("SELECT pg_terminate_backend($1)", &[&listener]).await.unwrap();
            reaches(&mut head, position).await;
        }
    });
}

/// What is never told is seen at the next look all the same: it costs time and nothing else.
#[test]
fn a_lost_notification_costs_time_only() {
    run(async {
        let schema = schema();
        let client = client(schema.url()).await;
        let silent = adapter(&schema, PostgresOptions { listen: false, ..options() }).await;
        let (there, _there) = process(adapter(&schema, options()).await, 20).await;
        let mut head = there.head();
        listener(&client, &schema).await;
        for position in 1..=3 {
            append(&silent, to("a", Any)).await.unwrap();
            reaches(&mut head, position).await;
        }
    });
}

/// Behind a pooler nothing listens and nothing is told; looking does.
#[test]
fn behind_a_pooler_nothing_listens() {
    run(async {
        let pooler = Pooler::get().unwrap();
        let schema = pooler.fresh_schema();
        let client = client(pooler.server_url()).await;
        let pooled = || adapter(&schema, PostgresOptions { pooler: true, ..options() });
        let here = pooled().await;
        let (there, _there) = process(pooled().await, 20).await;
        let mut head = there.head();
        append(&here, to("a", Any)).await.unwrap();
        reaches(&mut head, 1).await;
        assert_eq!(listeners(&client, &schema).await, [0; 0]);
        assert!(here.news.is_none());
    });
}

/// SU-23, OP-04: each schema has a channel of its own, and on it travel positions alone, whatever streams are called.
#[test]
fn only_positions_travel_and_only_on_the_channel_of_their_schema() {
    run(async {
        let (one, other) = (schema(), schema());
        let channels = [&one, &other].map(|schema| channel(&Schema::new(schema.name()).unwrap()));
        let (client, mut connection) = tokio_postgres::connect(one.url(), NoTls).await.unwrap();
        let (tell, mut told) = tokio::sync::mpsc::channel(100);
        tokio::spawn(async move {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(news) = message.unwrap() {
                    tell.send((news.channel().to_owned(), news.payload().to_owned())).await.unwrap();
                }
            }
        });
        for channel in &channels {
            client.batch_execute(&format!("LISTEN \"{channel}\"")).await.unwrap();
        }
        let stores = [attended(&one).await, attended(&other).await];
        let three = || (0..3).map(|_| event("x")).collect();
        for (store, head) in [(0, "3"), (1, "3"), (0, "6"), (1, "6")] {
            append(&stores[store], Append::to_stream(stream("a,b-é,\"c'"), Any, three())).await.unwrap();
            assert_eq!(told.recv().await.unwrap(), (channels[store].clone(), head.to_owned()));
        }
    });
}

/// SU-17: what changes how a subscription stands is told to other processes at once, and in the same process too: leases that are given
/// back and what operators do. A node that only renews what it has tells nobody.
#[test]
fn what_changes_a_subscription_is_told_to_other_processes() {
    run(async {
        let schema = schema();
        let client = client(schema.url()).await;
        let (here, _here) = process(adapter(&schema, options()).await, NEVER_MS).await;
        let (there, _there) = process(adapter(&schema, options()).await, NEVER_MS).await;
        let (_head, mut heard, mut own) = (there.head(), there.changes(), here.changes());
        listener(&client, &schema).await;
        let store = here.store();
        let name = SubscriptionName::new("a").unwrap();
        let open = OpenSubscription {
            name: name.clone(),
            partitions: 2,
            start: Start::Origin,
            stream: None,
            source: "log".into(),
        };
        store.open_subscription(open).await.unwrap();
        let lease = |partition| Lease { partition, epoch: 1 };
        let keep = |release: &[u32], leave| KeepLeases {
            subscription: name.clone(),
            incarnation: 0,
            node: NodeId(edge::fresh_id()),
            lease_ms: 60_000,
            hold: vec![],
            claim: vec![],
            release: release.iter().copied().map(lease).collect(),
            leave,
        };
        let perform = |act| Perform { id: EventId(edge::fresh_id()), act, metadata: Metadata::default() };
        let (subscription, start) = (name.clone(), Start::Origin);
        let all = Act::RetryLetters { filter: LetterFilter::default(), limit: 9 };
        let of = Change::of(&name);
        assert_eq!(heard.recv().await.unwrap(), Change::Any, "nobody knows what was told before");
        store.keep_leases(keep(&[], false)).await.unwrap();
        store.keep_leases(keep(&[0], false)).await.unwrap();
        store.perform(perform(all)).await.unwrap();
        store.keep_leases(keep(&[], true)).await.unwrap();
        store.perform(perform(Act::ResetSubscription { subscription, start })).await.unwrap();
        for expected in [of, Change::Any, of, of] {
            assert_eq!((own.recv().await.unwrap(), heard.recv().await.unwrap()), (expected, expected));
        }
    });
}

/// However fast appends are, what is committed before the next notification leaves shares it, and what is known is not told again.
#[tokio::test]
async fn what_is_committed_meanwhile_shares_a_notification() {
    let schema = schema();
    let here = attended(&schema).await;
    let mut news = adapter(&schema, options()).await.news();
    let head = |position| Some(News::Head(Position::new(position)));
    assert_eq!(news.next().await, head(0));
    assert_eq!(news.next().await, Some(News::Changed(Change::Any)));
    for begin in [1, 51] {
        for position in begin..begin + 50 {
            here.tell(Position::new(position));
        }
        assert_eq!(news.next().await, head(begin + 49));
        here.tell(Position::new(7));
    }
}
