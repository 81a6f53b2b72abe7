//! The edge of the pure core: the one place where clock and randomness come in.

use std::time::{SystemTime, UNIX_EPOCH};

use umbel_core::Timestamp;
use uuid::Uuid;

/// This moment, by this machine's clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the edge")]
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}

/// An id nobody has used; ids sort by the time they were made, which keeps indexes on them compact.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the edge")]
pub fn fresh_id() -> Uuid {
    Uuid::now_v7()
}
