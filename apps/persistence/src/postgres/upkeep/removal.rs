//! Removals for good: a step each time, as [`umbel_core::store::Removing`] says. Where one has come to is kept in the table `removals`.

use tokio_postgres::{Client, Error, Row};
use umbel_core::{
    Timestamp, Version,
    store::{Perform, Removing, StoreError, plan::StreamState},
};

use super::Upkeeper;
use crate::postgres::{
    reader::Reader,
    sql::Statements,
    statement::{ask, ask_one},
    types::PgTimestamp,
};

impl Reader {
    /// What the removals that are under way were asked for.
    pub(super) async fn removals(&self) -> Result<Vec<Perform>, StoreError> {
        let rows = self.query(&self.statements().list_removals, &[]).await?;
        rows.iter().map(request).collect()
    }
}

/// What is being removed of a stream, or under the id of an act.
pub(super) async fn find(
    upkeeper: &Upkeeper,
    client: &Client,
    stream: Option<i64>,
    request: &Perform,
) -> Result<Vec<Removing>, StoreError> {
    let asked = ask(client, &upkeeper.statements.find_removals, &[&stream, &request.id.0]).await;
    asked.map_err(|error| upkeeper.explain(&error))?.iter().map(removing).collect()
}

/// Marks the stream, which was found so.
pub(super) async fn begin(
    client: &Client,
    statements: &Statements,
    request: &Perform,
    state: &StreamState,
    now: Timestamp,
) -> Result<Result<Removing, StoreError>, Error> {
    let mut removing = Removing::begin(request.clone(), state);
    let text = match serde_json::to_string(request) {
        Ok(text) => text,
        Err(error) => return Ok(Err(StoreError::Failed { reason: error.to_string() })),
    };
    let (whole, now) = (request.act.ends_stream(), PgTimestamp(now));
    let (version, before) = (state.version.to_i64(), removing.before.to_i64());
    let row = ask_one(
        client,
        &statements.begin_removal,
        &[&state.key, &version, &before, &whole, &request.id.0, &text, &now],
    )
    .await?;
    removing.took(Version::from_i64(row.get("next_version")), 0, 0);
    Ok(Ok(removing))
}

/// Takes the next step of what is not through.
pub(super) async fn step(
    client: &Client,
    statements: &Statements,
    stream: Option<i64>,
    removing: &mut Removing,
    room: u32,
) -> Result<(), Error> {
    let versions = removing.step(room);
    let (from, upto, room) = (versions.start.to_i64(), versions.end.to_i64(), i64::from(room.max(1)));
    let row = ask_one(client, &statements.remove_step, &[&stream, &from, &upto, &room]).await?;
    removing.took(Version::from_i64(row.get("next_version")), count(&row, "events"), count(&row, "links"));
    Ok(())
}

/// Ends one that is through.
pub(super) async fn end(
    client: &Client,
    statements: &Statements,
    stream: Option<i64>,
    removing: &Removing,
) -> Result<(), Error> {
    let act = &removing.request.act;
    ask_one(client, &statements.end_removal, &[&stream, &act.ends_stream()]).await?;
    if let Some(name) = act.stream().filter(|_| act.ends_stream()) {
        ask_one(client, &statements.reset_followers, &[&name.as_str()]).await?;
    }
    Ok(())
}

fn removing(row: &Row) -> Result<Removing, StoreError> {
    let version = |column| Version::from_i64(row.get(column));
    Ok(Removing {
        request: request(row)?,
        next: version("next_version"),
        before: version("before_version"),
        events: count(row, "events"),
        links: count(row, "links"),
    })
}

fn request(row: &Row) -> Result<Perform, StoreError> {
    serde_json::from_str(row.get("request")).map_err(|error| StoreError::Corrupt {
        reason: format!(
            "the request of a removal that is under way cannot be read: {error}; run `umbel store verify`"
        ),
    })
}

fn count(row: &Row, column: &str) -> u64 {
    u64::try_from(row.get::<_, i64>(column)).unwrap_or(0)
}
