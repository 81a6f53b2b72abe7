//! Recorders: what was announced can be looked up later, whatever the store does meanwhile.

use std::{sync::Arc, time::Duration};

use serde::{Serialize, Serializer};
use umbel_core::{
    Notice, Timestamp,
    store::{KeptNotice, ListNotices, Recorded, StoreError},
};
use umbel_host::{App, HostSettings};
use umbel_persistence::Extras;
use uuid::Uuid;

use crate::{stores::on_every_store, world::*};

/// News with everything there is to know of them.
#[derive(Clone, Debug, Serialize)]
struct News {
    number: u32,
}

/// A notice that says nothing of itself, or cannot even be written.
#[derive(Clone, Debug)]
enum Rumour {
    Fine,
    Unspeakable,
    Panics,
}

impl Notice for News {
    const TOPIC: &'static str = "test.news";
}

impl Recorded for News {
    fn id(&self) -> Option<Uuid> {
        Some(Uuid::from_u128(self.number.into()))
    }

    fn transaction_id(&self) -> Option<Uuid> {
        Some(Uuid::from_u128(7))
    }

    fn source(&self) -> Option<String> {
        Some("the test".to_owned())
    }

    fn occurred_at(&self) -> Option<Timestamp> {
        Some(at(self.number))
    }

    fn ttl(&self) -> Option<Duration> {
        (self.number == 3).then_some(Duration::from_secs(2))
    }
}

impl Notice for Rumour {
    const TOPIC: &'static str = "test.rumours";
}

impl Recorded for Rumour {}

impl Serialize for Rumour {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fine => serializer.serialize_str("fine"),
            Self::Unspeakable => Err(serde::ser::Error::custom("unspeakable")),
            Self::Panics => panic!("a rumour went too far"),
        }
    }
}

/// So many microseconds into a year whose notices do not expire while the test runs.
fn at(micros: u32) -> Timestamp {
    Timestamp::from_micros(4_102_444_800_000_000 + i64::from(micros))
}

fn recording() -> HostSettings {
    HostSettings { notices_batch_within_ms: 5, notices_ttl_ms: 1000, ..settings() }
}

async fn world(store: &Arc<Rigged>, settings: HostSettings) -> World {
    World::with(store, &[App::new("press").record::<News>().record::<Rumour>()], settings).await
}

async fn kept(store: &Rigged, topic: &str) -> Vec<KeptNotice> {
    loop {
        let request =
            ListNotices { topic: Some(topic.to_owned()), limit: u32::MAX, ..ListNotices::default() };
        match store.list_notices(request).await {
            // Asked beside a world that stops, over a connection that its threads drove.
            Err(StoreError::Unavailable { .. }) => pause().await,
            answer => return answer.unwrap(),
        }
    }
}

/// Waits until the newest of the kept news is this one, and gives the numbers of all.
async fn news_up_to(store: &Rigged, number: u32) -> Vec<u128> {
    loop {
        let numbers: Vec<_> = kept(store, News::TOPIC).await.iter().map(|kept| kept.id.as_u128()).collect();
        if numbers.last() == Some(&number.into()) {
            return numbers;
        }
        tokio::task::yield_now().await;
    }
}

/// PG-01: given notices pass the bus, they reach the table in batches, with all there is to know of them, and duplicates by
/// id are ignored.
#[test]
fn notices_are_kept_in_batches_and_once() {
    on_every_store(async |store| {
        let world = world(&store, HostSettings { notices_batch: 8, ..recording() }).await;
        // The first one's batch is being stored while the others come.
        store.shut_for_notices(true);
        for number in [1, 2, 2, 3, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12] {
            assert_eq!(world.bus.publish(News { number }), 1);
        }
        store.shut_for_notices(false);
        assert_eq!(news_up_to(&store, 12).await, (1..=12).collect::<Vec<_>>());
        let batches = store.batches();
        assert_eq!(batches.iter().sum::<usize>(), 14);
        assert!(batches.len() < 14 && batches.iter().all(|batch| *batch <= 8), "{batches:?}");
        let kept = kept(&store, News::TOPIC).await;
        assert_eq!(kept[0].transaction_id, Some(Uuid::from_u128(7)));
        assert_eq!(kept[0].source.as_deref(), Some("the test"));
        assert_eq!(kept[0].data.as_str(), r#"{"number":1}"#);
        assert_eq!(kept[0].expires_at, Some(at(1_000_001)), "the setting");
        assert_eq!(kept[2].expires_at, Some(at(2_000_003)), "its own");
    });
}

/// PG-02: given the store fails during a batch, or its answer is lost, when it is back, nothing was lost and nothing is there
/// twice.
#[test]
fn notices_wait_while_the_store_is_away() {
    on_every_store(async |store| {
        let world = world(&store, recording()).await;
        store.refuse_notices(2);
        for number in 1..=50 {
            world.bus.publish(News { number });
        }
        store.lose_keeps(1);
        assert_eq!(news_up_to(&store, 50).await, (1..=50).collect::<Vec<_>>());
        world.bus.publish(Rumour::Fine);
        store.lose_keeps(1);
        world.bus.publish(Rumour::Fine);
        world.stop().await;
        assert_eq!(kept(&store, Rumour::TOPIC).await.len(), 2);
    });
}

/// Given the store stays away, so many notices wait as may, and the newest of the rest; the publisher never does.
#[test]
fn what_waits_is_bounded() {
    run(async {
        let store = Arc::default();
        let world =
            world(&store, HostSettings { notices_batch: 2, notices_waiting_max: 4, ..recording() }).await;
        store.shut_for_notices(true);
        for number in 1..=10_000 {
            world.bus.publish(News { number });
        }
        store.shut_for_notices(false);
        let numbers = news_up_to(&store, 10_000).await;
        // The topic's ring, what waits, a batch under way and one in hand.
        let most = world.bus.settings().topic_capacity + 4 + 2 + 1;
        assert!((1024..=most).contains(&numbers.len()), "{}", numbers.len());
    });
}

/// What was announced before the stop is kept, as long as the store is there; it is not waited for.
#[test]
fn a_stop_keeps_what_was_announced_and_does_not_hang() {
    run(async {
        let store = Arc::default();
        let world_here =
            world(&store, HostSettings { notices_batch_within_ms: 3_600_000, ..recording() }).await;
        for number in 1..=1000 {
            world_here.bus.publish(News { number });
        }
        world_here.stop().await;
        assert_eq!(kept(&store, News::TOPIC).await.len(), 1000);

        let world_away = world(&store, recording()).await;
        store.refuse_notices(u32::MAX);
        world_away.bus.publish(News { number: 2000 });
        while store.batches().last() != Some(&1) {
            tokio::task::yield_now().await;
        }
        world_away.stop().await;
        assert_eq!(kept(&store, News::TOPIC).await.len(), 1000);
    });
}

/// A notice that cannot be written is told in the log and holds up nobody.
#[test]
fn what_cannot_be_written_holds_up_nobody() {
    run(async {
        let store = Arc::default();
        let world = world(&store, recording()).await;
        for rumour in [Rumour::Unspeakable, Rumour::Panics, Rumour::Fine] {
            world.bus.publish(rumour);
        }
        let kept = loop {
            let kept = kept(&store, Rumour::TOPIC).await;
            if !kept.is_empty() {
                break kept;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(kept.iter().map(|kept| kept.data.as_str()).collect::<Vec<_>>(), [r#""fine""#]);
        let tree = world.supervisor.tree().snapshot();
        assert_eq!(tree.find("press/test.rumours.recorder").unwrap().restarts, 0);
    });
}
