//! Verifying what the file holds: a statement or two for each rule, each of which finds what breaks it.

use rusqlite::Connection;
use umbel_core::store::{FINDINGS_MAX_PER_RULE, Finding, Rule};

use crate::sqlite::sql::{
    VERIFY_ARCHIVE, VERIFY_CHECKPOINTS, VERIFY_COMMANDS, VERIFY_DOCUMENTS, VERIFY_EVENT_IDS, VERIFY_LINKS,
    VERIFY_PAYLOADS, VERIFY_POSITIONS, VERIFY_REFERENCES, VERIFY_SNAPSHOTS, VERIFY_VERSIONS,
    VERIFY_VERSIONS_OF_PLAIN,
};

const RULES: &[(Rule, &[&str])] = &[
    (Rule::Positions, &[VERIFY_POSITIONS]),
    (Rule::Versions, &[VERIFY_VERSIONS_OF_PLAIN, VERIFY_VERSIONS]),
    (Rule::EventIds, &[VERIFY_EVENT_IDS]),
    (Rule::References, &[VERIFY_REFERENCES]),
    (Rule::Links, &[VERIFY_LINKS]),
    (Rule::Checkpoints, &[VERIFY_CHECKPOINTS]),
    (Rule::Snapshots, &[VERIFY_SNAPSHOTS]),
    (Rule::Documents, &[VERIFY_DOCUMENTS]),
    (Rule::Commands, &[VERIFY_COMMANDS]),
    (Rule::Archive, &[VERIFY_ARCHIVE]),
    (Rule::Payloads, &[VERIFY_PAYLOADS]),
];

/// What is not as it must be, all of it looked at in one snapshot.
pub(super) fn verify(connection: &mut Connection) -> rusqlite::Result<Vec<Finding>> {
    let snapshot = connection.transaction()?;
    let mut findings = Vec::new();
    for (rule, statements) in RULES {
        let mut broken = Vec::new();
        for sql in *statements {
            let left = i64::try_from(FINDINGS_MAX_PER_RULE - broken.len()).unwrap_or(0);
            let mut statement = snapshot.prepare(sql)?;
            let found = statement.query_map([left], |row| Ok(Finding { rule: *rule, what: row.get(0)? }))?;
            broken.extend(found.collect::<rusqlite::Result<Vec<_>>>()?);
        }
        findings.extend(broken);
    }
    findings.sort();
    Ok(findings)
}
