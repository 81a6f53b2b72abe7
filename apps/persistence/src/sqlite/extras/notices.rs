//! Kept notices.

use rusqlite::{Connection, Row, ToSql, params};
use umbel_core::{
    Json, Timestamp,
    store::{KeepNotices, KeptNotice, ListNotices, SweepNotices},
};
use uuid::Uuid;

use super::count;
use crate::sqlite::{
    error::Fault,
    sql::{INSERT_NOTICE, LIST_NOTICES, LIST_NOTICES_OF_TOPIC, LIST_NOTICES_OF_TRANSACTION, SWEEP_NOTICES},
    writer::Writer,
};

/// How many are new.
pub(super) fn keep(writer: &mut Writer, request: &KeepNotices) -> Result<u64, Fault> {
    let (transaction, _kinds) = writer.begin()?;
    let mut kept = 0;
    for notice in &request.notices {
        kept += transaction.prepare_cached(INSERT_NOTICE)?.execute(params![
            notice.id.as_bytes(),
            notice.topic,
            notice.transaction_id.as_ref().map(|id| id.as_bytes()),
            notice.source,
            notice.initialized_at.map(Timestamp::as_micros),
            notice.occurred_at.as_micros(),
            notice.expires_at.map(Timestamp::as_micros),
            notice.data.as_str(),
        ])?;
    }
    transaction.commit().map_err(Fault::of_commit)?;
    Ok(count(kept))
}

pub(super) fn list(connection: &Connection, request: &ListNotices) -> rusqlite::Result<Vec<KeptNotice>> {
    let ListNotices { topic, transaction_id, limit, .. } = request;
    let (moment, id) = behind(request);
    let id = id.as_bytes();
    let (sql, parameters): (_, &[&dyn ToSql]) = match (transaction_id, topic) {
        (Some(transaction), topic) => {
            (LIST_NOTICES_OF_TRANSACTION, &[&moment, &id, limit, &transaction.as_bytes(), topic])
        }
        (None, Some(topic)) => (LIST_NOTICES_OF_TOPIC, &[&moment, &id, limit, topic]),
        (None, None) => (LIST_NOTICES, &[&moment, &id, limit]),
    };
    connection.prepare_cached(sql)?.query_map(parameters, notice)?.collect()
}

/// The place behind which the page begins.
fn behind(request: &ListNotices) -> (i64, Uuid) {
    // Behind the last id of the moment before is at that moment.
    let since = request.since.map_or(i64::MIN, |since| since.as_micros().saturating_sub(1));
    let after = request.after.map(|(moment, id)| (moment.as_micros(), id));
    after.unwrap_or((i64::MIN, Uuid::nil())).max((since, Uuid::max()))
}

/// How many.
pub(super) fn sweep(writer: &mut Writer, request: SweepNotices) -> Result<u64, Fault> {
    writer.execute(SWEEP_NOTICES, [request.now.as_micros()]).map(count)
}

fn notice(row: &Row<'_>) -> rusqlite::Result<KeptNotice> {
    let time = |column| row.get::<_, Option<i64>>(column).map(|time| time.map(Timestamp::from_micros));
    Ok(KeptNotice {
        id: Uuid::from_bytes(row.get(0)?),
        topic: row.get(1)?,
        transaction_id: row.get::<_, Option<[u8; 16]>>(2)?.map(Uuid::from_bytes),
        source: row.get(3)?,
        initialized_at: time(4)?,
        occurred_at: Timestamp::from_micros(row.get(5)?),
        expires_at: time(6)?,
        data: Json::from_store(row.get::<_, String>(7)?),
    })
}
