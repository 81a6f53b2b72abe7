//! A server that stays connected and says nothing, and attempts to connect of which only some fail.

use std::time::{Duration, Instant};

use futures_util::{
    StreamExt as _,
    future::{join, join_all},
    stream::FuturesUnordered,
};
use umbel_core::store::StoreError;
use umbel_testkit::postgres::{CuttingProxy, Server};

use super::support::schema;
use crate::{
    Log,
    postgres::{Postgres, PostgresOptions},
};

const CONNECTIONS: usize = 2;
const WAITING: usize = 20;

fn options() -> PostgresOptions {
    let connect_timeout = Duration::from_millis(500);
    PostgresOptions {
        max_connections: CONNECTIONS,
        connect_timeout,
        listen: false,
        ..PostgresOptions::default()
    }
}

fn is_unavailable(error: &StoreError, says: &str) -> bool {
    matches!(error, StoreError::Unavailable { reason } if reason.contains(says))
}

/// OP-19: given a server that falls silent while all connections wait for it, then those who wait for one are told that it does not answer,
/// and at once when somebody has tried in vain to open another one; nobody is told to raise a limit. Once it answers again, all are served.
#[tokio::test]
async fn who_waits_for_a_server_that_falls_silent_is_told_so() {
    let server = Server::start().unwrap();
    let adapter = Postgres::connect(server.url(), "silent", options()).await.unwrap();
    join_all((0..CONNECTIONS).map(|_| adapter.status())).await;
    let frozen = server.freeze().unwrap();
    let mut asking: FuturesUnordered<_> =
        (0..CONNECTIONS + WAITING).map(|_| Box::pin(adapter.status())).collect();
    for _ in 0..WAITING {
        let error = asking.next().await.unwrap().unwrap_err();
        assert!(is_unavailable(&error, "no answer within 5s on any connection"), "{error}");
    }

    let begun = Instant::now();
    let waiting = join_all((0..WAITING).map(|_| adapter.status()));
    let (told, another) = join(waiting, Postgres::connect(server.url(), "silent", options())).await;
    assert!(is_unavailable(&another.unwrap_err(), "no answer within 500ms"));
    for error in told.into_iter().map(Result::unwrap_err) {
        assert!(is_unavailable(&error, "no answer within 500ms"), "{error}");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());

    drop(frozen);
    while let Some(served) = asking.next().await {
        served.unwrap();
    }
    adapter.status().await.unwrap();
}

/// OP-19: given the first connections, when opening one fails while another one is being opened, then those who wait for a place are served.
#[tokio::test]
async fn an_attempt_that_fails_beside_another_one_turns_nobody_away() {
    let schema = schema();
    let proxy = CuttingProxy::start(schema.url()).unwrap();
    let adapter = Postgres::connect(proxy.url(), schema.name(), options()).await.unwrap();
    proxy.refuse();
    let served = join_all((0..CONNECTIONS + WAITING).map(|_| adapter.status())).await;
    let turned_away: Vec<_> = served.into_iter().filter_map(Result::err).collect();
    assert_eq!(turned_away.len(), 1, "{turned_away:?}");
}
