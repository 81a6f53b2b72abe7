//! Inline projections: which generations are joined to appends, and documents as they were read.

use std::collections::HashMap;

use tokio_postgres::{Error, Row};
use umbel_core::{
    Json,
    store::{
        Append, DocumentChange,
        plan::{Belief, Joined, Plan},
    },
};

use super::Session;
use crate::postgres::{typed::Param, types::JsonOut};

impl Session {
    /// The generations that are joined to appends.
    pub(super) async fn joined(&self) -> Result<Vec<Joined>, Error> {
        let joined = |row: &Row| Joined {
            checkpoint: row.get("projection"),
            suffix: row.get("suffix"),
            events: row.get("inline"),
        };
        Ok(self.list_joined.ask(&self.client, &[]).await?.iter().map(joined).collect())
    }

    /// The documents of inline projections that these appends change, as they are.
    pub(super) async fn inlined(
        &self,
        appends: &[&Append],
    ) -> Result<HashMap<(String, String), Option<Json>>, Error> {
        let (mut checkpoints, mut collections, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for one in appends.iter().flat_map(|append| &append.inline) {
            for DocumentChange { write, .. } in one.changes.iter().flatten() {
                checkpoints.push(one.checkpoint.as_str());
                collections.push(write.collection.as_str());
                keys.push(write.key.as_str());
            }
        }
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let params: [Param<'_>; 3] = [&checkpoints, &collections, &keys];
        let found = self.find_inlined.ask(&self.client, &params).await?;
        let document = |row: &Row| {
            let body = row.get::<_, Option<JsonOut>>("body").map(|JsonOut(body)| body);
            ((row.get("collection"), row.get("key")), body)
        };
        Ok(found.iter().map(document).collect())
    }

    /// Has it verified under the lock that documents are as a plan took them to be.
    pub(super) async fn check_documents(&self, beliefs: &[Belief]) -> Result<(), Error> {
        if beliefs.is_empty() {
            return Ok(());
        }
        let collections: Vec<_> = beliefs.iter().map(|belief| belief.collection.as_str()).collect();
        let keys: Vec<_> = beliefs.iter().map(|belief| belief.key.as_str()).collect();
        let bodies: Vec<_> = beliefs.iter().map(|belief| belief.body.as_ref().map(Json::as_str)).collect();
        let params: [Param<'_>; 3] = [&collections, &keys, &bodies];
        self.check_documents.ask(&self.client, &params).await.map(drop)
    }

    /// Notes what the group has made of joined generations.
    pub(super) async fn move_joined(&self, plan: &Plan<'_>) -> Result<(), Error> {
        if plan.moved.is_empty() {
            return Ok(());
        }
        let events = i64::try_from(plan.event_count()).unwrap_or(i64::MAX);
        let checkpoints: Vec<_> = plan.moved.iter().map(|moved| moved.checkpoint.as_str()).collect();
        let offset = |offset: u64| i64::try_from(offset).unwrap_or(i64::MAX);
        let offsets: Vec<_> = plan.moved.iter().map(|moved| offset(moved.offset)).collect();
        let joined: Vec<_> = plan.moved.iter().map(|moved| moved.joined).collect();
        let params: [Param<'_>; 4] = [&events, &checkpoints, &offsets, &joined];
        self.move_joined.ask(&self.client, &params).await.map(drop)
    }
}
