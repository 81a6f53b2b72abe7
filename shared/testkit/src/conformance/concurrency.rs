//! Many writers and readers at once.

use std::{sync::Arc, sync::atomic::AtomicUsize, sync::atomic::Ordering::SeqCst};

use tokio::task::JoinSet;
use umbel_core::{
    EventId,
    ExpectedVersion::{self, Any, NoStream},
    Position, Timestamp,
    document::Direction,
    store::{Append, AppendError, Appended, ClaimName, Claims, ReadAll, Removal, Selector, VerifyStore},
};
use uuid::Uuid;

use super::{
    Events, StoreUnderTest, archive, command, delete, exact, position, put, read_log, read_log_matching,
    version,
};

/// Sends all appends at once and gives their outcomes in the order of the appends.
pub(super) async fn race<S: StoreUnderTest>(
    store: &Arc<S>,
    appends: Vec<Append>,
) -> Vec<Result<Appended, AppendError>> {
    let mut tasks = Vec::new();
    for append in appends {
        let store = store.clone();
        tasks.push(tokio::spawn(async move { store.append(append).await }));
    }
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

/// AP-04: of many writers with one expected version exactly one wins, on a new stream and on an existing one; the
/// others learn the actual version.
pub async fn one_of_the_racing_writers_wins<S: StoreUnderTest>(store: S) {
    let (store, events) = (Arc::new(store), Events::default());
    for (round, expected) in [NoStream, exact(1), exact(2)].into_iter().enumerate() {
        let outcomes = race(&store, (0..50).map(|_| events.append("s", expected, 1)).collect()).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{expected}");
        let now = version(u64::try_from(round).unwrap() + 1);
        for error in outcomes.into_iter().filter_map(Result::err) {
            assert!(
                matches!(
                    &error,
                    AppendError::WrongExpectedVersion { actual, .. }
                        | AppendError::StreamExists { actual, .. } if *actual == now
                ),
                "{error}"
            );
        }
        assert_eq!(read_log(&*store).await.len(), round + 1);
    }
}

/// AP-04: an append that was decided on another one on its way is stored behind that one or not at all, also when somebody else's event
/// has taken the version. Of those that come together, with nobody else's between, some are stored.
pub async fn an_append_is_stored_behind_what_it_was_decided_on<S: StoreUnderTest>(store: S) {
    let (store, events) = (Arc::new(store), Events::default());
    let behind = |name: &str, of: &Append, expected| {
        let mut next = events.append(name, expected, 1);
        next.streams[0].behind = Some(of.streams[0].events[0].id);
        next
    };
    let own = events.append("s", exact(0), 1);
    store.append(own.clone()).await.unwrap();
    let late = store.append(behind("s", &own, exact(1))).await;
    assert!(matches!(late, Err(AppendError::NotBehind { .. })), "nobody looks for it in the log: {late:?}");
    let mut stored_behind = 0;
    for round in 0..20 {
        let name = format!("s-{round}");
        let own = events.append(&name, exact(0), 1);
        let next = behind(&name, &own, exact(1));
        let last = next.streams[0].events[0].id;
        let others = if round % 2 == 0 { vec![] } else { vec![events.append(&name, Any, 1)] };
        let appends = others.into_iter().chain([own.clone(), next]).collect();
        let outcomes = race(&store, appends).await;
        let stored = read_log(&*store).await;
        let stored: Vec<_> = stored.iter().filter(|event| event.stream.as_str() == name).collect();
        match stored.iter().position(|event| event.id == last) {
            Some(at) => {
                assert_eq!(stored[at - 1].id, own.streams[0].events[0].id);
                assert!(outcomes.last().unwrap().is_ok());
                stored_behind += 1;
            }
            None => assert!(outcomes.last().unwrap().is_err()),
        }
        if stored[0].id != own.streams[0].events[0].id {
            assert!(matches!(
                outcomes.last(),
                Some(Err(AppendError::NotBehind { .. } | AppendError::WrongExpectedVersion { .. }))
            ));
        }
    }
    assert!(stored_behind > 0, "each of those that it could be behind was refused");
}

/// AP-05: many any-version writers on one stream all win, without a gap or a duplicate.
pub async fn any_version_writers_all_win<S: StoreUnderTest>(store: S) {
    let (store, events) = (Arc::new(store), Events::default());
    for round in 1..=2 {
        let appends = (0..100).map(|index| events.append("s", Any, 1 + index % 3)).collect();
        let outcomes = race(&store, appends).await;
        let mut lasts: Vec<_> =
            outcomes.iter().map(|outcome| outcome.as_ref().unwrap().versions[0]).collect();
        lasts.sort_unstable();
        lasts.dedup();
        assert_eq!(lasts.len(), 100);
        assert_eq!(read_log(&*store).await.len(), round * 199);
    }
}

/// UX-01: of 64 appends to 64 streams at once, the one with a wrong expected version fails with its actual
/// version, and 63 are stored.
pub async fn a_wrong_append_fails_alone_in_its_group<S: StoreUnderTest>(store: S) {
    let (store, events) = (Arc::new(store), Events::default());
    store.append(events.append("s-20", NoStream, 2)).await.unwrap();
    let appends = (0..64).map(|index| events.append(&format!("s-{index}"), exact(0), 1)).collect();
    let outcomes = race(&store, appends).await;
    for (index, outcome) in outcomes.into_iter().enumerate() {
        if index == 20 {
            let actual = version(2);
            let (stream, expected) = (super::stream("s-20"), exact(0));
            let wrong = AppendError::WrongExpectedVersion { stream, expected, actual };
            assert_eq!(outcome, Err(wrong));
        } else {
            assert_eq!(outcome.unwrap().versions, [version(1)]);
        }
    }
    assert_eq!(read_log(&*store).await.len(), 65);
}

/// UX-01, AP-06, UX-02, UX-05, UX-06: among many good appends sent at once, one that reuses an event id, one that was
/// stored before, one whose command is known and one whose claim is taken each get their own answer.
pub async fn every_append_of_a_group_gets_its_own_answer<S: StoreUnderTest>(store: S) {
    let (store, events) = (Arc::new(store), Events::default());
    let claiming = |owner: &str, append| {
        let take = vec![ClaimName::new("test.name", "x")];
        Append { claims: Claims { owner: owner.into(), take, release: Vec::new(), from: None }, ..append }
    };
    let first = claiming("one", events.append("known", NoStream, 1));
    let first = Append { command: Some(command(1, "1")), ..first };
    let again = events.append("again", NoStream, 2);
    store.append(first.clone()).await.unwrap();
    let stored = store.append(again.clone()).await.unwrap();

    let mut group: Vec<_> = (0..40).map(|index| events.append(&format!("s-{index}"), NoStream, 2)).collect();
    let id = first.streams[0].events[0].id;
    group[7].streams[0].events[1].id = id;
    group[19] = again;
    group[23].command = Some(command(1, "2"));
    group[31] = claiming("two", events.append("s-31", NoStream, 2));
    let outcomes = race(&store, group).await;
    for (index, outcome) in outcomes.into_iter().enumerate() {
        match index {
            7 => assert_eq!(outcome, Err(AppendError::DuplicateEvent { id })),
            19 => assert_eq!(outcome, Ok(stored.clone().again())),
            23 => assert_eq!(outcome.unwrap().repeated, Some(command(1, "1").reply)),
            31 => assert!(matches!(outcome, Err(AppendError::Claimed { .. })), "{outcome:?}"),
            _ => assert_eq!(outcome.unwrap().versions, [version(2)], "{index}"),
        }
    }
    assert_eq!(read_log(&*store).await.len(), 3 + 36 * 2);
}

/// CD-03, UX-05: of many who take one claim at once exactly one gets it, and the others name that one.
pub async fn a_contested_claim_goes_to_one<S: StoreUnderTest>(store: S) {
    let (store, events) = (Arc::new(store), Events::default());
    let appends = (0..30).map(|index| {
        let owner = format!("user-{index}");
        let take = vec![ClaimName::new("test.name", "ada")];
        let claims = Claims { owner: owner.clone(), take, release: Vec::new(), from: None };
        Append { claims, ..events.append(&owner, NoStream, 1) }
    });
    let outcomes = race(&store, appends.collect()).await;
    let log = read_log(&*store).await;
    assert_eq!(log.len(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert!(
            matches!(&error, AppendError::Claimed { owner, .. } if owner == log[0].stream.as_str()),
            "{error}"
        );
    }
}

/// UX-06: a command sent many times at once runs once; all get the one reply.
pub async fn a_command_sent_many_times_at_once_runs_once<S: StoreUnderTest>(store: S) {
    let (store, events) = (Arc::new(store), Events::default());
    let appends = (0..30)
        .map(|index| Append { command: Some(command(7, &index.to_string())), ..events.append("s", Any, 1) });
    let outcomes = race(&store, appends.collect()).await;
    assert_eq!(read_log(&*store).await.len(), 1);
    let first = store.find_command(command(7, "0").id).await.unwrap().unwrap();
    assert_eq!(first.last_position, Some(position(1)));
    let ran = |outcome: &&Result<Appended, _>| outcome.as_ref().unwrap().repeated.is_none();
    assert_eq!(outcomes.iter().filter(ran).count(), 1);
    let repeated = outcomes.iter().filter_map(|outcome| outcome.as_ref().unwrap().repeated.as_ref());
    assert!(repeated.into_iter().all(|reply| Some(reply) == first.repeated.as_ref()));
}

/// UX-03 within one process, invariant 2: readers that follow the log while writers run (some of them refused) see
/// positions 1 to n without a gap or a swap, and never an event beyond the head of their page.
pub async fn followers_see_every_position_in_order<S: StoreUnderTest>(store: S) {
    const WRITERS: usize = 16;
    const ROUNDS: usize = 25;
    let (store, events) = (Arc::new(store), Arc::new(Events::default()));
    let writing = Arc::new(AtomicUsize::new(WRITERS));
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let (store, events, writing) = (store.clone(), events.clone(), writing.clone());
        tasks.spawn(async move {
            let mut stored = 0;
            for round in 0..ROUNDS {
                let expected: ExpectedVersion = if round % 5 == 0 { NoStream } else { Any };
                let count = 1 + (writer + round) % 3;
                let name = format!("s-{}", (writer * 7 + round) % 20);
                stored += store.append(events.append(&name, expected, count)).await.map_or(0, |_| count);
            }
            writing.fetch_sub(1, SeqCst);
            stored
        });
    }
    for limit in [1, 7, 1000] {
        tasks.spawn(follow(store.clone(), writing.clone(), limit));
    }
    let mut sizes = tasks.join_all().await;
    let log = read_log(&*store).await.len();
    // What the writers stored adds up to the log, and every follower saw all of it.
    sizes.sort_unstable();
    let followed = sizes.split_off(WRITERS);
    assert_eq!(followed, [log; 3]);
    assert_eq!(sizes.iter().sum::<usize>(), log);
}

/// Reads on until the writers are done and the head is reached; how many events it saw.
async fn follow<S: StoreUnderTest>(store: Arc<S>, writing: Arc<AtomicUsize>, limit: u32) -> usize {
    let mut at = Position::START;
    loop {
        let ended = writing.load(SeqCst) == 0;
        let request = ReadAll {
            from: Some(at.next()),
            direction: Direction::Forward,
            limit,
            selector: Selector::all(),
        };
        let page = store.read_all(request).await.unwrap();
        for event in &page.events {
            assert_eq!(event.position, at.next(), "a gap or a swap");
            at = event.position;
        }
        assert!(at <= page.head);
        if ended && at == page.head {
            return usize::try_from(at.get()).unwrap();
        }
        tokio::task::yield_now().await;
    }
}

/// RD-04, LD-05: readers that select, one page after the other, while streams are deleted for good and the log is
/// archived, see every event that stays, once and in order.
pub async fn selecting_readers_miss_nothing_that_stays<S: StoreUnderTest>(store: S) {
    const ROUNDS: usize = 25;
    let conversation = Some(Uuid::from_u128(7));
    let (store, events) = (Arc::new(store), Events::default());
    let writing = Arc::new(AtomicUsize::new(1));
    let selectors = [
        Selector::names(["test.happened"]),
        Selector::categories(["kept", "gone"]),
        Selector { correlation_id: conversation, ..Selector::all() },
        Selector { recorded_from: Some(Timestamp::from_micros(1)), ..Selector::all() },
    ];
    let mut readers = JoinSet::new();
    for (selector, limit) in selectors.into_iter().zip([3, 7, 5, 40]) {
        readers.spawn(follow_selected(store.clone(), writing.clone(), selector, limit));
    }
    let mut kept = Vec::new();
    for round in 0..ROUNDS {
        for part in 0..6 {
            let stays = part % 3 == 0;
            let name = if stays { "kept-1".to_owned() } else { format!("gone-{round}") };
            let mut append = events.append(&name, Any, 2);
            for event in &mut append.streams[0].events {
                event.metadata.correlation_id = conversation;
            }
            let ids = put(&*store, append).await;
            kept.extend(ids.into_iter().filter(|_| stays));
        }
        store.ask(events.perform(delete(&format!("gone-{round}"), Removal::Hard))).await.unwrap();
        if round % 5 == 4 {
            let through = store.status().await.unwrap().head.get() - 20;
            store.ask(events.perform(archive(through))).await.unwrap();
        }
    }
    writing.store(0, SeqCst);
    while let Some(seen) = readers.join_next().await {
        let seen: Vec<_> = seen.unwrap().into_iter().filter(|id| kept.contains(id)).collect();
        assert_eq!(seen, kept);
    }
    let left = Selector { correlation_id: conversation, ..Selector::all() };
    assert_eq!(read_log_matching(&*store, &left, 100).await.len(), kept.len());
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]));
}

/// Reads on until the writer is done and the head is reached; the events it saw.
async fn follow_selected<S: StoreUnderTest>(
    store: Arc<S>,
    writing: Arc<AtomicUsize>,
    selector: Selector,
    limit: u32,
) -> Vec<EventId> {
    let (mut seen, mut at) = (Vec::new(), Position::START);
    loop {
        let ended = writing.load(SeqCst) == 0;
        let request = ReadAll {
            from: Some(at.next()),
            direction: Direction::Forward,
            limit,
            selector: selector.clone(),
        };
        let page = store.read_all(request).await.unwrap();
        for event in &page.events {
            assert!(event.position > at, "a swap");
            at = event.position;
            seen.push(event.id);
        }
        at = at.max(page.scanned_to);
        if ended && at >= page.head {
            return seen;
        }
        tokio::task::yield_now().await;
    }
}
