//! Generations of projections: which there are, and which serves.

use tokio_postgres::Row;
use umbel_core::{
    Json, Position,
    store::{
        ClaimLive, Generation, ListProjections, LoadDocuments, OpenProjection, Phase, RemoveRetired,
        StoreError, SwitchError, SwitchProjection,
    },
};

use super::{Param, REMOVED_MAX, Reader, documents::bodies};

impl Reader {
    pub(in crate::postgres) async fn load_documents(
        &self,
        request: LoadDocuments,
    ) -> Result<Vec<Option<Json>>, StoreError> {
        let LoadDocuments { checkpoint, keys } = request;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let (collections, keys): (Vec<&str>, Vec<&str>) =
            keys.iter().map(|key| (key.collection, key.key.as_str())).unzip();
        let params: [Param<'_>; 3] = [&checkpoint, &collections, &keys];
        Ok(bodies(&self.query(&self.statements.load_documents, &params).await?))
    }

    /// It is asked for again and again, and hardly ever has anything to do, so at first it only looks.
    pub(in crate::postgres) async fn open_projection(
        &self,
        request: OpenProjection,
    ) -> Result<Vec<Generation>, StoreError> {
        let list = || self.list_projections(ListProjections { projection: Some(request.projection.clone()) });
        let kept = list().await?;
        if request.missing(&kept, Position::START).is_none() {
            return Ok(kept);
        }
        self.make_generation(&request, &[]).await?;
        list().await
    }

    /// Makes what is missing, with tables that these statements create.
    pub(super) async fn make_generation(
        &self,
        request: &OpenProjection,
        tables: &[String],
    ) -> Result<(), StoreError> {
        let OpenProjection { projection, version, collections, indexes, inline } = request;
        let params: [Param<'_>; 6] =
            [projection, &i64::from(*version), collections, indexes, &tables, inline];
        self.write(&self.statements.open_projection, &params).await.map(drop)
    }

    pub(in crate::postgres) async fn list_projections(
        &self,
        request: ListProjections,
    ) -> Result<Vec<Generation>, StoreError> {
        let rows = self.query(&self.statements.list_projections, &[&request.projection]).await?;
        rows.iter().map(generation).collect()
    }

    pub(in crate::postgres) async fn switch_projection(
        &self,
        request: SwitchProjection,
    ) -> Result<(), SwitchError> {
        let params: [Param<'_>; 2] = [&request.checkpoint, &request.expected.to_i64()];
        let rows = self.write(&self.statements.switch_projection, &params).await?;
        let answer = |column| rows.first().and_then(|row| row.get::<_, Option<i64>>(column));
        match (answer("moved"), answer("behind")) {
            (None, None) => Ok(()),
            (Some(-1), _) => Err(SwitchError::Retired),
            (Some(actual), _) => Err(SwitchError::CheckpointMoved { actual: Position::from_i64(actual) }),
            (None, Some(serving)) => Err(SwitchError::Behind { serving: Position::from_i64(serving) }),
        }
    }

    pub(in crate::postgres) async fn remove_retired(
        &self,
        request: RemoveRetired,
    ) -> Result<bool, StoreError> {
        let params: [Param<'_>; 2] = [&request.projection, &REMOVED_MAX];
        let rows = self.write(&self.statements.remove_retired, &params).await?;
        Ok(rows.first().is_some_and(|row| row.get("more")))
    }

    pub(in crate::postgres) async fn claim_live(&self, request: ClaimLive) -> Result<Position, StoreError> {
        let params: [Param<'_>; 2] = [&request.projection, &request.through.to_i64()];
        let rows = self.write(&self.statements.claim_live, &params).await?;
        Ok(rows.first().map_or(Position::START, |row| Position::from_i64(row.get("before"))))
    }
}

pub(super) fn generation(row: &Row) -> Result<Generation, StoreError> {
    let phase: String = row.get("phase");
    let phase = match &*phase {
        "serving" => Phase::Serving,
        "building" => Phase::Building,
        "retired" => Phase::Retired,
        "removed" => Phase::Removed,
        other => return Err(StoreError::Corrupt { reason: format!("a checkpoint has the phase {other:?}") }),
    };
    let number = |column| {
        u32::try_from(row.get::<_, i64>(column))
            .map_err(|_| StoreError::Corrupt { reason: format!("a checkpoint has a {column} that is none") })
    };
    Ok(Generation {
        projection: row.get("name"),
        version: number("version")?,
        run: number("run")?,
        phase,
        position: Position::from_i64(row.get("position")),
        live_after: Position::from_i64(row.get("live_after")),
        suffix: row.get("suffix"),
        collections: row.get("collections"),
        indexes: row.get("indexes"),
        tables_in: row.get("tables_in"),
        inline: row.get("inline"),
        joined: row.get("joined"),
    })
}
