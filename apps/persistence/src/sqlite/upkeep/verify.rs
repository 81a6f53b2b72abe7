//! Verifying what the file holds: a statement or two for each rule, each of which finds what breaks it.
//!
//! Each statement is a transaction of its own. One snapshot over all of it would be held for as long as everything takes to be
//! looked at, and meanwhile the write-ahead log could only grow.

use rusqlite::Connection;
use umbel_core::store::{FINDINGS_MAX_PER_RULE, Finding, Rule};

use crate::adapter::{Looked, Stride};
use crate::sqlite::sql::{
    VERIFY_ARCHIVE, VERIFY_CHECKPOINTS, VERIFY_COMMANDS, VERIFY_DOCUMENTS, VERIFY_EVENT_IDS, VERIFY_KINDS,
    VERIFY_LETTERS, VERIFY_LINKS, VERIFY_LOG, VERIFY_PAYLOADS, VERIFY_POSITIONS, VERIFY_REFERENCES,
    VERIFY_REMOVALS, VERIFY_SNAPSHOTS, VERIFY_SPANS, VERIFY_STRAY_REMOVALS, VERIFY_STRAY_SPANS,
    VERIFY_SUBJECT_KEYS, VERIFY_SUBSCRIPTION_CHECKPOINTS, VERIFY_SUBSCRIPTIONS, VERIFY_TAGS, VERIFY_VERSIONS,
};

const RULES: &[(Rule, &[&str])] = &[
    (Rule::Log, &[VERIFY_LOG]),
    (Rule::Positions, &[VERIFY_POSITIONS]),
    (Rule::Versions, &[VERIFY_VERSIONS, VERIFY_REMOVALS, VERIFY_STRAY_REMOVALS]),
    (Rule::EventIds, &[VERIFY_EVENT_IDS]),
    (Rule::References, &[VERIFY_REFERENCES, VERIFY_KINDS]),
    (Rule::Spans, &[VERIFY_SPANS, VERIFY_STRAY_SPANS]),
    (Rule::Links, &[VERIFY_LINKS]),
    (Rule::Tags, &[VERIFY_TAGS]),
    (Rule::Checkpoints, &[VERIFY_CHECKPOINTS, VERIFY_SUBSCRIPTION_CHECKPOINTS]),
    (Rule::Snapshots, &[VERIFY_SNAPSHOTS]),
    (Rule::Documents, &[VERIFY_DOCUMENTS]),
    (Rule::Commands, &[VERIFY_COMMANDS]),
    (Rule::Archive, &[VERIFY_ARCHIVE]),
    (Rule::Payloads, &[VERIFY_PAYLOADS]),
    (Rule::SubjectKeys, &[VERIFY_SUBJECT_KEYS]),
    (Rule::Subscriptions, &[VERIFY_SUBSCRIPTIONS]),
    (Rule::Letters, &[VERIFY_LETTERS]),
];

/// What is not as it must be.
pub(super) fn verify(connection: &mut Connection, stride: &Stride) -> rusqlite::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut looked = Looked { checks: RULES.len(), ..Looked::default() };
    for (rule, statements) in RULES {
        let mut broken = Vec::new();
        for sql in *statements {
            let left = i64::try_from(FINDINGS_MAX_PER_RULE - broken.len()).unwrap_or(0);
            let mut statement = connection.prepare(sql)?;
            let found = statement.query_map([left], |row| Ok(Finding { rule: *rule, what: row.get(0)? }))?;
            broken.extend(found.collect::<rusqlite::Result<Vec<_>>>()?);
        }
        findings.extend(broken);
        looked.done += 1;
        stride.tell(looked);
    }
    findings.sort();
    Ok(findings)
}
