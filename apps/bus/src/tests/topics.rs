//! Notices to whoever listens.

use umbel_core::Notice;

use super::*;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct News(pub(super) u32);

impl Notice for News {
    const TOPIC: &'static str = "test.news";
}

#[derive(Clone, Debug)]
struct Weather;

impl Notice for Weather {
    const TOPIC: &'static str = "test.weather";
}

fn capacity(topic_capacity: usize) -> BusSettings {
    BusSettings { topic_capacity, ..BusSettings::default() }
}

/// EB-08: given no subscriber, it is ok, and nothing is kept.
#[test]
fn nobody_listens() {
    run(async {
        let (bus, _supervisor) = bus().await;
        assert_eq!(bus.publish(News(1)), 0);
        let mut late = bus.listen::<News>().await.unwrap();
        assert_eq!(bus.publish(News(2)), 1);
        assert_eq!(late.next().await, Some(News(2)), "from now on, not from before");
        drop(late);
        assert_eq!(bus.publish(News(3)), 0);
    });
}

#[test]
fn every_listener_gets_every_notice_of_its_topic() {
    run(async {
        let (bus, _supervisor) = bus().await;
        let mut listeners = Vec::new();
        for _ in 0..3 {
            listeners.push(bus.listen::<News>().await.unwrap());
        }
        let _other = bus.listen::<Weather>().await.unwrap();
        for number in 0..10 {
            assert_eq!(bus.publish(News(number)), 3);
        }
        assert_eq!(bus.publish(Weather), 1);
        for listener in &mut listeners {
            for number in 0..10 {
                assert_eq!(listener.next().await, Some(News(number)));
            }
            assert_eq!(listener.missed(), 0);
        }
    });
}

/// EB-14 and, at a small scale, UX-16: a subscriber that stops reading loses the oldest and delays nobody.
#[test]
fn a_slow_listener_misses_the_oldest_and_nobody_waits_for_it() {
    run(async {
        let (bus, _supervisor) = bus_with(capacity(16)).await;
        let mut slow = bus.listen::<News>().await.unwrap();
        let mut quick = bus.listen::<News>().await.unwrap();
        for number in 0..10_000 {
            // Publishing does not wait; this loop has no await but the quick one's reading.
            assert_eq!(bus.publish(News(number)), 2);
            assert_eq!(quick.next().await, Some(News(number)));
        }
        assert_eq!(quick.missed(), 0);
        let mut got = Vec::new();
        bus.publish(News(u32::MAX));
        while let Some(News(number)) = slow.next().await {
            if number == u32::MAX {
                break;
            }
            got.push(number);
        }
        assert_eq!(got, (9_985..10_000).collect::<Vec<_>>(), "the newest that fit");
        assert_eq!(slow.missed(), 9_985);
    });
}
