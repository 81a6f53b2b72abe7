//! A random mixture of appends, links and acts of upkeep against the store and against an oracle.

use std::collections::VecDeque;

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use umbel_core::{
    EventId, StreamName, Version,
    document::Direction,
    store::{Act, LinkEvents, ListStreams, Perform, ReadError, ReadStream, Removal, VerifyStore},
};
use uuid::Uuid;

use super::{
    Events, StoreUnderTest,
    model::{LIMITS, any_expected, any_stream, near, next_append, seeded},
    oracle::Oracle,
    position, read_log_with_holes, read_whole_stream, version,
};

/// How many requests one run makes, and after how many the store is looked at as a whole.
const REQUESTS: usize = 400;
const LOOK_EVERY: usize = 50;

/// AP-01 to AP-06, LD-01 to LD-06, in any order and mixture, with truncation and archiving: each request has the outcome that
/// the oracle gives it; streams, infos and the log show what the oracle holds, and nothing is found wrong. A failure names
/// the seed; `UMBEL_TEST_SEED` repeats it.
pub async fn random_acts_agree_with_the_oracle<S: StoreUnderTest>(store: S) {
    let (seed, mut runner) = seeded();
    let (mut oracle, events) = (Oracle::default(), Events::default());
    let (mut appends, mut acts) = (VecDeque::new(), Vec::new());
    for number in 0..REQUESTS {
        let at = format!("UMBEL_TEST_SEED={seed}, request {number}");
        match (0..10_u32).new_tree(&mut runner).unwrap().current() {
            0 => {
                let perform = next_act(&mut runner, &mut acts, &oracle, &events);
                let (expected, found) = (oracle.perform(&perform), store.ask(perform.clone()).await);
                assert_eq!(found, expected, "{at}: {perform:?}");
            }
            1 | 2 => {
                let link = next_link(&mut runner, &oracle);
                let (expected, found) = (oracle.link(&link), store.ask(link.clone()).await);
                assert_eq!(found, expected, "{at}: {link:?}");
            }
            _ => {
                let append = next_append(&mut runner, &mut appends, &oracle);
                if append.validate(&LIMITS).is_ok() {
                    let (expected, found) = (oracle.append(&append), store.append(append.clone()).await);
                    assert_eq!(found, expected, "{at}: {append:#?}");
                }
            }
        }
        if number % LOOK_EVERY == LOOK_EVERY - 1 {
            look(&store, &oracle, &at).await;
        }
    }
}

/// A link of events of the log, now and then of one that is not there.
fn next_link(runner: &mut TestRunner, oracle: &Oracle) -> LinkEvents {
    let indexes = prop::collection::vec(any::<prop::sample::Index>(), 1..4);
    let (stream, expected, indexes) =
        (any_stream(), any_expected(), indexes).new_tree(runner).unwrap().current();
    let event = |index: prop::sample::Index| {
        let place = oracle.log.get(index.index(oracle.log.len() + 1)).cloned().flatten();
        place.map_or(EventId(Uuid::nil()), |(_, _, id)| id)
    };
    let expected = near(expected, oracle.version(&stream));
    LinkEvents { stream, expected, events: indexes.into_iter().map(event).collect() }
}

/// A new act, or, one time in six, one that was sent before.
fn next_act(runner: &mut TestRunner, sent: &mut Vec<Perform>, oracle: &Oracle, events: &Events) -> Perform {
    let again = (0..6_u32, any::<prop::sample::Index>()).new_tree(runner).unwrap().current();
    if let (0, index) = again
        && !sent.is_empty()
    {
        return sent[index.index(sent.len())].clone();
    }
    let removal = prop_oneof![1 => Just(Removal::Soft), 2 => Just(Removal::Hard)];
    let drawn = (0..6_u32, any_stream(), any_expected(), removal, any::<prop::sample::Index>());
    let (kind, stream, expected, removal, index) = drawn.new_tree(runner).unwrap().current();
    let actual = oracle.version(&stream);
    let upto = |end: usize| index.index(end + 2).try_into().unwrap();
    let act = match kind {
        0 => Act::Archive { through: position(upto(oracle.log.len())) },
        1 | 2 => Act::DeleteStream { stream, expected: near(expected, actual), removal },
        _ => {
            let before = version(upto(usize::try_from(actual.get()).unwrap() + 1));
            Act::TruncateStream { stream, before, removal }
        }
    };
    let perform = events.perform(act);
    sent.push(perform.clone());
    perform
}

/// Looks at everything that the oracle holds.
async fn look<S: StoreUnderTest>(store: &S, oracle: &Oracle, at: &str) {
    let holes: Vec<_> =
        (1..).zip(&oracle.log).filter(|(_, event)| event.is_none()).map(|(hole, _)| hole).collect();
    let log = read_log_with_holes(store, &holes).await;
    let log: Vec<_> = log.into_iter().map(|event| (event.stream, event.version, event.id)).collect();
    assert!(log == oracle.log.iter().flatten().cloned().collect::<Vec<_>>(), "{at}: the log differs");
    for name in oracle.places.keys() {
        let info = store.stream_info(name.clone()).await.unwrap();
        let (version, first) = (oracle.version(name), oracle.first_version(name));
        assert_eq!((info.version, info.first_version), (version, first), "{at}: {name}");
        assert_eq!(info.deleted_at.is_some(), oracle.is_deleted(name), "{at}: {name}");
        look_at_stream(store, oracle, name, at).await;
    }
    let total = store.ask(ListStreams { limit: 1, ..ListStreams::default() }).await.unwrap().total;
    assert_eq!(total, Some(u64::try_from(oracle.places.len()).unwrap() + 1), "{at}: streams with `$all`");
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]), "{at}");
}

async fn look_at_stream<S: StoreUnderTest>(store: &S, oracle: &Oracle, name: &StreamName, at: &str) {
    let direction = Direction::Backward;
    let backward =
        store.read_stream(ReadStream { stream: name.clone(), from: None, direction, limit: 3 }).await;
    if oracle.is_deleted(name) {
        assert_eq!(backward, Err(ReadError::StreamDeleted(name.clone())), "{at}");
        return;
    }
    let place = |event: &umbel_core::RecordedEvent| (event.version_read(), event.id);
    let shown = oracle.places[name].range(oracle.first_version(name)..);
    let mut expected: Vec<(Version, EventId)> = shown.map(|(version, id)| (*version, *id)).collect();
    let found: Vec<_> = read_whole_stream(store, name).await.iter().map(place).collect();
    assert_eq!(found, expected, "{at}: {name}");
    expected.reverse();
    expected.truncate(3);
    let found: Vec<_> = backward.unwrap().events.iter().map(place).collect();
    assert_eq!(found, expected, "{at}: {name} backward");
}
