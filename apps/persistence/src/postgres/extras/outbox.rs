//! The outbox: reading what waits, and clearing what is done. Appends fill it.

use umbel_core::store::{ClearOutbox, OutboxEntry, ReadOutbox, StoreError, Waiting};

use super::count;
use crate::postgres::{
    reader::Reader,
    types::{JsonOut, PgTimestamp},
};

impl Reader {
    pub(super) async fn read_outbox(&self, request: ReadOutbox) -> Result<Vec<Waiting>, StoreError> {
        let after = number(request.after);
        let limit = i64::from(request.limit);
        let rows = self.query(&self.statements().read_outbox, &[&request.queue, &after, &limit]).await?;
        let waiting = rows.iter().map(|row| {
            let (PgTimestamp(recorded_at), JsonOut(body)) = (row.get("recorded_at"), row.get("body"));
            Waiting {
                number: u64::try_from(row.get::<_, i64>("number")).unwrap_or(0),
                entry: OutboxEntry { id: row.get("outbox_id"), queue: row.get("queue"), body },
                recorded_at,
            }
        });
        Ok(waiting.collect())
    }

    pub(super) async fn clear_outbox(&self, request: ClearOutbox) -> Result<u64, StoreError> {
        let numbers: Vec<_> = request.numbers.into_iter().map(number).collect();
        let cleared = self.write(&self.statements().clear_outbox, &[&numbers]).await?;
        Ok(count(&cleared))
    }
}

/// As the column has it. No entry has a number beyond it.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
