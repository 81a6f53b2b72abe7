//! Writing the events of a plan: one statement, whichever suits.

use tokio_postgres::{Error, Row};

use super::{Base, Session};
use crate::postgres::{statement::Ready, typed::Param, types::PgTimestamp, writer::rows::EventRows};

impl Session {
    /// `None` when this is no usual case after all.
    pub(super) async fn append_known(
        &self,
        rows: &EventRows<'_>,
        kind_ids: &Vec<i32>,
        revision: i64,
        now: PgTimestamp,
    ) -> Result<Option<Base>, Error> {
        let Some(usual) = &self.usual else { return Ok(None) };
        if let ([_], &[kind_id]) = (&*rows.ids, &**kind_ids) {
            return self.append_one(&usual.append_one, rows, kind_id, revision, now).await;
        }
        let count = i64::try_from(rows.ids.len()).unwrap_or(i64::MAX);
        let params: [Param<'_>; 13] = [
            &revision,
            &now,
            &count,
            &rows.stream_ids,
            &rows.stream_versions,
            &rows.ids,
            kind_ids,
            &rows.correlation_ids,
            &rows.causation_ids,
            &rows.subjects,
            &rows.data,
            &rows.bytes,
            &rows.metadata,
        ];
        Ok(Base::of_usual(&usual.append_known.ask(&self.client, &params).await?))
    }

    async fn append_one(
        &self,
        statement: &Ready,
        rows: &EventRows<'_>,
        kind_id: i32,
        revision: i64,
        now: PgTimestamp,
    ) -> Result<Option<Base>, Error> {
        let params: [Param<'_>; 12] = [
            &revision,
            &now,
            &rows.stream_ids[0],
            &rows.stream_versions[0],
            &rows.ids[0],
            &kind_id,
            &rows.correlation_ids[0],
            &rows.causation_ids[0],
            &rows.subjects.first().copied().flatten(),
            &rows.data[0],
            &rows.bytes.first().copied().flatten(),
            &rows.metadata[0],
        ];
        Ok(Base::of_usual(&statement.ask(&self.client, &params).await?))
    }

    pub(super) async fn append(
        &self,
        rows: &EventRows<'_>,
        kind_ids: &Vec<i32>,
        head: Option<i64>,
        revision: i64,
        now: PgTimestamp,
    ) -> Result<Base, Error> {
        let row = self
            .append_group
            .ask_one(
                &self.client,
                &[
                    &head,
                    &revision,
                    &now,
                    &rows.streams,
                    &rows.versions,
                    &rows.new_streams,
                    &rows.kind_categories,
                    &rows.kind_types,
                    &rows.kind_schemas,
                    &rows.stream_ids,
                    &rows.stream_versions,
                    &rows.ids,
                    kind_ids,
                    &rows.correlation_ids,
                    &rows.causation_ids,
                    &rows.subjects,
                    &rows.data,
                    &rows.bytes,
                    &rows.metadata,
                    &rows.recorded_at,
                    &rows.new_at,
                    &rows.tags,
                ],
            )
            .await?;
        let kinds = row.get::<_, Option<Vec<i32>>>("new_kinds").unwrap_or_default();
        Ok(Base { position: row.get("base_position"), stream: row.get("base_stream"), kinds })
    }
}

impl Base {
    fn of_usual(rows: &[Row]) -> Option<Self> {
        rows.first().map(|row| Self { position: row.get("base_position"), stream: 0, kinds: Vec::new() })
    }
}
