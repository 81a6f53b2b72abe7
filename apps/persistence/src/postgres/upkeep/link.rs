//! Linking events to a stream.

use std::collections::HashMap;

use futures_util::future;
use tokio_postgres::Error;
use umbel_core::{
    EventId, Timestamp, Version,
    store::{Append, LinkError, LinkEvents, plan::StreamState},
};
use uuid::Uuid;

use super::{Begun, Connection, Slot, Upkeeper};
use crate::postgres::types::PgTimestamp;

/// An event that was asked for and is in the log.
struct Found {
    position: i64,
    /// Whether the target holds it already.
    held: bool,
}

impl Upkeeper {
    pub(super) async fn link(
        &self,
        mut slot: Slot,
        request: LinkEvents,
        now: Timestamp,
    ) -> Result<Version, LinkError> {
        let about = Append::to_stream(request.stream.clone(), request.expected, Vec::new());
        let Begun { connection, view, .. } = self.begin(&mut slot, &about).await?;
        let found = connection.find_linkable(&request).await.map_err(|error| self.explain(&error))?;
        let target = view.streams.get(&request.stream);
        let held = |id| found.get(&id).is_some_and(|found| found.held);
        if let Err(refusal) = request.check(target, |id| found.contains_key(&id), held) {
            self.release(&mut slot, connection).await;
            return Err(refusal);
        }
        let positions: Vec<i64> =
            request.events.iter().filter_map(|id| found.get(id)).map(|found| found.position).collect();
        let added = connection.add_links(&request, target, &positions, now).await;
        added.map_err(|error| self.target.explain_write(&error))?;
        *slot = Some(connection);
        let links = u64::try_from(positions.len()).unwrap_or(u64::MAX);
        Ok(Version::new(target.map_or(0, |target| target.version.get()).saturating_add(links)))
    }
}

impl Connection {
    async fn find_linkable(&self, request: &LinkEvents) -> Result<HashMap<EventId, Found>, Error> {
        let ids: Vec<Uuid> = request.events.iter().map(|id| id.0).collect();
        let client = self.session.client();
        let rows = self.find_linkable.ask(client, &[&ids, &request.stream.as_str()]).await?;
        let found =
            |row: &tokio_postgres::Row| Found { position: row.get("position"), held: row.get("held") };
        Ok(rows.iter().map(|row| (EventId(row.get("event_id")), found(row))).collect())
    }

    /// Writes links behind the last version, and commits.
    async fn add_links(
        &self,
        request: &LinkEvents,
        target: Option<&StreamState>,
        positions: &[i64],
        now: Timestamp,
    ) -> Result<(), Error> {
        let key = target.and_then(|target| target.key);
        let version = target.map_or(0, |target| target.version.to_i64());
        let now = PgTimestamp(now);
        let client = self.session.client();
        // After an error in the first the server refuses the second, and rolls back.
        let (added, committed) = future::join(
            self.add_links.ask(client, &[&key, &request.stream.as_str(), &version, &positions, &now]),
            client.batch_execute("COMMIT"),
        )
        .await;
        added.and(committed)
    }
}
