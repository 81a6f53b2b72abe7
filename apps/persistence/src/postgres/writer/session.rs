//! The writer's connection: its statements, prepared once, and the two exchanges an append is made of.

mod upkeep;

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use futures_util::future::{self, join4, join5};
use tokio_postgres::{Client, Error, Row, Statement};
use umbel_core::{
    CommandId, EventId, Position, StreamName, Timestamp, Version,
    store::{
        Append, Appended, ClaimName, StoreError,
        plan::{EventPlace, Plan, StreamState, View},
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
    target::{Driving, Target},
    types::{JsonOut, PgTimestamp},
};

/// Begins every transaction of more than one statement, with its bounds: how long it waits for another writer's lock, how
/// long one of its statements may take, and how long it may stall holding the lock, should this process freeze or
/// the network cut it off.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '10s'; SET LOCAL statement_timeout = '30s'; \
                     SET LOCAL idle_in_transaction_session_timeout = {stall_ms}";

/// An open connection with its prepared statements. Dropping it closes it at once.
#[derive(Debug)]
pub(in crate::postgres) struct Session {
    client: Client,
    /// [`BEGIN`] with its limit.
    begin: String,
    /// Ends with the session, also when it is dropped half opened.
    _driving: Driving,
    append_group: Statement,
    write_claims: Statement,
    write_commands: Statement,
    write_documents: Statement,
    write_outbox: Statement,
    lock_log: Statement,
    find_streams: Statement,
    find_claims: Statement,
    find_commands: Statement,
    find_events: Statement,
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
        let prepare = |text| client.prepare(text);
        let prepared = future::try_join_all([
            prepare(&statements.append_group),
            prepare(&statements.write_claims),
            prepare(&statements.write_commands),
            prepare(&statements.write_documents),
            prepare(&statements.write_outbox),
            prepare(&statements.lock_log),
            prepare(&statements.find_streams),
            prepare(&statements.find_claims),
            prepare(&statements.find_commands),
            prepare(&statements.find_events),
        ])
        .await
        .map_err(|error| target.explain(&error))?;
        let [
            append_group,
            write_claims,
            write_commands,
            write_documents,
            write_outbox,
            lock_log,
            find_streams,
            find_claims,
            find_commands,
            find_events,
        ] = <[Statement; 10]>::try_from(prepared).expect("as many come back as were prepared");
        Ok(Self {
            client,
            // Zero would mean no limit.
            begin: BEGIN.replace("{stall_ms}", &stall_limit.as_millis().max(1).to_string()),
            _driving: driving,
            append_group,
            write_claims,
            write_commands,
            write_documents,
            write_outbox,
            lock_log,
            find_streams,
            find_claims,
            find_commands,
            find_events,
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
                self.client.query(&self.find_streams, &[&names]).await
            }
        };
        let claims = async {
            if claims.is_empty() {
                Ok(Vec::new())
            } else {
                self.client.query(&self.find_claims, &[&scopes, &values]).await
            }
        };
        let (streams, claims) = future::join(streams, claims).await;
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
            appends.iter().filter_map(|append| append.command.as_ref()).map(|command| command.id.0).collect();
        let claims: Vec<_> = appends
            .iter()
            .flat_map(|append| append.claims.take.iter().chain(&append.claims.release))
            .collect();
        let (scopes, values) = split(&claims);
        // Sent together and answered in order; each statement sees what was committed before it began, and all but
        // the first two begin under the lock.
        let lock =
            future::join(self.client.batch_execute(&self.begin), self.client.query_one(&self.lock_log, &[]));
        let params: [&[&(dyn tokio_postgres::types::ToSql + Sync)]; 4] =
            [&[&names], &[&events], &[&commands], &[&scopes, &values]];
        let [of_names, of_events, of_commands, of_claims] = params;
        let (locked, streams, events, commands, claims) = join5(
            lock,
            self.client.query(&self.find_streams, of_names),
            self.client.query(&self.find_events, of_events),
            self.client.query(&self.find_commands, of_commands),
            self.client.query(&self.find_claims, of_claims),
        )
        .await;
        locked.0?;
        let log = locked.1?;
        let mut seen = Seen::default();
        seen.see_streams(&streams?);
        seen.view.claims = claim_owners(&claims?);
        seen.view.commands = commands?.iter().map(recorded_command).collect();
        seen.view.events = events?.iter().map(event_place).collect();
        Ok((Mark { head: log.get("position"), revision: log.get("revision") }, seen))
    }

    /// Ends a transaction that wrote nothing.
    pub(in crate::postgres) async fn release(&self) -> Result<(), Error> {
        self.client.batch_execute("ROLLBACK").await
    }

    /// Writes a plan in one exchange. `head` is where the log must stand for the plan's versions to need no check;
    /// `revision` the count of stream changes they were read at. `locked` tells that a transaction is open.
    pub(super) async fn write(
        &self,
        plan: &Plan<'_>,
        kinds: &PlannedKinds<'_>,
        head: Option<i64>,
        revision: i64,
        now: Timestamp,
        locked: bool,
    ) -> Result<Base, Error> {
        let metadata = custom_metadata(plan);
        let rows = EventRows::new(plan, &metadata, kinds);
        let now = PgTimestamp(now);
        let events = self.append(&rows, &kinds.ids, head, revision, now);
        let beside = plan.claims.len() + plan.commands.len() + plan.documents.len() + plan.outbox.len();
        if !locked && beside == 0 {
            // One statement is its own transaction.
            return events.await;
        }
        let begin = async { if locked { Ok(()) } else { self.client.batch_execute(&self.begin).await } };
        let beside =
            join4(self.claims(plan), self.commands(plan, now), self.documents(plan), self.outbox(plan, now));
        // After an error in one of them the server refuses the rest, and COMMIT rolls back.
        let (begun, base, (claims, commands, documents, outbox), committed) =
            join4(begin, events, beside, self.client.batch_execute("COMMIT")).await;
        begun?;
        let base = base?;
        claims?;
        commands?;
        documents?;
        outbox?;
        committed.map(|()| base)
    }

    async fn append(
        &self,
        rows: &EventRows<'_>,
        kind_ids: &Vec<i32>,
        head: Option<i64>,
        revision: i64,
        now: PgTimestamp,
    ) -> Result<Base, Error> {
        let row = self
            .client
            .query_one(
                &self.append_group,
                &[
                    &head,
                    &revision,
                    &now,
                    &rows.streams,
                    &rows.versions,
                    &rows.new_streams,
                    &rows.kind_categories,
                    &rows.kind_types,
                    &rows.kind_schemas,
                    &rows.stream_ids,
                    &rows.stream_versions,
                    &rows.ids,
                    kind_ids,
                    &rows.correlation_ids,
                    &rows.causation_ids,
                    &rows.subjects,
                    &rows.data,
                    &rows.bytes,
                    &rows.metadata,
                    &rows.recorded_at,
                    &rows.new_at,
                ],
            )
            .await?;
        let kinds = row.get::<_, Option<Vec<i32>>>("new_kinds").unwrap_or_default();
        Ok(Base { position: row.get("base_position"), stream: row.get("base_stream"), kinds })
    }

    async fn claims(&self, plan: &Plan<'_>) -> Result<(), Error> {
        if plan.claims.is_empty() {
            return Ok(());
        }
        let rows = ClaimRows::new(plan);
        let written = self
            .client
            .execute(&self.write_claims, &[&rows.scopes, &rows.values, &rows.before, &rows.after])
            .await;
        written.map(drop)
    }

    async fn commands(&self, plan: &Plan<'_>, now: PgTimestamp) -> Result<(), Error> {
        if plan.commands.is_empty() {
            return Ok(());
        }
        let rows = CommandRows::new(&plan.commands);
        let events = i64::try_from(plan.event_count()).unwrap_or(i64::MAX);
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&rows.ids, &rows.replies, &rows.offsets, &events, &now];
        self.client.execute(&self.write_commands, &params).await.map(drop)
    }

    async fn documents(&self, plan: &Plan<'_>) -> Result<(), Error> {
        if plan.documents.is_empty() {
            return Ok(());
        }
        let rows = DocumentRows::new(plan.documents.iter().copied());
        let written = self
            .client
            .execute(
                &self.write_documents,
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
        if plan.outbox.is_empty() {
            return Ok(());
        }
        let rows = OutboxRows::new(&plan.outbox);
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&rows.ids, &rows.queues, &rows.bodies, &now];
        self.client.execute(&self.write_outbox, &params).await.map(drop)
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
    (
        CommandId(row.get("command_id")),
        Appended { last_position, versions: Vec::new(), repeated: Some(reply) },
    )
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
