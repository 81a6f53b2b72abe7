//! Pages handed out one event at a time, over the store's actors and the bus, as apps read.

use std::{fmt::Debug, future::Future, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt as _};
use umbel_bus::{Bus, BusSettings};
use umbel_core::{
    ExpectedVersion::{Any, NoStream},
    RecordedEvent,
    document::Direction,
    store::{ReadAll, ReadError, ReadStream, Removal, Selector},
};
use umbel_supervision::{Group, Policy, Supervisor};
use umbel_testkit::conformance::{Events, archive, delete, link, stream, version};

use crate::{Adapter, StoreSettings, group_over};

/// A deadline that no case reaches unless something is wrong.
const AMPLE: Duration = Duration::from_secs(60);

/// RD-03, RD-04: given a log with gaps, partly in the archive, and pages of 1, 2 and many, when it or a stream is streamed
/// either way, then it is the same whole sequence; a stream that is unknown, deleted or gone is its error at the first step.
pub(super) fn whatever_the_pages_the_sequence_is_the_same<A: Adapter, G>(open: impl Future<Output = (A, G)>) {
    let settings = StoreSettings { allow_hard_removal: true, ..StoreSettings::default() };
    with_store(open, &settings, |bus, _| async move { check(&bus).await });
}

/// Runs a case over the actors of a store, on an actix system of its own.
pub(super) fn with_store<A: Adapter, G, F: Future<Output = ()>>(
    open: impl Future<Output = (A, G)>,
    settings: &StoreSettings,
    case: impl FnOnce(Bus, Arc<dyn Adapter>) -> F,
) {
    let system = actix::System::new();
    system.block_on(async {
        let (adapter, _guard) = open.await;
        let bus = Bus::new(BusSettings::default());
        let adapter: Arc<dyn Adapter> = Arc::new(adapter);
        let store = group_over(Arc::clone(&adapter), settings, &bus, Policy::default());
        let root = Group::new("test", Policy::default()).child(umbel_bus::worker(&bus)).child(store);
        let supervisor = Supervisor::start(root);
        supervisor.tree().wait_until_up(AMPLE).await.unwrap();
        tokio::time::timeout(AMPLE, case(bus, adapter)).await.expect("the case hangs");
        supervisor.shut_down().await;
        actix::System::current().stop();
    });
    system.run().unwrap();
}

async fn check(bus: &Bus) {
    let (store, events) = (bus.store(), Events::default());
    // Four times kept, kept, gone, soft; then the records of the acts.
    for _ in 0..4 {
        let kept = events.append("kept", Any, 2);
        let linked: Vec<_> = kept.streams[0].events.iter().map(|event| event.id).collect();
        store.append(kept).await.unwrap();
        store.append(events.append("gone", Any, 1)).await.unwrap();
        store.append(events.append("soft", Any, 1)).await.unwrap();
        store.link(link("list", Any, &linked)).await.unwrap();
    }
    for act in [archive(6), delete("gone", Removal::Hard), delete("soft", Removal::Soft)] {
        store.perform(events.perform(act)).await.unwrap();
    }
    let whole: Vec<_> = (1..=19).filter(|position| ![3, 7, 11, 15].contains(position)).collect();
    let kept = [1, 2, 5, 6, 9, 10, 13, 14];
    for direction in [Direction::Forward, Direction::Backward] {
        let in_turn = |positions: &[u64]| match direction {
            Direction::Forward => positions.to_vec(),
            Direction::Backward => positions.iter().rev().copied().collect(),
        };
        let request = |name: &str, limit| ReadStream { stream: stream(name), from: None, direction, limit };
        for limit in [1, 2, 3, 1000] {
            let all = ReadAll { from: None, direction, limit, selector: Selector::all() };
            assert_eq!(positions(store.stream_all(all)).await, in_turn(&whole), "{direction:?} by {limit}");
            for name in ["kept", "list"] {
                let read = positions(store.stream_events(request(name, limit))).await;
                assert_eq!(read, in_turn(&kept), "{name} {direction:?} by {limit}");
            }
        }
        for (name, error) in [
            ("unknown", ReadError::StreamNotFound(stream("unknown"))),
            ("gone", ReadError::StreamNotFound(stream("gone"))),
            ("soft", ReadError::StreamDeleted(stream("soft"))),
        ] {
            let read: Vec<_> = store.stream_events(request(name, 2)).collect().await;
            assert_eq!(read, [Err(error)], "{direction:?}");
        }
    }
    let beyond = ReadStream { from: Some(version(9)), ..all_of("kept") };
    assert_eq!(positions(store.stream_events(beyond)).await, [0; 0]);
    store.append(events.append("gone", NoStream, 1)).await.unwrap();
    assert_eq!(positions(store.stream_events(all_of("gone"))).await, [20]);
}

fn all_of(name: &str) -> ReadStream {
    ReadStream { stream: stream(name), from: None, direction: Direction::Forward, limit: 2 }
}

async fn positions<E: Debug>(events: impl Stream<Item = Result<RecordedEvent, E>>) -> Vec<u64> {
    events.map(|event| event.unwrap().position.get()).collect().await
}
