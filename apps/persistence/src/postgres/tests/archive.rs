//! The archive: what was moved there is read, and counted as a duplicate, as if it had stayed, also while it is moved.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use umbel_core::{
    ExpectedVersion, Version,
    document::Direction,
    store::{AppendError, ReadStream},
};

use super::{
    support::{adapter, append, assert_gapless, exact, schema, stream, to, whole_log},
    upkeep::{archive, perform},
};
use crate::{Log, postgres::Postgres};

/// Versions of a page of the stream `a`.
async fn page(adapter: &Postgres, from: Option<u64>, direction: Direction, limit: u32) -> Vec<u64> {
    let request = ReadStream { stream: stream("a"), from: from.map(Version::new), direction, limit };
    let page = adapter.read_stream(request).await.unwrap();
    page.events.iter().map(|event| event.version.get()).collect()
}

/// AP-06 across the archive: the same append again is recognised, its event elsewhere is a duplicate, and nobody else
/// in the group has to suffer for it.
#[tokio::test]
async fn an_event_in_the_archive_is_a_duplicate() {
    let schema = schema();
    let (one, other) = (adapter(&schema).await, adapter(&schema).await);
    let first = to("a", exact(0));
    let stored = append(&one, first.clone()).await.unwrap();
    append(&one, to("b", exact(0))).await.unwrap();
    perform(&other, archive(2)).await;
    let mut elsewhere = first.clone();
    elsewhere.streams[0].stream = stream("c");
    for adapter in [&one, &other] {
        assert_eq!(append(adapter, first.clone()).await, Ok(stored.clone().again()));
        let group = vec![to("d", ExpectedVersion::Any), elsewhere.clone(), to("d", ExpectedVersion::Any)];
        let outcomes = adapter.append(group, super::upkeep::NOW).await;
        assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
        assert!(matches!(outcomes[1], Err(AppendError::DuplicateEvent { .. })), "{outcomes:?}");
    }
    assert_gapless(&whole_log(&one).await);
}

/// A stream goes on where it was although all of it is in the archive, whatever a writer remembers.
#[tokio::test]
async fn an_archived_stream_keeps_its_version() {
    let schema = schema();
    let (one, other) = (adapter(&schema).await, adapter(&schema).await);
    for version in 0..3 {
        append(&one, to("a", exact(version))).await.unwrap();
    }
    perform(&other, archive(3)).await;
    let exists = append(&other, to("a", ExpectedVersion::NoStream)).await.unwrap_err();
    assert!(
        matches!(exists, AppendError::StreamExists { actual, .. } if actual == Version::new(3)),
        "{exists}"
    );
    assert_eq!(append(&one, to("a", exact(3))).await.unwrap().versions, [Version::new(4)]);
    assert_eq!(append(&other, to("a", ExpectedVersion::Any)).await.unwrap().versions, [Version::new(5)]);
    let stale = append(&one, to("a", exact(3))).await.unwrap_err();
    assert!(matches!(stale, AppendError::WrongExpectedVersion { actual, .. } if actual == Version::new(5)));
    assert_gapless(&whole_log(&other).await);
}

/// RD-01: a reader that has not heard of the archive reads pages that begin, end, or lie in it.
#[tokio::test]
async fn a_reader_that_knew_no_archive_misses_nothing() {
    let schema = schema();
    let (one, other) = (adapter(&schema).await, adapter(&schema).await);
    for _ in 0..10 {
        append(&one, to("a", ExpectedVersion::Any)).await.unwrap();
    }
    assert_eq!(whole_log(&one).await.len(), 10);
    perform(&other, archive(6)).await;
    for limit in [1, 3, 10] {
        for from in 1..=11 {
            let forward: Vec<u64> = (from..=10).take(limit).collect();
            let limit = u32::try_from(limit).unwrap();
            assert_eq!(page(&one, Some(from), Direction::Forward, limit).await, forward);
        }
        for from in 1..=10 {
            let backward: Vec<u64> = (1..=from).rev().take(limit).collect();
            let limit = u32::try_from(limit).unwrap();
            assert_eq!(page(&one, Some(from), Direction::Backward, limit).await, backward);
        }
    }
    let log = whole_log(&one).await;
    assert_eq!(log.len(), 11, "with the record of the act");
    assert_gapless(&log);
    let archived = log[2].clone();
    assert_eq!(one.find_event(archived.id).await.unwrap(), Some(archived));
    assert_eq!(one.status().await.unwrap().archived_to.get(), 6);
}

/// Events that are moved while they are read are seen once, in every page, by every kind of read.
#[tokio::test]
async fn reading_while_archiving_misses_nothing() {
    const EVENTS: u64 = 200;
    let schema = schema();
    let (one, other) = (adapter(&schema).await, adapter(&schema).await);
    let group = (0..EVENTS).map(|_| to("a", ExpectedVersion::Any)).collect();
    for outcome in one.append(group, super::upkeep::NOW).await {
        outcome.unwrap();
    }
    let done = Arc::new(AtomicBool::new(false));
    let (archived, moving) = (Arc::clone(&done), Arc::clone(&other));
    let archiver = tokio::spawn(async move {
        for through in (5..=EVENTS).step_by(5) {
            perform(&moving, archive(through)).await;
        }
        archived.store(true, Ordering::Relaxed);
    });
    let forward: Vec<u64> = (1..=EVENTS).collect();
    let backward: Vec<u64> = (1..=EVENTS).rev().collect();
    while !done.load(Ordering::Relaxed) {
        assert_gapless(&whole_log(&one).await);
        assert_eq!(page(&one, None, Direction::Forward, 1000).await, forward);
        assert_eq!(page(&one, None, Direction::Backward, 1000).await, backward);
    }
    archiver.await.unwrap();
    assert_gapless(&whole_log(&one).await);
}
