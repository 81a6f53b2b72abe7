//! The outbox: reading what waits, and clearing what is done. Appends fill it.

use tokio_postgres::Row;
use umbel_core::store::{
    ClearOutbox, DuePage, FindWork, ListQueues, OutboxEntry, QueueInfo, ReadDue, ReadOutbox, StoreError,
    Waiting,
};

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
        Ok(rows.iter().map(waiting).collect())
    }

    pub(super) async fn read_due(&self, request: ReadDue) -> Result<DuePage, StoreError> {
        let (now, limit) = (PgTimestamp(request.now), i64::from(request.limit));
        let rows = self.query(&self.statements().read_due, &[&request.queue, &now, &limit]).await?;
        let mut page = DuePage::default();
        for row in &rows {
            match row.get::<_, Option<PgTimestamp>>("next_due") {
                Some(PgTimestamp(next_due)) => page.next_due = Some(next_due),
                None => page.entries.push(waiting(row)),
            }
        }
        Ok(page)
    }

    pub(super) async fn list_queues(&self, request: ListQueues) -> Result<Vec<QueueInfo>, StoreError> {
        let limit = i64::from(request.limit);
        let rows = self.query(&self.statements().list_queues, &[&request.after, &limit]).await?;
        let info = |row: &Row| {
            let PgTimestamp(first_due_at) = row.get("first_due_at");
            let waiting = u64::try_from(row.get::<_, i64>("waiting")).unwrap_or(0);
            QueueInfo { queue: row.get("queue"), waiting, first_due_at }
        };
        Ok(rows.iter().map(info).collect())
    }

    pub(super) async fn find_work(&self, request: FindWork) -> Result<Option<Waiting>, StoreError> {
        let rows = self.query(&self.statements().find_work, &[&request.id]).await?;
        Ok(rows.first().map(waiting))
    }

    pub(super) async fn clear_outbox(&self, request: ClearOutbox) -> Result<u64, StoreError> {
        let numbers: Vec<_> = request.numbers.into_iter().map(number).collect();
        let cleared = self.write(&self.statements().clear_outbox, &[&numbers]).await?;
        Ok(count(&cleared))
    }
}

fn waiting(row: &Row) -> Waiting {
    let (PgTimestamp(recorded_at), JsonOut(body)) = (row.get("recorded_at"), row.get("body"));
    let due_at = row.get::<_, Option<PgTimestamp>>("due_at").map(|PgTimestamp(due_at)| due_at);
    Waiting {
        number: u64::try_from(row.get::<_, i64>("number")).unwrap_or(0),
        entry: OutboxEntry { id: row.get("outbox_id"), queue: row.get("queue"), body, due_at },
        recorded_at,
    }
}

/// As the column has it. No entry has a number beyond it.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
