//! The writer's connection: its statements, prepared once, and the two exchanges an append is made of.

mod append;
mod conditions;
mod inline;
mod upkeep;

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use futures_util::future::{self, join, join3, join4, join5};
use tokio_postgres::{Client, Error, Row};
use umbel_core::{
    CommandId, EventId, Position, StreamName, Timestamp, Version,
    store::{
        Append, AppendCondition, Appended, ClaimName, StoreError,
        plan::{Belief, EventPlace, Plan, StreamState, View},
    },
};
use uuid::Uuid;

use super::{
    cache::Mark,
    kinds::PlannedKinds,
    rows::{ClaimRows, CommandRows, DocumentRows, EventRows, OutboxRows, custom_metadata},
};
use crate::postgres::{
    sql::Statements,
    statement::Ready,
    target::{Driving, Target},
    typed::Param,
    types::{JsonOut, PgTimestamp},
};

/// Begins every transaction of more than one statement, with its bounds: how long it waits for another writer's lock, how
/// long one of its statements may take, and how long it may stall holding the lock, should this process freeze or
/// the network cut it off.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '10s'; SET LOCAL statement_timeout = '30s'; \
                     SET LOCAL idle_in_transaction_session_timeout = {stall_ms}";

/// The same wait for a statement that is its own transaction.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '10s'";

/// An open connection with its statements. Dropping it closes it at once.
#[derive(Debug)]
pub(in crate::postgres) struct Session {
    client: Client,
    /// Ends with the session, also when it is dropped half opened.
    _driving: Driving,
    /// [`BEGIN`] with its limit.
    begin: String,
    append_group: Ready,
    /// The usual case; `None` where the setting of the connection that it needs does not last.
    usual: Option<Usual>,
    write_claims: Ready,
    write_commands: Ready,
    write_documents: Ready,
    write_outbox: Ready,
    lock_log: Ready,
    find_streams: Ready,
    find_claims: Ready,
    find_commands: Ready,
    find_events: Ready,
    find_tagged: Ready,
    look_ahead: Ready,
    check_conditions: Ready,
    verify_conditions: Ready,
    check_documents: Ready,
    move_joined: Ready,
    list_joined: Ready,
    find_inlined: Ready,
}

/// The statements of the usual case: streams and kinds are known.
#[derive(Debug)]
struct Usual {
    append_known: Ready,
    append_one: Ready,
}

/// What is held of the streams of a plan when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::postgres) enum Held {
    /// The log's lock, in an open transaction.
    Locked,
    /// Versions that were so at some time, for certain.
    Known,
    /// Versions that somebody says they have.
    Believed,
}

/// What `append_group` answered: the numbers before the group's first.
#[derive(Clone, Debug)]
pub(super) struct Base {
    pub(super) position: i64,
    pub(super) stream: i64,
    /// The numbers of the kinds that the writer did not know.
    pub(super) kinds: Vec<i32>,
}

/// What was read to plan on.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) view: View,
    /// The streams whose version may not be guessed.
    pub(super) not_plain: HashSet<StreamName>,
}

impl Session {
    pub(in crate::postgres) async fn open(
        target: &Target,
        statements: &Statements,
        stall_limit: Duration,
    ) -> Result<Self, StoreError> {
        let (client, driving) = target.open().await?;
        if !target.is_pooled() {
            client.batch_execute(LOCK_TIMEOUT).await.map_err(|error| target.explain(&error))?;
        }
        let prepare = |text| Ready::new(&client, target, text);
        let prepared = future::try_join_all([
            prepare(&statements.append_group),
            prepare(&statements.append_known),
            prepare(&statements.append_one),
            prepare(&statements.write_claims),
            prepare(&statements.write_commands),
            prepare(&statements.write_documents),
            prepare(&statements.write_outbox),
            prepare(&statements.lock_log),
            prepare(&statements.find_streams),
            prepare(&statements.find_claims),
            prepare(&statements.find_commands),
            prepare(&statements.find_events),
            prepare(&statements.find_tagged),
            prepare(&statements.look_ahead),
            prepare(&statements.check_conditions),
            prepare(&statements.verify_conditions),
            prepare(&statements.check_documents),
            prepare(&statements.move_joined),
            prepare(&statements.list_joined),
            prepare(&statements.find_inlined),
        ])
        .await
        .map_err(|error| target.explain(&error))?;
        let [
            append_group,
            append_known,
            append_one,
            write_claims,
            write_commands,
            write_documents,
            write_outbox,
            lock_log,
            find_streams,
            find_claims,
            find_commands,
            find_events,
            find_tagged,
            look_ahead,
            check_conditions,
            verify_conditions,
            check_documents,
            move_joined,
            list_joined,
            find_inlined,
        ] = <[Ready; 20]>::try_from(prepared).expect("as many come back as were prepared");
        // Zero would mean no limit.
        let begin = BEGIN.replace("{stall_ms}", &stall_limit.as_millis().max(1).to_string());
        // Where settings do not last, the transaction sets them for itself.
        let begin = if target.is_pooled() { format!("{begin}; {}", target.local_settings()) } else { begin };
        Ok(Self {
            client,
            _driving: driving,
            begin,
            append_group,
            usual: (!target.is_pooled()).then_some(Usual { append_known, append_one }),
            write_claims,
            write_commands,
            write_documents,
            write_outbox,
            lock_log,
            find_streams,
            find_claims,
            find_commands,
            find_events,
            find_tagged,
            look_ahead,
            check_conditions,
            verify_conditions,
            check_documents,
            move_joined,
            list_joined,
            find_inlined,
        })
    }

    pub(in crate::postgres) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Streams and claims outside the lock: something to guess by.
    pub(super) async fn look(&self, names: &[&str], claims: &[&ClaimName]) -> Result<Seen, Error> {
        let (scopes, values) = split(claims);
        let streams = async {
            if names.is_empty() {
                Ok(Vec::new())
            } else {
                self.find_streams.ask(&self.client, &[&names]).await
            }
        };
        let claims = async {
            if claims.is_empty() {
                Ok(Vec::new())
            } else {
                self.find_claims.ask(&self.client, &[&scopes, &values]).await
            }
        };
        let (streams, claims) = join(streams, claims).await;
        let mut seen = Seen::default();
        seen.see_streams(&streams?);
        seen.view.claims = claim_owners(&claims?);
        Ok(seen)
    }

    /// Begins a transaction, takes the log's lock and reads everything about these appends under it.
    pub(super) async fn lock_and_look(&self, appends: &[&Append]) -> Result<(Mark, Seen), Error> {
        let streams = || appends.iter().flat_map(|append| &append.streams);
        let names: Vec<_> = streams().map(|stream| stream.stream.as_str()).collect();
        let events: Vec<Uuid> = streams().flat_map(|stream| &stream.events).map(|event| event.id.0).collect();
        let commands: Vec<Uuid> =
            appends.iter().flat_map(|append| append.records()).map(|command| command.id.0).collect();
        let claims: Vec<_> = appends
            .iter()
            .flat_map(|append| append.claims.take.iter().chain(&append.claims.release))
            .collect();
        let (scopes, values) = split(&claims);
        // Sent together and answered in order; each statement sees what was committed before it began, and all but
        // those up to the lock begin under it.
        let conditions: Vec<_> = appends.iter().flat_map(|append| &append.conditions).collect();
        let lock = join3(
            self.client.batch_execute(&self.begin),
            self.failed(&self.look_ahead, &conditions),
            self.lock_log.ask_one(&self.client, &[]),
        );
        let params: [&[Param<'_>]; 4] = [&[&names], &[&events], &[&commands], &[&scopes, &values]];
        let [of_names, of_events, of_commands, of_claims] = params;
        let asked = join5(
            lock,
            self.find_streams.ask(&self.client, of_names),
            self.find_events.ask(&self.client, of_events),
            self.find_commands.ask(&self.client, of_commands),
            self.find_claims.ask(&self.client, of_claims),
        );
        let ((locked, streams, events, commands, claims), failed, joined, documents) =
            join4(asked, self.failed(&self.find_tagged, &conditions), self.joined(), self.inlined(appends))
                .await;
        let (begun, ahead, log) = locked;
        begun?;
        let ahead = ahead?;
        let log = log?;
        let mut seen = Seen::default();
        seen.see_streams(&streams?);
        seen.view.claims = claim_owners(&claims?);
        seen.view.commands = commands?.iter().map(recorded_command).collect();
        seen.view.events = events?.iter().map(event_place).collect();
        seen.view.failed = failed?;
        (seen.view.joined, seen.view.documents) = (joined?, documents?);
        // These come first in the log.
        seen.view.failed.extend(ahead);
        seen.view.head = Position::from_i64(log.get("position"));
        Ok((Mark { head: log.get("position"), revision: log.get("revision") }, seen))
    }

    /// Ends a transaction that wrote nothing.
    pub(in crate::postgres) async fn release(&self) -> Result<(), Error> {
        self.client.batch_execute("ROLLBACK").await
    }

    /// Writes a plan in one exchange. `head` is where the log must stand for the plan's versions to need no check;
    /// `revision` the count of stream changes they were read at. `held` is what is held of the plan's streams.
    pub(super) async fn write(
        &self,
        plan: &Plan<'_>,
        kinds: &PlannedKinds<'_>,
        head: Option<i64>,
        revision: i64,
        now: Timestamp,
        held: Held,
    ) -> Result<Base, Error> {
        let metadata = custom_metadata(plan);
        let rows = EventRows::new(plan, &metadata, kinds);
        let now = PgTimestamp(now);
        let locked = held == Held::Locked;
        let work = plan.done.len() + plan.outbox.len();
        // Under the lock they were read and stay true.
        let conditions = if locked { &[][..] } else { &plan.conditions };
        let beside = plan.claims.len() + plan.commands.len() + plan.documents.len() + work + conditions.len();
        let beside = beside + plan.inline.len() + plan.moved.len();
        if held == Held::Known
            && beside == 0
            && rows.is_usual(head)
            && let Some(base) = self.append_known(&rows, &kinds.ids, revision, now).await?
        {
            return Ok(base);
        }
        let events = Box::pin(self.append(&rows, &kinds.ids, head, revision, now));
        if !locked && beside == 0 {
            // One statement is its own transaction.
            return events.await;
        }
        // Under the lock they were read, too.
        let beliefs = if locked { &[][..] } else { &plan.beliefs };
        Box::pin(self.write_beside(plan, events, (conditions, beliefs), now, locked)).await
    }

    /// Writes a plan that is more than events, or whose transaction has begun.
    async fn write_beside(
        &self,
        plan: &Plan<'_>,
        events: impl Future<Output = Result<Base, Error>>,
        (conditions, beliefs): (&[&AppendCondition], &[Belief]),
        now: PgTimestamp,
        locked: bool,
    ) -> Result<Base, Error> {
        let begin = async { if locked { Ok(()) } else { self.client.batch_execute(&self.begin).await } };
        let beside = join5(
            join(self.verify(plan, conditions), self.check_documents(beliefs)),
            self.claims(plan),
            self.commands(plan, now),
            join(self.documents(plan), self.move_joined(plan)),
            self.outbox(plan, now),
        );
        // After an error in one of them the server refuses the rest, and COMMIT rolls back.
        let checked = self.check(conditions);
        let (begun, checked, base, (verified, claims, commands, documents, outbox), committed) =
            join5(begin, checked, events, beside, self.client.batch_execute("COMMIT")).await;
        begun?;
        checked?;
        let base = base?;
        let (verified, as_read) = verified;
        verified?;
        as_read?;
        claims?;
        commands?;
        let (documents, moved) = documents;
        documents?;
        moved?;
        outbox?;
        committed.map(|()| base)
    }

    async fn claims(&self, plan: &Plan<'_>) -> Result<(), Error> {
        if plan.claims.is_empty() {
            return Ok(());
        }
        let rows = ClaimRows::new(plan);
        let written = self
            .write_claims
            .ask(&self.client, &[&rows.scopes, &rows.values, &rows.before, &rows.after])
            .await;
        written.map(drop)
    }

    async fn commands(&self, plan: &Plan<'_>, now: PgTimestamp) -> Result<(), Error> {
        if plan.commands.is_empty() {
            return Ok(());
        }
        let rows = CommandRows::new(&plan.commands);
        let events = i64::try_from(plan.event_count()).unwrap_or(i64::MAX);
        let for_good: Vec<Uuid> = plan.for_good.iter().map(|id| id.0).collect();
        let params: [Param<'_>; 6] = [&rows.ids, &rows.replies, &rows.offsets, &events, &now, &for_good];
        self.write_commands.ask(&self.client, &params).await.map(drop)
    }

    async fn documents(&self, plan: &Plan<'_>) -> Result<(), Error> {
        if plan.documents.is_empty() && plan.inline.is_empty() {
            return Ok(());
        }
        let rows = DocumentRows::new(plan.documents.iter().copied().chain(&plan.inline));
        let written = self
            .write_documents
            .ask(
                &self.client,
                &[
                    &rows.collections,
                    &rows.keys,
                    &rows.bodies,
                    &rows.entry_collections,
                    &rows.entry_keys,
                    &rows.entry_indexes,
                    &rows.entry_values,
                ],
            )
            .await;
        written.map(drop)
    }

    async fn outbox(&self, plan: &Plan<'_>, now: PgTimestamp) -> Result<(), Error> {
        if plan.done.is_empty() && plan.outbox.is_empty() {
            return Ok(());
        }
        let rows = OutboxRows::new(&plan.outbox);
        let params: [Param<'_>; 6] = [&plan.done, &rows.ids, &rows.queues, &rows.bodies, &rows.due_at, &now];
        self.write_outbox.ask(&self.client, &params).await.map(drop)
    }
}

impl Seen {
    fn see_streams(&mut self, rows: &[Row]) {
        for row in rows {
            let name = StreamName::from_store(row.get::<_, &str>("name"));
            let state = StreamState {
                key: Some(row.get("stream_id")),
                version: Version::from_i64(row.get("version")),
                deleted: row.get("deleted"),
            };
            if !row.get::<_, bool>("plain") {
                self.not_plain.insert(name.clone());
            }
            self.view.streams.insert(name, state);
        }
    }
}

/// A command's first result, from its row.
pub(in crate::postgres) fn recorded_command(row: &Row) -> (CommandId, Appended) {
    let JsonOut(reply) = row.get::<_, JsonOut>("reply");
    let last_position = row.get::<_, Option<i64>>("last_position").map(Position::from_i64);
    (CommandId(row.get("command_id")), Appended::repeated(last_position, reply))
}

fn split<'a>(claims: &[&'a ClaimName]) -> (Vec<&'a str>, Vec<&'a str>) {
    claims.iter().map(|claim| (claim.scope.as_str(), claim.value.as_str())).unzip()
}

fn claim_owners(rows: &[Row]) -> HashMap<ClaimName, String> {
    let claim = |row: &Row| ClaimName::new(row.get::<_, &str>("scope"), row.get::<_, &str>("value"));
    rows.iter().map(|row| (claim(row), row.get("owner"))).collect()
}

fn event_place(row: &Row) -> (EventId, EventPlace) {
    let place = EventPlace {
        stream: StreamName::from_store(row.get::<_, &str>("name")),
        version: Version::from_i64(row.get("version")),
        position: Position::from_i64(row.get("position")),
    };
    (EventId(row.get("event_id")), place)
}
