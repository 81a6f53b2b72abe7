//! A random sequence of appends against the store and against an oracle.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
};

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use umbel_core::{
    EventId,
    ExpectedVersion::{self, Any, NoStream, StreamExists},
    NewEvent, Position, StreamName, Tags, Version,
    store::{Append, AppendCondition, ClaimName, Claims, Limits, StreamAppend},
};
use uuid::Uuid;

use super::{
    Events, StoreUnderTest, command, exact,
    oracle::Oracle,
    read_log,
    selectors::{any_query, any_tags},
    stream,
};

/// How many appends one run makes.
const APPENDS: usize = 500;
/// Fewer streams, owners, values, commands and ids than appends, so that they meet often.
const STREAMS: u64 = 5;
const COMMANDS: u64 = 40;
/// How far from the true version a wrong one is at most.
const NEAR: u64 = 2;
pub(super) const LIMITS: Limits = Limits {
    append_max_events: 1000,
    payload_max_bytes: 1_000_000,
    append_max_bytes: 10_000_000,
    event_max_tags: 16,
    json_max_depth: 127,
};

/// AP-01 to AP-06, UX-02, UX-04 to UX-06, UX-17, in any order and mixture: each append has the outcome the planner
/// gives it, and the log holds what the planner says. A failure names the seed; `UMBEL_TEST_SEED` repeats it.
pub async fn random_appends_agree_with_the_planner<S: StoreUnderTest>(store: S) {
    let (seed, mut runner) = seeded();
    let mut oracle = Oracle::default();
    let mut sent = VecDeque::new();
    for number in 0..APPENDS {
        let append = next_append(&mut runner, &mut sent, &oracle);
        if append.validate(&LIMITS).is_err() {
            continue;
        }
        let (expected, found) = (oracle.append(&append), store.append(append.clone()).await);
        assert_eq!(found, expected, "UMBEL_TEST_SEED={seed}, append {number}: {append:#?}");
    }
    let log = read_log(&store).await;
    let log: Vec<_> = log.into_iter().map(|event| Some((event.stream, event.version, event.id))).collect();
    assert!(log == oracle.log, "UMBEL_TEST_SEED={seed}: the log is not the planner's");
    for number in 0..COMMANDS {
        let again = Append { command: Some(command(number, "0")), ..Append::default() };
        let expected = Some(oracle.append(&again).unwrap()).filter(|before| before.repeated.is_some());
        let found = store.find_command(command(number, "0").id).await.unwrap();
        assert_eq!(found, expected, "UMBEL_TEST_SEED={seed}: command {number}");
    }
}

/// What chances are drawn from: the seed that `UMBEL_TEST_SEED` names, or another one each time.
pub(super) fn seeded() -> (u64, TestRunner) {
    let seed = std::env::var("UMBEL_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| RandomState::new().hash_one(APPENDS));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    (seed, TestRunner::new_with_rng(Config::default(), rng))
}

/// The expected version with a distance made a real version, this near to the true one.
pub(super) fn near(expected: ExpectedVersion, actual: Version) -> ExpectedVersion {
    match expected {
        ExpectedVersion::Exact(distance) => exact((actual.get() + distance.get()).saturating_sub(NEAR)),
        other => other,
    }
}

/// A new append, or, one time in eight, one that was sent before.
pub(super) fn next_append(runner: &mut TestRunner, sent: &mut VecDeque<Append>, oracle: &Oracle) -> Append {
    let again = (0..8_u32, any::<prop::sample::Index>()).new_tree(runner).unwrap().current();
    if let (0, index) = again
        && !sent.is_empty()
    {
        return sent[index.index(sent.len())].clone();
    }
    let mut append = any_append().new_tree(runner).unwrap().current();
    for one in &mut append.streams {
        one.expected = near(one.expected, oracle.version(&one.stream));
    }
    for condition in &mut append.conditions {
        condition.after = behind(condition.after, oracle.head());
    }
    sent.push_back(append.clone());
    if sent.len() > 40 {
        sent.pop_front();
    }
    append
}

fn any_append() -> impl Strategy<Value = Append> {
    let streams = prop::collection::vec(any_stream_append(), 0..3);
    let commands = prop::option::weighted(0.3, 0..COMMANDS);
    let conditions = prop::option::weighted(0.3, prop::collection::vec(any_condition(), 1..3));
    let beside = (prop::option::weighted(0.3, any_claims()), conditions, commands);
    (streams, beside).prop_map(|(streams, (claims, conditions, number))| {
        let conditions = conditions.unwrap_or_default();
        Append {
            streams,
            conditions,
            claims: claims.unwrap_or_default(),
            documents: Vec::new(),
            inline: Vec::new(),
            command: number.map(|number| command(number, &number.to_string())),
            for_good: false,
            done: Vec::new(),
            replaces: Vec::new(),
            outbox: Vec::new(),
            goes_on: false,
            recorded_at: None,
        }
    })
}

/// Exact versions are distances to be made real by [`near`] when the request is sent; [`NEAR`] is none.
pub(super) fn any_expected() -> impl Strategy<Value = ExpectedVersion> {
    prop_oneof![
        4 => Just(Any),
        1 => Just(NoStream),
        2 => Just(StreamExists),
        4 => Just(exact(NEAR)),
        1 => (0..=2 * NEAR).prop_map(exact),
    ]
}

pub(super) fn any_stream() -> impl Strategy<Value = StreamName> {
    (0..STREAMS).prop_map(|number| stream(&format!("s-{number}")))
}

fn any_stream_append() -> impl Strategy<Value = StreamAppend> {
    // Mostly fresh ids; small ones meet.
    let id = prop_oneof![9 => any::<u64>(), 1 => 0..60_u64];
    let tags = prop_oneof![Just(Tags::none()), any_tags()];
    let ids = prop::collection::vec((id, tags), 1..4);
    (any_stream(), any_expected(), ids).prop_map(|(stream, expected, ids)| {
        let events = Events::default();
        let event = |(id, tags): (u64, Tags)| NewEvent {
            id: EventId(Uuid::from_u128(id.into())),
            tags,
            ..events.one()
        };
        StreamAppend::new(stream, expected, ids.into_iter().map(event).collect())
    })
}

/// Its position is a distance to be made real when the request is sent.
fn any_condition() -> impl Strategy<Value = AppendCondition> {
    (any_query(), 0..15_u64)
        .prop_map(|(query, distance)| AppendCondition::new(query, Position::new(distance)))
}

/// The distance of a condition's position from the one behind the log's head made a real position.
fn behind(distance: Position, head: Position) -> Position {
    Position::new(head.next().get().saturating_sub(distance.get()))
}

fn any_claims() -> impl Strategy<Value = Claims> {
    let names = || {
        let value = (0..6_u32).prop_map(|value| ClaimName::new("test.name", value.to_string()));
        prop::collection::vec(value, 0..3)
    };
    let owner = || (0..3_u32).prop_map(|owner| format!("owner-{owner}"));
    let from = prop_oneof![2 => Just(None), 1 => owner().prop_map(Some)];
    (owner(), names(), names(), from).prop_map(|(owner, take, release, from)| Claims {
        owner,
        take,
        release,
        from,
    })
}
