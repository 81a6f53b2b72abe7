//! Forgetting recorded commands.

use rusqlite::{Connection, params};
use umbel_core::{Timestamp, schedule::FAILED_QUEUE};

use crate::sqlite::{
    error::Fault,
    sql::{OLDEST_WORK, SWEEP_COMMANDS},
    writer::Writer,
};

/// Commands that one transaction forgets at most: some ten milliseconds, for which appends wait.
pub(super) const STEP: u32 = 1_000;

pub(super) fn oldest_work(connection: &Connection, now: Timestamp) -> rusqlite::Result<Option<Timestamp>> {
    let mut statement = connection.prepare_cached(OLDEST_WORK)?;
    let oldest =
        statement.query_row(params![now.as_micros(), FAILED_QUEUE], |row| row.get::<_, Option<i64>>(0))?;
    Ok(oldest.map(Timestamp::from_micros))
}

/// One step; how many that were.
pub(super) fn sweep(writer: &mut Writer, before: Timestamp) -> Result<usize, Fault> {
    writer.execute(SWEEP_COMMANDS, params![before.as_micros(), STEP])
}
