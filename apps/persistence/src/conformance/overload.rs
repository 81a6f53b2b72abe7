//! More appends than may wait for the writer.

use std::future::ready;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rusqlite::Connection;
use umbel_core::{
    ExpectedVersion::Any,
    StreamName,
    document::Direction,
    store::{AppendError, ReadStream, StoreError},
};
use umbel_testkit::conformance::Events;

use super::streamed::with_store;
use crate::{StoreSettings, sqlite::Sqlite};

/// AP-15: given a writer that cannot store just now and as many appends as may wait, when more come, then they are refused as
/// `Overloaded` with how many wait, and nothing of them is stored; those that wait are stored when it can, and so is what comes next.
#[test]
fn what_may_not_wait_is_refused_and_service_goes_on() {
    for settings in [
        StoreSettings { queue_capacity: 2, ..StoreSettings::default() },
        StoreSettings { queue_max_bytes: 2 * bytes_of_one(), ..StoreSettings::default() },
    ] {
        let directory = tempfile::tempdir().unwrap();
        let file = &directory.path().join("umbel.db");
        let open = async { (Sqlite::open(file).unwrap(), ()) };
        with_store(open, &settings, |bus, _| async move {
            let (store, events) = (bus.store(), Events::default());
            let holder = Connection::open(file).unwrap();
            holder.execute_batch("BEGIN IMMEDIATE").unwrap();
            let appends = (0..9).map(|_| store.append(events.append("s", Any, 1)));
            let mut outcomes: FuturesUnordered<_> = appends.collect();
            // A group of two may have been on its way when the others came, and two wait; all else is answered at once.
            for _ in 0..5 {
                let refusal = outcomes.next().await.unwrap().unwrap_err();
                let overloaded = matches!(refusal, AppendError::Store(StoreError::Overloaded { waiting: 2 }));
                assert!(overloaded, "{refusal}");
            }
            holder.execute_batch("ROLLBACK").unwrap();
            let stored = outcomes.filter(|outcome| ready(outcome.is_ok())).count().await;
            assert!((2..=4).contains(&stored), "{stored} were stored");
            store.append(events.append("s", Any, 1)).await.unwrap();
            let stream = StreamName::new("s").unwrap();
            let request = ReadStream { stream, from: None, direction: Direction::Forward, limit: 100 };
            let there = store.read_stream(request).await.unwrap().events.len();
            assert_eq!(there, stored + 1);
        });
    }
}

fn bytes_of_one() -> usize {
    Events::default().append("s", Any, 1).len_bytes()
}
