//! Snapshots.

use tokio_postgres::Row;
use umbel_core::{
    StreamName, Version,
    store::{ListSnapshots, Snapshot, StoreError},
};

use crate::postgres::{
    reader::Reader,
    types::{JsonIn, JsonOut, PgTimestamp},
};

impl Reader {
    pub(super) async fn load_snapshot(&self, stream: StreamName) -> Result<Option<Snapshot>, StoreError> {
        let rows = self.query(&self.statements().load_snapshot, &[&stream.as_str()]).await?;
        Ok(rows.first().map(snapshot))
    }

    pub(super) async fn save_snapshot(&self, snapshot: Snapshot) -> Result<bool, StoreError> {
        let Snapshot { stream, version, state, schema, taken_at, data } = &snapshot;
        let (version, schema) = (version.to_i64(), i64::from(*schema));
        let (taken_at, data) = (PgTimestamp(*taken_at), JsonIn(data.as_str()));
        let sql = &self.statements().save_snapshot;
        let kept = self.write(sql, &[&stream.as_str(), &version, state, &schema, &taken_at, &data]).await?;
        Ok(!kept.is_empty())
    }

    pub(super) async fn delete_snapshot(&self, stream: StreamName) -> Result<bool, StoreError> {
        let deleted = self.write(&self.statements().delete_snapshot, &[&stream.as_str()]).await?;
        Ok(!deleted.is_empty())
    }

    pub(super) async fn list_snapshots(&self, request: ListSnapshots) -> Result<Vec<Snapshot>, StoreError> {
        let after = request.after.as_ref().map(StreamName::as_str);
        let limit = i64::from(request.limit);
        let rows = self.query(&self.statements().list_snapshots, &[&after, &limit]).await?;
        Ok(rows.iter().map(snapshot).collect())
    }
}

fn snapshot(row: &Row) -> Snapshot {
    let (PgTimestamp(taken_at), JsonOut(data)) = (row.get("taken_at"), row.get("data"));
    Snapshot {
        stream: StreamName::from_store(row.get::<_, &str>("stream")),
        version: Version::from_i64(row.get("version")),
        state: row.get("state"),
        // A number that is none is no schema that anybody asks for.
        schema: u32::try_from(row.get::<_, i64>("schema")).unwrap_or(0),
        taken_at,
        data,
    }
}
