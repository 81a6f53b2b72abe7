//! Acts: each done and recorded in one transaction.

use tokio_postgres::{Error, Row};
use umbel_core::{
    ExpectedVersion, NewEvent, StreamName, Timestamp,
    store::{
        Act, ActRecord, Append, Perform, PerformError, Performed, Removal, StoreError, StreamAppend,
        plan::StreamState,
    },
};

use super::{Begun, Connection, Slot, Upkeeper};
use crate::postgres::{
    reader::Param,
    sql::Statements,
    statement::ask_one,
    subscriptions::{Asked, Meant},
    types::PgTimestamp,
};

/// What became of it.
pub(super) enum Done {
    /// It is done and recorded.
    Now(Performed),
    /// An event with its id was in the log before.
    Before,
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
        let checked = if is_new { request.act.check(state.as_ref(), head) } else { Ok(()) };
        if !is_new || checked.is_err() {
            self.release(&mut slot, connection).await;
            return checked.map(|()| Done::Before);
        }
        let asked = Asked::of(connection.session.client(), &self.statements, &request.act, meant).await;
        let removed = match asked.map_err(|error| self.explain(&error))? {
            Some(Asked::Letters(events)) => Removed { events, links: 0 },
            Some(Asked::Missing(missing)) => {
                self.release(&mut slot, connection).await;
                return Err(missing);
            }
            None => {
                let removed = connection.act(&self.statements, &request.act, state.as_ref(), now).await;
                removed.map_err(|error| self.explain(&error))?
            }
        };
        let record = recording(&request, removed)?;
        let recorded = connection.session.finish(&record, view, now).await;
        let position = recorded.map_err(|error| self.target.explain_write(&error))?;
        *slot = Some(connection);
        Ok(Done::Now(Performed { position, events: removed.events, links: removed.links }))
    }
}

impl Connection {
    /// Does the act, which was checked, however long it takes.
    async fn act(
        &self,
        statements: &Statements,
        act: &Act,
        state: Option<&StreamState>,
        now: Timestamp,
    ) -> Result<Removed, Error> {
        self.session.client().batch_execute("SET LOCAL statement_timeout = 0").await?;
        let now = PgTimestamp(now);
        let key = state.and_then(|state| state.key);
        match act {
            Act::DeleteStream { stream, removal, .. } => {
                let hard = is_hard(*removal);
                let removed = self.run(&statements.delete_stream, &[&key, &hard, &now]).await?;
                if hard {
                    ask_one(self.session.client(), &statements.reset_followers, &[&stream.as_str()]).await?;
                }
                Ok(removed)
            }
            Act::TruncateStream { before, removal, .. } => {
                let version = state.map_or(0, |state| state.version.to_i64());
                let params: [Param<'_>; 4] = [&key, &version, &before.to_i64(), &is_hard(*removal)];
                self.run(&statements.truncate_stream, &params).await
            }
            Act::Archive { through } => self.run(&statements.archive_events, &[&through.to_i64()]).await,
            Act::ForgetSubject { subject } => {
                self.run(&statements.forget_subject, &[&subject.as_str(), &now]).await
            }
            _ => Ok(Removed::default()),
        }
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

fn is_hard(removal: Removal) -> bool {
    removal == Removal::Hard
}
