//! Conditions of appends: looked at before the log's lock is taken, as far as that goes, and verified under it.

use std::collections::HashMap;

use tokio_postgres::{Error, Row};
use umbel_core::{
    Position,
    store::{AppendCondition, plan::Plan},
};

use super::Session;
use crate::postgres::{statement::Ready, typed::Param, writer::rows::ConditionRows};

impl Session {
    /// Has it checked before the lock is taken that they hold, by what is stored so far.
    pub(super) async fn check(&self, conditions: &[&AppendCondition]) -> Result<(), Error> {
        if conditions.is_empty() {
            return Ok(());
        }
        let rows = ConditionRows::new(conditions);
        let params: [Param<'_>; 3] = [&rows.after, &rows.tags, &rows.names];
        self.check_conditions.ask(&self.client, &params).await.map(drop)
    }

    /// Has it verified under the lock that what a plan took for granted holds.
    pub(super) async fn verify(&self, plan: &Plan<'_>, conditions: &[&AppendCondition]) -> Result<(), Error> {
        if conditions.is_empty() {
            return Ok(());
        }
        let rows = ConditionRows::new(conditions);
        let events = i64::try_from(plan.event_count()).unwrap_or(i64::MAX);
        let params: [Param<'_>; 4] = [&events, &rows.after, &rows.tags, &rows.names];
        self.verify_conditions.ask(&self.client, &params).await.map(drop)
    }

    /// The conditions that fail by what is in the log, each with the first event that it must not meet; as this
    /// statement finds them.
    pub(super) async fn failed(
        &self,
        statement: &Ready,
        conditions: &[&AppendCondition],
    ) -> Result<HashMap<AppendCondition, Position>, Error> {
        if conditions.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = ConditionRows::new(conditions);
        let params: [Param<'_>; 4] = [&rows.numbers, &rows.after, &rows.tags, &rows.names];
        let found = statement.ask(&self.client, &params).await?;
        let failed = |row: &Row| {
            let number = usize::try_from(row.get::<_, i32>("number")).ok()?;
            let condition = conditions.get(number).copied()?;
            Some((condition.clone(), Position::from_i64(row.get("first_position"))))
        };
        Ok(found.iter().filter_map(failed).collect())
    }
}
