//! Where a test with an umbrella runs.

use std::{future::Future, time::Duration};

use tokio::time::timeout;

/// How long a test may take before it counts as hanging.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Runs a test on an actix system of its own, whose threads end with it. An umbrella needs one, and `#[tokio::test]` has none.
///
/// # Panics
/// When the test does, or takes longer than [`LIMIT`].
pub fn run(test: impl Future<Output = ()>) {
    let system = actix::System::new();
    system.block_on(async {
        let ended = timeout(LIMIT, test).await;
        assert!(ended.is_ok(), "the test hangs: it has not ended within {LIMIT:?}");
        actix::System::current().stop();
    });
    if let Err(error) = system.run() {
        panic!("the threads of the test did not end: {error}");
    }
}
