//! Documents and checkpoints.

use tokio_postgres::Row;
use umbel_core::{
    Json, Position,
    document::{DocumentKey, DocumentQuery},
    store::{DocumentPage, SaveProjection, SaveProjectionError, StoreError},
};

use super::{
    Param, Reader,
    queries::{QueryParams, query_text},
};
use crate::postgres::{types::JsonOut, writer::DocumentRows};

impl Reader {
    pub(in crate::postgres) async fn get_documents(
        &self,
        keys: Vec<DocumentKey>,
    ) -> Result<Vec<Option<Json>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let (collections, keys): (Vec<&str>, Vec<&str>) =
            keys.iter().map(|key| (key.collection, key.key.as_str())).unzip();
        let rows = self.query(&self.statements.get_documents, &[&collections, &keys]).await?;
        Ok(bodies(&rows))
    }

    pub(in crate::postgres) async fn query_documents(
        &self,
        query: DocumentQuery,
    ) -> Result<DocumentPage, StoreError> {
        let sql = query_text(&self.statements, &query);
        let values = QueryParams::of(&query);
        let rows = self.query(&sql, &values.params()).await?;
        let total: i64 = rows.first().map_or(0, |row| row.get("total"));
        let document = |row: &Row| {
            let key = row.get::<_, Option<String>>("key")?;
            row.get::<_, Option<JsonOut>>("body").map(|JsonOut(body)| (key, body))
        };
        let built_with: Option<Vec<String>> = rows.first().and_then(|row| row.get("unserved"));
        Ok(DocumentPage {
            documents: rows.iter().filter_map(document).collect(),
            total: u64::try_from(total).unwrap_or(0),
            unserved: built_with.and_then(|indexes| query.unserved(&indexes)),
        })
    }

    pub(in crate::postgres) async fn load_checkpoint(
        &self,
        projection: String,
    ) -> Result<Position, StoreError> {
        let rows = self.query(&self.statements.load_checkpoint, &[&projection]).await?;
        Ok(rows.first().map_or(Position::START, |row| Position::from_i64(row.get("position"))))
    }

    pub(in crate::postgres) async fn save_projection(
        &self,
        request: SaveProjection,
    ) -> Result<(), SaveProjectionError> {
        let (expected, position) = (request.expected.to_i64(), request.position.to_i64());
        if !request.clear.is_empty() {
            // Beforehand, and only so much at a time: emptying a large collection by one statement would take longer than
            // a statement may, each time anew. What is in it by the time of the save goes with the save.
            let params: [Param<'_>; 3] = [&request.projection, &expected, &request.clear];
            self.remove_in_steps(&self.statements.clear_documents, &params).await?;
        }
        let rows = DocumentRows::new(&request.writes);
        let params = save_params(&request, (&expected, &position), &rows);
        // Should the connection be lost, the caller loads the checkpoint and knows whether it took effect.
        let saved = self.write(&self.statements.save_projection, &params).await?;
        outcome(&saved)
    }
}

/// The parameters of `save_projection.sql`.
pub(super) fn save_params<'a>(
    request: &'a SaveProjection,
    (expected, position): (&'a i64, &'a i64),
    rows: &'a DocumentRows<'_>,
) -> [Param<'a>; 11] {
    [
        &request.projection,
        expected,
        position,
        &request.clear,
        &rows.collections,
        &rows.keys,
        &rows.bodies,
        &rows.entry_collections,
        &rows.entry_keys,
        &rows.entry_indexes,
        &rows.entry_values,
    ]
}

/// What `save_projection.sql` says.
pub(super) fn outcome(saved: &[Row]) -> Result<(), SaveProjectionError> {
    match saved.first().and_then(|row| row.get::<_, Option<i64>>(0)) {
        None => Ok(()),
        Some(-1) => Err(SaveProjectionError::Retired),
        Some(actual) => Err(SaveProjectionError::CheckpointMoved { actual: Position::from_i64(actual) }),
    }
}

/// The documents of such rows.
pub(super) fn bodies(rows: &[Row]) -> Vec<Option<Json>> {
    rows.iter().map(|row| row.get::<_, Option<JsonOut>>("body").map(|JsonOut(body)| body)).collect()
}
