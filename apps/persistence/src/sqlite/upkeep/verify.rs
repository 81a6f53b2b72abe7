//! Verifying what the file holds: a statement or two for each rule, each of which finds what breaks it. What spans say of kinds and
//! conversations no statement can read.
//!
//! Each statement is a transaction of its own. One snapshot over all of it would be held for as long as everything takes to be
//! looked at, and meanwhile the write-ahead log could only grow. For the same reason the log is looked at in steps of so many positions,
//! and streams by so many of them. Other tables, and a single stream, are small beside it. Only SQLite's own check takes a whole table at once:
//! it reads pages as they come, and decodes nothing.
//!
//! What is too damaged to be looked at is a finding itself, and everything else is looked at all the same.

mod integrity;
mod keys;
mod objects;
mod spans;

use std::collections::HashSet;

use rusqlite::{Connection, ErrorCode, Row, ToSql};
use umbel_core::store::{FINDINGS_MAX_PER_RULE, Finding, Rule};

use crate::adapter::{Looked, Stride};
use crate::sqlite::sql::{
    VERIFY_ARCHIVE, VERIFY_BODIES, VERIFY_CHECKPOINTS, VERIFY_COMMANDS, VERIFY_COUNT, VERIFY_DOCUMENTS,
    VERIFY_EVENT_IDS, VERIFY_GAPS, VERIFY_HEAD, VERIFY_HOLES, VERIFY_KEYS, VERIFY_KINDS, VERIFY_LAST_STREAM,
    VERIFY_LETTERS, VERIFY_LINKS, VERIFY_LOG, VERIFY_NOTICES, VERIFY_OUTBOX, VERIFY_PAYLOADS,
    VERIFY_REFERENCES, VERIFY_REMOVALS, VERIFY_REMOVED, VERIFY_SEALED, VERIFY_SERVED, VERIFY_SHAPES,
    VERIFY_SNAPSHOTS, VERIFY_SPANS, VERIFY_STRAY_CONVERSATIONS, VERIFY_STRAY_POSITIONS,
    VERIFY_STRAY_REMOVALS, VERIFY_STRAY_SPANS, VERIFY_STRAY_TAGS, VERIFY_SUBJECT_KEYS,
    VERIFY_SUBSCRIPTION_CHECKPOINTS, VERIFY_SUBSCRIPTIONS, VERIFY_TAGS, VERIFY_VERSIONS,
};
use crate::walk::{GAPS_MAX, Gap, Removed, Walk};

/// What a statement looks at.
#[derive(Clone, Copy)]
enum Over {
    /// All of it at once.
    Whole,
    /// Events by position.
    Positions,
    /// Events by position, whole spans at a time.
    Spans,
    /// Streams by their ids.
    Streams,
    /// Events by position that hold sealed values, each with the key to be tried on it.
    Sealed,
}

const CHECKS: &[(Rule, Over, &str)] = &[
    (Rule::Log, Over::Whole, VERIFY_LOG),
    (Rule::Positions, Over::Whole, VERIFY_STRAY_POSITIONS),
    (Rule::Versions, Over::Streams, VERIFY_VERSIONS),
    (Rule::Versions, Over::Whole, VERIFY_STRAY_REMOVALS),
    (Rule::EventIds, Over::Whole, VERIFY_EVENT_IDS),
    (Rule::References, Over::Positions, VERIFY_REFERENCES),
    (Rule::References, Over::Whole, VERIFY_KINDS),
    (Rule::Spans, Over::Spans, VERIFY_SPANS),
    (Rule::Spans, Over::Whole, VERIFY_STRAY_SPANS),
    (Rule::Spans, Over::Whole, VERIFY_STRAY_CONVERSATIONS),
    (Rule::Links, Over::Whole, VERIFY_LINKS),
    (Rule::Tags, Over::Positions, VERIFY_TAGS),
    (Rule::Tags, Over::Whole, VERIFY_STRAY_TAGS),
    (Rule::Checkpoints, Over::Whole, VERIFY_CHECKPOINTS),
    (Rule::Checkpoints, Over::Whole, VERIFY_SUBSCRIPTION_CHECKPOINTS),
    (Rule::Snapshots, Over::Whole, VERIFY_SNAPSHOTS),
    (Rule::Documents, Over::Whole, VERIFY_DOCUMENTS),
    (Rule::Documents, Over::Whole, VERIFY_SHAPES),
    (Rule::Documents, Over::Whole, VERIFY_BODIES),
    (Rule::Documents, Over::Whole, VERIFY_SERVED),
    (Rule::Commands, Over::Whole, VERIFY_COMMANDS),
    (Rule::Archive, Over::Whole, VERIFY_ARCHIVE),
    (Rule::Payloads, Over::Positions, VERIFY_PAYLOADS),
    (Rule::Payloads, Over::Whole, VERIFY_OUTBOX),
    (Rule::Payloads, Over::Whole, VERIFY_NOTICES),
    (Rule::SubjectKeys, Over::Positions, VERIFY_SUBJECT_KEYS),
    (Rule::SubjectKeys, Over::Whole, VERIFY_KEYS),
    (Rule::SubjectKeys, Over::Sealed, VERIFY_SEALED),
    (Rule::Subscriptions, Over::Whole, VERIFY_SUBSCRIPTIONS),
    (Rule::Letters, Over::Whole, VERIFY_LETTERS),
];

/// One verification under way.
struct Verification<'a> {
    connection: &'a Connection,
    stride: &'a Stride,
    looked: Looked,
    findings: Vec<Finding>,
}

/// What is not as it must be.
pub(super) fn verify(connection: &mut Connection, stride: &Stride) -> rusqlite::Result<Vec<Finding>> {
    // How the file is made, whether it is sound, what spans say, and the sums over positions and over what streams lost, are one more each.
    let looked = Looked { checks: CHECKS.len() + 5, ..Looked::default() };
    let (mut schema, mut integrity, mut spans) = (Vec::new(), Vec::new(), Vec::new());
    if let Err(error) = objects::look(connection, FINDINGS_MAX_PER_RULE, &mut schema) {
        schema.push(damage(error)?);
    }
    if let Err(error) = integrity::look(connection, FINDINGS_MAX_PER_RULE, &mut integrity) {
        integrity.push(damage(error)?);
    }
    for look in [spans::look, spans::look_for_strays] {
        if let Err(error) = look(connection, FINDINGS_MAX_PER_RULE, &mut spans) {
            spans.push(damage(error)?);
        }
    }
    let mut verification = Verification { connection, stride, looked, findings: Vec::new() };
    verification.checked();
    verification.found(Rule::Schema, schema);
    verification.checked();
    verification.found(Rule::Integrity, integrity);
    verification.found(Rule::Spans, spans);
    verification.findings()
}

/// What is too damaged to be looked at, in words.
///
/// # Errors
/// What is no damage, such as a file that is locked: whoever tries again may be luckier.
fn damage(error: rusqlite::Error) -> rusqlite::Result<String> {
    use ErrorCode::{DatabaseCorrupt, NotADatabase, SystemIoFailure, TypeMismatch, Unknown};
    let is_damage = error.sqlite_error_code().is_none_or(|code| {
        matches!(code, DatabaseCorrupt | NotADatabase | SystemIoFailure | TypeMismatch | Unknown)
    });
    if is_damage { Ok(format!("this cannot be looked at: {error}")) } else { Err(error) }
}

impl Verification<'_> {
    /// All of them, with those that are there already.
    fn findings(mut self) -> rusqlite::Result<Vec<Finding>> {
        self.checked();
        let head = self.head();
        let head = self.or_damage(Rule::Log, head)?.flatten().unwrap_or(0);
        let streams = self.one(VERIFY_LAST_STREAM);
        let streams = self.or_damage(Rule::Versions, streams)?.unwrap_or(0);
        for (rule, over, sql) in CHECKS {
            let told = self.findings.iter().filter(|finding| finding.rule == *rule).count();
            let room = FINDINGS_MAX_PER_RULE.saturating_sub(told);
            let broken = match over {
                Over::Whole => self.all(sql, &[&i64::try_from(room).unwrap_or(i64::MAX)]),
                Over::Positions | Over::Spans | Over::Sealed => self.walk(sql, *over, (0, head), room),
                Over::Streams => self.walk(sql, *over, (0, streams), room),
            };
            self.came(*rule, broken)?;
        }
        let positions = self.positions();
        self.came(Rule::Positions, positions)?;
        let removals = self.removals();
        self.came(Rule::Versions, removals)?;
        self.findings.sort();
        Ok(self.findings)
    }

    /// A check is through, with what it found.
    fn came(&mut self, rule: Rule, broken: rusqlite::Result<Vec<String>>) -> rusqlite::Result<()> {
        let broken = self.or_damage(rule, broken)?.unwrap_or_default();
        self.checked();
        self.found(rule, broken);
        Ok(())
    }

    /// What was looked up; `None` when it is too damaged for that, which is then a finding.
    fn or_damage<T>(&mut self, rule: Rule, looked: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
        match looked {
            Ok(looked) => Ok(Some(looked)),
            Err(error) => {
                let what = damage(error)?;
                self.found(rule, vec![what]);
                Ok(None)
            }
        }
    }

    fn found(&mut self, rule: Rule, broken: Vec<String>) {
        let told = self.findings.iter().filter(|finding| finding.rule == rule).count();
        let room = FINDINGS_MAX_PER_RULE.saturating_sub(told);
        self.findings.extend(broken.into_iter().take(room).map(|what| Finding { rule, what }));
    }

    /// Positions run up to the head; as many are missing as were removed.
    fn positions(&mut self) -> rusqlite::Result<Vec<String>> {
        // What was removed before the head is read was not behind it.
        let before = self.removed()?;
        let Some(head) = self.head()? else { return Ok(Vec::new()) };
        let (mut missing, mut walk) = (0_i64, Walk::new("0", 1));
        while let Some((after, upto)) = self.next(&mut walk, Over::Positions, head) {
            let mut count = self.connection.prepare_cached(VERIFY_COUNT)?;
            let there: i64 = count.query_row([after, upto], |row| row.get(0))?;
            missing = missing.saturating_add(upto.saturating_sub(after)).saturating_sub(there);
            walk.came(upto.to_string(), None);
        }
        let Some(wrong) = before.against(self.removed()?, head, missing) else { return Ok(Vec::new()) };
        let gaps = self.gaps(head)?;
        let mut found = vec![wrong.told(&gaps)];
        if wrong.is_more() {
            found.extend(self.walk(VERIFY_HOLES, Over::Positions, (0, head), FINDINGS_MAX_PER_RULE - 1)?);
        }
        Ok(found)
    }

    /// Where positions hold nothing, in order: one more than are told at most.
    fn gaps(&mut self, head: i64) -> rusqlite::Result<Vec<Gap>> {
        let (mut gaps, mut walk) = (Vec::new(), Walk::new("-1", 1));
        while gaps.len() <= GAPS_MAX
            && let Some((after, upto)) = self.next(&mut walk, Over::Positions, head)
        {
            let left = i64::try_from(GAPS_MAX + 1 - gaps.len()).unwrap_or_default();
            let mut statement = self.connection.prepare_cached(VERIFY_GAPS)?;
            let rows = statement.query_map([left, after, upto], |row| Ok((row.get(0)?, row.get(1)?)))?;
            for gap in rows {
                gaps.push(gap?);
            }
            walk.came(upto.to_string(), None);
        }
        Ok(gaps)
    }

    /// Streams that are there have lost no more versions than were removed. (Those that are gone have taken their part along.) What was
    /// removed is read last, so that it tells of all that was counted.
    fn removals(&self) -> rusqlite::Result<Vec<String>> {
        let lost = self.one(VERIFY_REMOVALS)?;
        let told = self.removed()?.versions;
        let wrong = (lost > told)
            .then(|| format!("streams have lost {lost} versions, and the audit tells of {told}"));
        Ok(wrong.into_iter().collect())
    }

    /// What a statement finds from one number to another, step by step, at most so much.
    fn walk(
        &mut self,
        sql: &str,
        over: Over,
        (start, end): (i64, i64),
        room: usize,
    ) -> rusqlite::Result<Vec<String>> {
        let (mut walk, mut told) = (Walk::new(&start.to_string(), room), HashSet::new());
        while let Some((after, upto)) = self.next(&mut walk, over, end) {
            let room = walk.left();
            let looked = match over {
                Over::Sealed => {
                    let room = usize::try_from(room).unwrap_or_default();
                    keys::look(self.connection, sql, (after, upto), room, &mut told)
                }
                _ => self.all(sql, &[&room, &after, &upto]),
            };
            let found = match looked {
                Ok(found) => found,
                // What is behind it may be sound.
                Err(error) => vec![format!("behind {after} and up to {upto}, {}", damage(error)?)],
            };
            walk.came(upto.to_string(), found);
        }
        Ok(walk.found())
    }

    /// From where the next step goes to where: behind so many numbers, each of which may be that of a row.
    fn next(&mut self, walk: &mut Walk, over: Over, end: i64) -> Option<(i64, i64)> {
        /// Positions in a span.
        const SPAN: i64 = 4096;
        if !walk.goes_on() {
            return None;
        }
        let after: i64 = walk.after().parse().ok()?;
        let rows = i64::from(self.stride.rows.max(1));
        let upto = match over {
            Over::Spans => (after / SPAN).saturating_add((rows / SPAN).max(1)).saturating_mul(SPAN),
            _ => after.saturating_add(rows),
        };
        let upto = if matches!(over, Over::Spans) { upto } else { upto.min(end) };
        walk.upto((after < end).then(|| upto.to_string()), None)?;
        self.looked.rows += upto.saturating_sub(after).unsigned_abs();
        self.stride.tell(self.looked);
        Some((after, upto))
    }

    /// `None` for a log without its row, which is told of as such.
    fn head(&self) -> rusqlite::Result<Option<i64>> {
        self.connection.prepare_cached(VERIFY_HEAD)?.query_row([], |row| row.get(0))
    }

    fn removed(&self) -> rusqlite::Result<Removed> {
        let removed = |row: &Row<'_>| Ok(Removed { events: row.get(0)?, versions: row.get(1)? });
        self.connection.prepare_cached(VERIFY_REMOVED)?.query_row([], removed)
    }

    fn one(&self, sql: &str) -> rusqlite::Result<i64> {
        self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
    }

    fn all(&self, sql: &str, parameters: &[&dyn ToSql]) -> rusqlite::Result<Vec<String>> {
        // What is damaged may be no text.
        let what = |row: &Row<'_>| Ok(String::from_utf8_lossy(row.get_ref(0)?.as_bytes()?).into_owned());
        self.connection.prepare_cached(sql)?.query_map(parameters, what)?.collect()
    }

    /// One check is through.
    fn checked(&mut self) {
        self.looked.done += 1;
        self.stride.tell(self.looked);
    }
}
