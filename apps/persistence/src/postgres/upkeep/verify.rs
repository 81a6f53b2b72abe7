//! Verifying: a statement for each rule, over parts of what there is.
//!
//! Each statement is a short transaction. One snapshot over all of it would be held for as long as everything takes to be
//! looked at, and meanwhile the many versions of the log's one row, a new one for each group, could not be pruned: every
//! append would go through all of them. So each rule looks only at what one statement sees, and those that look at every event
//! or stream do so step by step, up to the last event there was in the beginning.

use tokio_postgres::{Client, Error};
use umbel_core::store::{FINDINGS_MAX_PER_RULE, Finding, Rule, StoreError};

use crate::postgres::{
    reader::{Abandoned, Reader},
    sql::Statements,
    statement::{ask, ask_one},
};

/// Whole tables are looked at, however long it takes, which other statements here never want.
const BEGIN_WHOLE: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '10s'; \
                           SET LOCAL enable_seqscan = on";
/// A part of them is found by an index.
const BEGIN_PART: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '10s'";

/// Events, streams or ids in one step: some hundred milliseconds.
const STEP: i64 = 65_536;

/// What a statement looks at.
#[derive(Clone, Copy)]
enum Walk {
    /// All of it at once.
    Whole,
    /// Events in order of position, whole spans at a time.
    Positions,
    /// Streams in order of their ids.
    Streams,
    /// Events in order of their ids.
    Ids,
}

/// One verification under way.
struct Verification<'a> {
    client: &'a Client,
    statements: &'a Statements,
    /// The last position when it began.
    head: i64,
}

impl Reader {
    pub(super) async fn verify(&self) -> Result<Vec<Finding>, StoreError> {
        let client = self.borrow(Abandoned::Cancel).await?;
        // After an error the transaction is open and the connection goes.
        let findings = findings(client.client(), self.statements()).await;
        let findings = findings.map_err(|error| self.target().explain(&error))?;
        client.give_back();
        Ok(findings)
    }
}

async fn findings(client: &Client, statements: &Statements) -> Result<Vec<Finding>, Error> {
    let head = ask_one(client, &statements.verify_head, &[]).await?.get("head");
    let verification = Verification { client, statements, head };
    let mut findings = Vec::new();
    for (rule, walk, sql) in rules(statements) {
        let told = findings.iter().filter(|finding: &&Finding| finding.rule == rule).count();
        let room = FINDINGS_MAX_PER_RULE.saturating_sub(told);
        let broken = verification.walk(walk, sql, room).await?;
        findings.extend(broken.into_iter().map(|what| Finding { rule, what }));
    }
    findings.sort();
    Ok(findings)
}

impl Verification<'_> {
    /// What a statement finds, at most so much.
    async fn walk(&self, walk: Walk, sql: &str, room: usize) -> Result<Vec<String>, Error> {
        let room = |found: &[String]| i64::try_from(room.saturating_sub(found.len())).unwrap_or(i64::MAX);
        let mut found = Vec::new();
        if matches!(walk, Walk::Whole) {
            self.client.batch_execute(BEGIN_WHOLE).await?;
            let rows = ask(self.client, sql, &[&room(&found)]).await?;
            self.client.batch_execute("COMMIT").await?;
            return Ok(rows.iter().map(|row| row.get("what")).collect());
        }
        let mut after = walk.start().to_owned();
        while room(&found) > 0
            && let Some(upto) = self.next(walk, &after).await?
        {
            self.client.batch_execute(BEGIN_PART).await?;
            let rows = ask(self.client, sql, &[&room(&found), &after, &upto]).await?;
            self.client.batch_execute("COMMIT").await?;
            found.extend(rows.iter().map(|row| row.get::<_, String>("what")));
            after = upto;
        }
        Ok(found)
    }

    /// Where the step behind this place ends; `None` when there is nothing behind it.
    async fn next(&self, walk: Walk, after: &str) -> Result<Option<String>, Error> {
        let Statements { verify_next_positions, verify_next_streams, verify_next_ids, .. } = self.statements;
        let rows = match walk {
            Walk::Whole => return Ok(None),
            Walk::Positions => ask(self.client, verify_next_positions, &[&after, &STEP, &self.head]).await?,
            Walk::Streams => ask(self.client, verify_next_streams, &[&after, &STEP]).await?,
            Walk::Ids => ask(self.client, verify_next_ids, &[&after, &STEP]).await?,
        };
        Ok(rows.first().and_then(|row| row.get("upto")))
    }
}

impl Walk {
    /// Before the first step.
    const fn start(self) -> &'static str {
        match self {
            Self::Ids => "00000000-0000-0000-0000-000000000000",
            Self::Whole | Self::Positions | Self::Streams => "0",
        }
    }
}

fn rules(statements: &Statements) -> [(Rule, Walk, &str); 21] {
    [
        (Rule::Log, Walk::Whole, &statements.verify_log),
        (Rule::Positions, Walk::Whole, &statements.verify_positions),
        (Rule::Versions, Walk::Streams, &statements.verify_versions),
        (Rule::Versions, Walk::Whole, &statements.verify_removals),
        (Rule::EventIds, Walk::Ids, &statements.verify_event_ids),
        (Rule::References, Walk::Positions, &statements.verify_references),
        (Rule::References, Walk::Whole, &statements.verify_kinds),
        (Rule::Spans, Walk::Positions, &statements.verify_spans),
        (Rule::Spans, Walk::Whole, &statements.verify_stray_spans),
        (Rule::Links, Walk::Whole, &statements.verify_links),
        (Rule::Tags, Walk::Whole, &statements.verify_tags),
        (Rule::Checkpoints, Walk::Whole, &statements.verify_checkpoints),
        (Rule::Snapshots, Walk::Whole, &statements.verify_snapshots),
        (Rule::Documents, Walk::Whole, &statements.verify_documents),
        (Rule::Commands, Walk::Whole, &statements.verify_commands),
        (Rule::Archive, Walk::Whole, &statements.verify_archive),
        (Rule::Payloads, Walk::Positions, &statements.verify_payloads),
        (Rule::SubjectKeys, Walk::Positions, &statements.verify_subject_keys),
        (Rule::Checkpoints, Walk::Whole, &statements.verify_subscription_checkpoints),
        (Rule::Subscriptions, Walk::Whole, &statements.verify_subscriptions),
        (Rule::Letters, Walk::Whole, &statements.verify_letters),
    ]
}
