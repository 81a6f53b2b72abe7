//! Runs one case.

use std::{future::Future, time::Duration};

/// How long a case may take. Generous: it only turns a hang into a failure.
const CASE_TIMEOUT: Duration = Duration::from_secs(120);

/// Runs a case to its end on a runtime of its own.
///
/// # Panics
/// When the case does, or takes longer than two minutes.
pub fn run(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime without worker threads needs nothing but a file descriptor");
    let ended = runtime.block_on(async { tokio::time::timeout(CASE_TIMEOUT, case).await });
    assert!(ended.is_ok(), "the case did not end within {CASE_TIMEOUT:?}");
}
