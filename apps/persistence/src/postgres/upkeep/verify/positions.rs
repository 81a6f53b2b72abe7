//! Sums over the whole log against what the audit tells.

use tokio_postgres::Error;
use umbel_core::store::FINDINGS_MAX_PER_RULE;

use super::{Verification, checks::Walk};
use crate::walk::{GAPS_MAX, Gap, Removed};

impl Verification<'_> {
    /// Positions run up to the head; as many are missing as were removed.
    pub(super) async fn positions(&mut self) -> Result<Vec<String>, Error> {
        // What was removed before the head is read was not behind it.
        let before = self.audit().await?.and(self.under_way().await?);
        let head = self.one(&self.statements.verify_log_head, &[]).await?.get::<_, Option<i64>>("head");
        let mut found = Vec::new();
        if let Some(head) = head {
            let missing = head.saturating_sub(self.count(head).await?);
            let after = self.told().await?;
            if let Some(wrong) = before.against(after, head, missing) {
                let (gaps, twice) = self.gaps(head).await?;
                found.push(wrong.told(&gaps));
                if wrong.is_more() {
                    let holes = &self.statements.verify_holes;
                    found.extend(self.walk(Walk::Positions, holes, FINDINGS_MAX_PER_RULE - 1).await?);
                }
                found.extend(twice.iter().map(|position| format!("position {position} is there twice")));
            }
        }
        self.checked();
        Ok(found)
    }

    /// Streams that are there have lost no more versions than were removed. (Those that are gone have taken their part along.) What was
    /// removed is read last, so that it tells of all that was counted.
    pub(super) async fn removals(&mut self) -> Result<Vec<String>, Error> {
        let (mut after, mut lost) = ("0".to_owned(), 0_i64);
        while let Some(upto) = self.next(&self.statements.verify_next_streams, &after, 0).await? {
            let row = self.one(&self.statements.verify_lost, &[&after.as_str(), &upto.as_str()]).await?;
            lost = lost.saturating_add(row.get("versions"));
            after = upto;
        }
        let told = self.told().await?.versions;
        self.checked();
        let wrong = (lost > told)
            .then(|| format!("streams have lost {lost} versions, and the audit tells of {told}"));
        Ok(wrong.into_iter().collect())
    }

    /// All that was removed up to now. One that ends between the two looks counts twice, rather than not at all.
    async fn told(&mut self) -> Result<Removed, Error> {
        let under_way = self.under_way().await?;
        Ok(self.audit().await?.and(under_way))
    }

    /// What removals have taken that are not through, so that the audit does not tell of it yet.
    async fn under_way(&self) -> Result<Removed, Error> {
        let row = self.one(&self.statements.verify_removals, &[]).await?;
        Ok(Removed { events: row.get("events"), versions: row.get("versions") })
    }

    /// How many events there are up to a position.
    async fn count(&mut self, head: i64) -> Result<i64, Error> {
        let (mut after, mut count) = ("0".to_owned(), 0_i64);
        while let Some(upto) = self.next(&self.statements.verify_next_positions, &after, head).await? {
            let row = self.one(&self.statements.verify_count, &[&after.as_str(), &upto.as_str()]).await?;
            count = count.saturating_add(row.get("count"));
            after = upto;
        }
        Ok(count)
    }

    /// What the audit tells.
    async fn audit(&mut self) -> Result<Removed, Error> {
        let (mut after, mut audit) = ("0".to_owned(), Removed::default());
        loop {
            let row = self.one(&self.statements.verify_audit, &[&after.as_str(), &self.step()]).await?;
            let Some(upto) = row.get("upto") else { return Ok(audit) };
            audit = audit.and(Removed { events: row.get("events"), versions: row.get("versions") });
            after = upto;
        }
    }

    /// Where positions are missing, and those that are there twice, in order and up to the head: hardly more than are told. Each step
    /// begins where an event is, and so sees the gap behind it.
    async fn gaps(&mut self, head: i64) -> Result<(Vec<Gap>, Vec<i64>), Error> {
        let (mut after, mut more) = ("0".to_owned(), true);
        let (mut gaps, mut twice) = (Vec::new(), Vec::new());
        while more {
            let upto = self.next(&self.statements.verify_next_positions, &after, head).await?;
            more = upto.is_some();
            let upto = upto.unwrap_or_else(|| head.to_string());
            let left = i64::try_from(2 * (GAPS_MAX + 1)).unwrap_or_default();
            let rows =
                self.all(&self.statements.verify_gaps, &[&left, &after.as_str(), &upto.as_str()]).await?;
            for row in rows {
                let (first, last) = (row.get::<_, i64>("first"), row.get("last"));
                if row.get("twice") {
                    twice.push(first - 1);
                } else {
                    gaps.push((first, last));
                }
            }
            gaps.truncate(GAPS_MAX + 1);
            twice.truncate(GAPS_MAX);
            after = upto;
        }
        Ok((gaps, twice))
    }
}
