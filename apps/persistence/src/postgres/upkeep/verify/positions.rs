//! Sums over the whole log against what the audit tells.

use tokio_postgres::Error;
use umbel_core::store::FINDINGS_MAX_PER_RULE;

use super::{Verification, what};

/// How often positions are counted anew when something was removed meanwhile.
const ATTEMPTS: usize = 3;

/// What the audit tells was removed for good.
#[derive(Default)]
struct Audit {
    events: i64,
    versions: i64,
    /// Records of removals that are younger than what was counted.
    younger: i64,
}

impl Verification<'_> {
    /// Positions run up to the head; as many are missing as the audit says. Counting takes many steps: when something was removed
    /// during them, and is recorded behind the head, a difference means nothing.
    pub(super) async fn positions(&mut self) -> Result<Vec<String>, Error> {
        for _ in 0..ATTEMPTS {
            let head = self.one(&self.statements.verify_log_head, &[]).await?.get::<_, Option<i64>>("head");
            let Some(head) = head else { break };
            let missing = head.saturating_sub(self.count(head).await?);
            let Audit { events: removed, younger, .. } = self.audit(head).await?;
            if missing == removed {
                break;
            }
            if younger == 0 {
                self.checked();
                let mut found =
                    vec![format!("up to position {head}, {missing} are missing and {removed} were removed")];
                found.extend(self.gaps(head, FINDINGS_MAX_PER_RULE - 1).await?);
                return Ok(found);
            }
        }
        self.checked();
        Ok(Vec::new())
    }

    /// Streams that are there have lost no more versions than the audit says. (Those that are gone have taken their part along.)
    /// The audit is read last, so that it tells of all that was counted.
    pub(super) async fn removals(&mut self) -> Result<Vec<String>, Error> {
        let (mut after, mut lost) = ("0".to_owned(), 0_i64);
        while let Some(upto) = self.next(&self.statements.verify_next_streams, &after, 0).await? {
            let row = self.one(&self.statements.verify_lost, &[&after.as_str(), &upto.as_str()]).await?;
            lost = lost.saturating_add(row.get("versions"));
            after = upto;
        }
        let told = self.audit(i64::MAX).await?.versions;
        self.checked();
        let wrong = (lost > told)
            .then(|| format!("streams have lost {lost} versions, and the audit tells of {told}"));
        Ok(wrong.into_iter().collect())
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

    async fn audit(&mut self, head: i64) -> Result<Audit, Error> {
        let (mut after, mut audit) = ("0".to_owned(), Audit::default());
        loop {
            let row =
                self.one(&self.statements.verify_audit, &[&after.as_str(), &self.step(), &head]).await?;
            let Some(upto) = row.get("upto") else { return Ok(audit) };
            audit.events = audit.events.saturating_add(row.get("events"));
            audit.versions = audit.versions.saturating_add(row.get("versions"));
            audit.younger = audit.younger.saturating_add(row.get("younger"));
            after = upto;
        }
    }

    /// Where positions are missing or twice, up to the head: each step begins where an event is, and so sees the gap behind it.
    async fn gaps(&mut self, head: i64, room: usize) -> Result<Vec<String>, Error> {
        let (mut after, mut found, mut more) = ("0".to_owned(), Vec::new(), true);
        while more && found.len() < room {
            let upto = self.next(&self.statements.verify_next_positions, &after, head).await?;
            more = upto.is_some();
            let upto = upto.unwrap_or_else(|| head.to_string());
            let left = i64::try_from(room - found.len()).unwrap_or(i64::MAX);
            let rows =
                self.all(&self.statements.verify_gaps, &[&left, &after.as_str(), &upto.as_str()]).await?;
            found.extend(rows.iter().filter_map(what));
            after = upto;
        }
        Ok(found)
    }
}
