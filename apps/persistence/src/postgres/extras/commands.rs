//! Forgetting recorded commands.

use umbel_core::{Timestamp, schedule::FAILED_QUEUE, store::StoreError};

use crate::postgres::{reader::Reader, types::PgTimestamp};

impl Reader {
    pub(super) async fn oldest_work(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let sql = &self.statements().oldest_work;
        let rows = self.query(sql, &[&PgTimestamp(now), &FAILED_QUEUE]).await?;
        let oldest = rows.first().and_then(|row| row.get::<_, Option<PgTimestamp>>("oldest"));
        Ok(oldest.map(|PgTimestamp(at)| at))
    }

    pub(super) async fn sweep_commands(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.remove_in_steps(&self.statements().sweep_commands, &[&PgTimestamp(before)]).await
    }
}
