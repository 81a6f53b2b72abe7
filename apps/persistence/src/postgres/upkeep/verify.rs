//! Verifying: a statement for each rule, over parts of what there is.
//!
//! Each statement is a short transaction. One snapshot over all of it would be held for as long as everything takes to be
//! looked at, and meanwhile the many versions of the log's one row, a new one for each group, could not be pruned: every
//! append would go through all of them. So whatever grows with the log is walked through in steps, each behind where the one
//! before ended by the order of an index, and takes as long in a large log as in a small one. What is seen only over several
//! steps, a stream's count and the positions' sum, is carried from one to the next; what an act of upkeep changes meanwhile is
//! not held against the store.

mod checks;
mod keys;
mod objects;
mod positions;

use futures_util::future::join3;
use tokio_postgres::{Error, Row};
use umbel_core::store::{FINDINGS_MAX_PER_RULE, Finding, Rule, StoreError};

use self::checks::Walk;
pub(in crate::postgres) use self::checks::{Check, checks};
use crate::{
    adapter::{Looked, Stride},
    postgres::{
        error::{Kind, describe, kind},
        pool::Pooled,
        reader::{Abandoned, Param, Reader},
        sql::Statements,
        statement::{ask, ask_one},
    },
    walk::Walk as Steps,
};

/// A step finds what it looks at by an index, whatever the statistics say: also what it joins. A small table is looked at as a
/// whole the same way.
pub(in crate::postgres) const SETTINGS: &str = "SET TRANSACTION READ ONLY; SET LOCAL lock_timeout = '10s'; \
                                                SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";

/// One verification under way.
struct Verification<'a> {
    connection: &'a Pooled,
    statements: &'a Statements,
    stride: &'a Stride,
    /// How each transaction begins.
    begin: String,
    /// The last position when it began.
    head: i64,
    looked: Looked,
}

impl Reader {
    pub(super) async fn verify(&self, stride: &Stride) -> Result<Vec<Finding>, StoreError> {
        let lease = self.borrow(Abandoned::Cancel).await?;
        // After an error the transaction is open and the connection goes.
        let begin = format!("{}; {SETTINGS}", self.begin().unwrap_or("BEGIN"));
        let mut verification = Verification {
            connection: &lease,
            statements: self.statements(),
            stride,
            begin,
            head: 0,
            looked: Looked::default(),
        };
        let findings = verification.findings().await.map_err(|error| self.target().explain(&error))?;
        lease.give_back();
        Ok(findings)
    }
}

impl Verification<'_> {
    /// All of them. What is too damaged to be looked at is a finding itself, and everything else is looked at all the same.
    async fn findings(&mut self) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        let head = self.one(&self.statements.verify_head, &[]).await.map(|row| row.get("head"));
        self.head = or_damage(Rule::Log, head, &mut findings)?.unwrap_or_default();
        let checks = checks(self.statements);
        // How the schema is made, and the sums over positions and over what streams lost, are one more each.
        self.looked.checks = checks.len() + 3;
        for Check { rule, walk, sql } in checks {
            let told = findings.iter().filter(|finding: &&Finding| finding.rule == rule).count();
            let room = FINDINGS_MAX_PER_RULE.saturating_sub(told);
            let broken = self.walk(walk, sql, room).await;
            self.checked();
            Self::came(rule, broken, &mut findings)?;
        }
        let positions = self.positions().await;
        Self::came(Rule::Positions, positions, &mut findings)?;
        let removals = self.removals().await;
        Self::came(Rule::Versions, removals, &mut findings)?;
        let objects = self.objects().await;
        self.checked();
        Self::came(Rule::Schema, objects, &mut findings)?;
        findings.sort();
        Ok(findings)
    }

    /// A check is through, with what it found.
    fn came(
        rule: Rule,
        broken: Result<Vec<String>, Error>,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Error> {
        let broken = or_damage(rule, broken, findings)?.unwrap_or_default();
        let told = findings.iter().filter(|finding| finding.rule == rule).count();
        let room = FINDINGS_MAX_PER_RULE.saturating_sub(told);
        findings.extend(broken.into_iter().take(room).map(|what| Finding { rule, what }));
        Ok(())
    }

    /// What a statement finds, at most so much.
    async fn walk(&mut self, walk: Walk, sql: &str, room: usize) -> Result<Vec<String>, Error> {
        if matches!(walk, Walk::Sealed) {
            return self.keys(sql, room).await;
        }
        let Some((next, start)) = walk.steps(self.statements) else {
            let room = i64::try_from(room).unwrap_or(i64::MAX);
            return Ok(self.all(sql, &[&room]).await?.iter().filter_map(what).collect());
        };
        let end = walk.end();
        let mut walk = Steps::new(start, room);
        while walk.goes_on() {
            let next = self.next(next, walk.after(), self.head).await?;
            let Some(upto) = walk.upto(next, end) else { break };
            let (room, after) = (walk.left(), walk.after());
            let rows = match end {
                None => self.all(sql, &[&room, &after, &upto]).await?,
                Some(_) => self.all(sql, &[&room, &after, &upto, &walk.seen()]).await?,
            };
            if end.is_some() {
                walk.carry(rows.iter().find_map(|row| row.get("seen")));
            }
            walk.came(upto, rows.iter().filter_map(what));
        }
        Ok(walk.found())
    }

    /// Where the step behind this place ends; `None` when there is nothing behind it.
    async fn next(&mut self, sql: &str, after: &str, head: i64) -> Result<Option<String>, Error> {
        self.next_of(sql, after, head, self.step()).await
    }

    /// The same, of a step of so many rows.
    async fn next_of(
        &mut self,
        sql: &str,
        after: &str,
        head: i64,
        step: i64,
    ) -> Result<Option<String>, Error> {
        let params: [Param<'_>; 3] = [&after, &step, &head];
        let rows = self.all(sql, if sql.contains("$3") { &params } else { &params[..2] }).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        self.looked.rows += row.get::<_, i64>("rows").unsigned_abs();
        self.stride.tell(self.looked);
        Ok(row.get("upto"))
    }

    fn step(&self) -> i64 {
        i64::from(self.stride.rows)
    }

    /// One check is through.
    fn checked(&mut self) {
        self.looked.done += 1;
        self.stride.tell(self.looked);
    }

    /// The rows of a statement in a transaction of its own. All is sent together: one exchange.
    async fn all(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        let client = self.connection.client();
        let (begin, commit) = (client.batch_execute(&self.begin), client.batch_execute("COMMIT"));
        let (begun, rows, committed) = join3(begin, ask(client, sql, params), commit).await;
        begun?;
        self.connection.has_answered();
        let rows = rows?;
        committed.map(|()| rows)
    }

    /// The one row of a statement in a transaction of its own.
    async fn one(&self, sql: &str, params: &[Param<'_>]) -> Result<Row, Error> {
        let client = self.connection.client();
        let (begin, commit) = (client.batch_execute(&self.begin), client.batch_execute("COMMIT"));
        let (begun, row, committed) = join3(begin, ask_one(client, sql, params), commit).await;
        begun?;
        let row = row?;
        committed.map(|()| row)
    }
}

/// What was looked up; `None` when the database says that it cannot be, whoever asks and however often, which is then a finding.
///
/// # Errors
/// What has other reasons, such as a connection that is lost: whoever tries again may be luckier.
fn or_damage<T>(
    rule: Rule,
    looked: Result<T, Error>,
    findings: &mut Vec<Finding>,
) -> Result<Option<T>, Error> {
    match looked {
        Ok(looked) => Ok(Some(looked)),
        Err(error) if error.as_db_error().is_some() && kind(&error) == Kind::Final => {
            findings.push(Finding { rule, what: format!("this cannot be looked at: {}", describe(&error)) });
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What a row says is wrong; one that only carries something says nothing.
fn what(row: &Row) -> Option<String> {
    row.get("what")
}
