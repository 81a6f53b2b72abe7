//! Acts: each done and recorded in one transaction, but for removals for good, which may take several.

use tokio_postgres::{Error, Row};
use umbel_core::{
    ExpectedVersion, NewEvent, StreamName, Timestamp,
    store::{
        Act, ActRecord, Append, Perform, PerformError, Performed, StoreError, StreamAppend, Turn,
        plan::StreamState,
    },
};

use super::{Begun, Connection, Slot, Upkeeper, removal};
use crate::postgres::{
    reader::Param,
    sql::Statements,
    statement::{ask, ask_one},
    subscriptions::{Asked, Meant},
    types::PgTimestamp,
};

/// However long the act takes.
const UNHURRIED: &str = "SET LOCAL statement_timeout = 0";

/// What became of it.
pub(super) enum Done {
    /// It is done and recorded.
    Now(Performed),
    /// An event with its id was in the log before.
    Before,
    /// It has begun, and there is more to do.
    Partly,
    /// Nothing was done before this other one is through.
    After(Box<Perform>),
}

/// How much an act took away or moved.
#[derive(Clone, Copy, Default)]
struct Removed {
    events: u64,
    links: u64,
}

impl Upkeeper {
    pub(super) async fn perform(
        &self,
        mut slot: Slot,
        request: Perform,
        meant: &Meant,
        now: Timestamp,
    ) -> Result<Done, PerformError> {
        let stream = request.act.stream().cloned();
        let mut about = recording(&request, Removed::default())?;
        about
            .streams
            .extend(stream.clone().map(|stream| StreamAppend::new(stream, ExpectedVersion::Any, Vec::new())));
        let Begun { connection, head, view } = self.begin(&mut slot, &about).await?;
        let state = stream.and_then(|stream| view.streams.get(&stream).cloned());
        let is_new = !view.events.contains_key(&request.id);
        let turn = if is_new {
            let key = state.as_ref().and_then(|state| state.key);
            let removing = removal::find(self, connection.session.client(), key, &request).await?;
            request.turn(state.as_ref(), head, removing).map(Some)
        } else {
            Ok(None)
        };
        let removed = match turn {
            Ok(Some(turn @ (Turn::Begin | Turn::GoOn(_)))) if request.act.is_hard() => {
                match self.remove(&connection, turn, &request, state.as_ref(), now).await? {
                    Some(removed) => removed,
                    None => {
                        let committed = connection.session.client().batch_execute("COMMIT").await;
                        committed.map_err(|error| self.target.explain_write(&error))?;
                        *slot = Some(connection);
                        return Ok(Done::Partly);
                    }
                }
            }
            Ok(Some(Turn::Begin | Turn::GoOn(_))) => {
                let act = self.act(&connection, &request.act, meant, state.as_ref(), now).await?;
                match act {
                    Ok(removed) => removed,
                    Err(refusal) => {
                        self.release(&mut slot, connection).await;
                        return Err(refusal);
                    }
                }
            }
            done => {
                self.release(&mut slot, connection).await;
                return done.map(|turn| match turn {
                    Some(Turn::After(other)) => Done::After(other),
                    _ => Done::Before,
                });
            }
        };
        let record = recording(&request, removed)?;
        let recorded = connection.session.finish(&record, view, now).await;
        let position = recorded.map_err(|error| self.target.explain_write(&error))?;
        *slot = Some(connection);
        Ok(Done::Now(Performed { position, events: removed.events, links: removed.links }))
    }

    /// Takes the first or the next step of a removal; how much went in all of them, once it is through.
    async fn remove(
        &self,
        connection: &Connection,
        turn: Turn,
        request: &Perform,
        state: Option<&StreamState>,
        now: Timestamp,
    ) -> Result<Option<Removed>, StoreError> {
        let (client, statements) = (connection.session.client(), &self.statements);
        let explain = |error| self.explain(&error);
        client.batch_execute(UNHURRIED).await.map_err(explain)?;
        let mut removing = match (turn, state) {
            (Turn::GoOn(removing), _) => *removing,
            (_, Some(state)) => {
                removal::begin(client, statements, request, state, now).await.map_err(explain)??
            }
            // What is not there was refused.
            (_, None) => return Ok(Some(Removed::default())),
        };
        let key = state.and_then(|state| state.key);
        if !removing.is_through() {
            let room = self.removal_step_max;
            removal::step(client, statements, key, &mut removing, room).await.map_err(explain)?;
        }
        if !removing.is_through() {
            return Ok(None);
        }
        removal::end(client, statements, key, &removing).await.map_err(explain)?;
        Ok(Some(Removed { events: removing.events, links: removing.links }))
    }

    /// Does an act that is one step, which was checked, however long it takes; or says why not.
    async fn act(
        &self,
        connection: &Connection,
        act: &Act,
        meant: &Meant,
        state: Option<&StreamState>,
        now: Timestamp,
    ) -> Result<Result<Removed, PerformError>, StoreError> {
        let asked = Asked::of(connection.session.client(), &self.statements, act, meant).await;
        match asked.map_err(|error| self.explain(&error))? {
            Some(Asked::Letters(events)) => return Ok(Ok(Removed { events, links: 0 })),
            Some(Asked::Refused(refusal)) => return Ok(Err(refusal)),
            None => {}
        }
        let done = connection.act(&self.statements, act, state, now).await;
        done.map(Ok).map_err(|error| self.explain(&error))
    }
}

impl Connection {
    async fn act(
        &self,
        statements: &Statements,
        act: &Act,
        state: Option<&StreamState>,
        now: Timestamp,
    ) -> Result<Removed, Error> {
        let client = self.session.client();
        client.batch_execute(UNHURRIED).await?;
        let now = PgTimestamp(now);
        let key = state.and_then(|state| state.key);
        match act {
            Act::DeleteStream { .. } => {
                ask(client, &statements.delete_stream, &[&key, &now]).await?;
            }
            Act::TruncateStream { before, .. } => {
                ask(client, &statements.truncate_stream, &[&key, &before.to_i64()]).await?;
            }
            Act::Archive { through } => {
                return self.run(&statements.archive_events, &[&through.to_i64()]).await;
            }
            Act::ForgetSubject { subject } => {
                return self.run(&statements.forget_subject, &[&subject.as_str(), &now]).await;
            }
            _ => {}
        }
        Ok(Removed::default())
    }

    async fn run(&self, sql: &str, params: &[Param<'_>]) -> Result<Removed, Error> {
        let row = ask_one(self.session.client(), sql, params).await?;
        let count = |column| u64::try_from(Row::get::<_, i64>(&row, column)).unwrap_or(0);
        Ok(Removed { events: count("events"), links: count("links") })
    }
}

/// The append that records an act.
fn recording(request: &Perform, removed: Removed) -> Result<Append, StoreError> {
    let Removed { events, links } = removed;
    let record = ActRecord { act: request.act.clone(), events, links };
    let record = record.encode().map_err(|error| StoreError::Failed { reason: error.to_string() })?;
    let event = NewEvent::new(request.id, record, request.metadata.clone());
    Ok(Append::to_stream(StreamName::audit(), ExpectedVersion::Any, vec![event]))
}
