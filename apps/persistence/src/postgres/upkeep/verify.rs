//! Verifying: a statement for each rule, all on one snapshot.

use tokio_postgres::{Client, Error};
use umbel_core::store::{FINDINGS_MAX_PER_RULE, Finding, Rule, StoreError};

use crate::postgres::{
    reader::{Abandoned, Reader},
    sql::Statements,
};

/// Everything is looked at, however long it takes, but for waiting for somebody's lock: whole tables at a time, which
/// other statements here never want.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; \
                     SET LOCAL lock_timeout = '10s'; SET LOCAL enable_seqscan = on";

impl Reader {
    pub(super) async fn verify(&self) -> Result<Vec<Finding>, StoreError> {
        let client = self.borrow(Abandoned::Cancel).await?;
        // After an error the transaction is open and the connection goes.
        let findings =
            findings(&client, self.statements()).await.map_err(|error| self.target().explain(&error))?;
        client.give_back();
        Ok(findings)
    }
}

async fn findings(client: &Client, statements: &Statements) -> Result<Vec<Finding>, Error> {
    let limit = i64::try_from(FINDINGS_MAX_PER_RULE).unwrap_or(i64::MAX);
    let mut findings = Vec::new();
    client.batch_execute(BEGIN).await?;
    for (rule, sql) in rules(statements) {
        let rows = client.query(sql, &[&limit]).await?;
        findings.extend(rows.iter().map(|row| Finding { rule, what: row.get("what") }));
    }
    client.batch_execute("COMMIT").await?;
    findings.sort();
    Ok(findings)
}

fn rules(statements: &Statements) -> [(Rule, &str); 11] {
    [
        (Rule::Positions, &statements.verify_positions),
        (Rule::Versions, &statements.verify_versions),
        (Rule::EventIds, &statements.verify_event_ids),
        (Rule::References, &statements.verify_references),
        (Rule::Links, &statements.verify_links),
        (Rule::Checkpoints, &statements.verify_checkpoints),
        (Rule::Snapshots, &statements.verify_snapshots),
        (Rule::Documents, &statements.verify_documents),
        (Rule::Commands, &statements.verify_commands),
        (Rule::Archive, &statements.verify_archive),
        (Rule::Payloads, &statements.verify_payloads),
    ]
}
