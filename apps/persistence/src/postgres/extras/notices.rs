//! Kept notices.

use tokio_postgres::Row;
use umbel_core::store::{KeepNotices, KeptNotice, ListNotices, StoreError, SweepNotices};
use uuid::Uuid;

use super::count;
use crate::postgres::{
    reader::Reader,
    types::{JsonIn, JsonOut, PgTimestamp},
};

impl Reader {
    pub(super) async fn keep_notices(&self, request: KeepNotices) -> Result<u64, StoreError> {
        let mut notices: Vec<_> = request.notices.iter().collect();
        // In one order, so that two writers of the same notices do not wait for each other crosswise.
        notices.sort_by_key(|notice| notice.id);
        let each = || notices.iter();
        let ids: Vec<Uuid> = each().map(|notice| notice.id).collect();
        let topics: Vec<&str> = each().map(|notice| notice.topic.as_str()).collect();
        let transactions: Vec<Option<Uuid>> = each().map(|notice| notice.transaction_id).collect();
        let sources: Vec<Option<&str>> = each().map(|notice| notice.source.as_deref()).collect();
        let initialized: Vec<_> = each().map(|notice| notice.initialized_at.map(PgTimestamp)).collect();
        let occurred: Vec<_> = each().map(|notice| PgTimestamp(notice.occurred_at)).collect();
        let expires: Vec<_> = each().map(|notice| notice.expires_at.map(PgTimestamp)).collect();
        let data: Vec<_> = each().map(|notice| JsonIn(notice.data.as_str())).collect();
        let sql = &self.statements().keep_notices;
        let kept = self
            .write(sql, &[&ids, &topics, &transactions, &sources, &initialized, &occurred, &expires, &data])
            .await?;
        Ok(count(&kept))
    }

    pub(super) async fn list_notices(&self, request: ListNotices) -> Result<Vec<KeptNotice>, StoreError> {
        let ListNotices { topic, transaction_id, since, after, limit } = request;
        let since = since.map(PgTimestamp);
        let (after, after_id) = after.map(|(at, id)| (PgTimestamp(at), id)).unzip();
        let limit = i64::from(limit);
        let statements = self.statements();
        let rows = match (transaction_id, topic) {
            (None, None) => self.query(&statements.list_notices, &[&since, &after, &after_id, &limit]).await,
            (None, Some(topic)) => {
                let sql = &statements.list_notices_of_topic;
                self.query(sql, &[&since, &after, &after_id, &limit, &topic]).await
            }
            (Some(transaction), topic) => {
                let sql = &statements.list_notices_of_transaction;
                self.query(sql, &[&since, &after, &after_id, &limit, &transaction, &topic]).await
            }
        }?;
        Ok(rows.iter().map(notice).collect())
    }

    pub(super) async fn sweep_notices(&self, request: SweepNotices) -> Result<u64, StoreError> {
        self.remove_in_steps(&self.statements().sweep_notices, &[&PgTimestamp(request.now)]).await
    }
}

fn notice(row: &Row) -> KeptNotice {
    let optional = |column| row.get::<_, Option<PgTimestamp>>(column).map(|PgTimestamp(at)| at);
    let (PgTimestamp(occurred_at), JsonOut(data)) = (row.get("occurred_at"), row.get("data"));
    KeptNotice {
        id: row.get("notice_id"),
        topic: row.get("topic"),
        transaction_id: row.get("transaction_id"),
        source: row.get("source"),
        initialized_at: optional("initialized_at"),
        occurred_at,
        expires_at: optional("expires_at"),
        data,
    }
}
