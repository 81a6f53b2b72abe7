//! What upkeep shares with the writer: a look under the log's lock, and one append that ends the transaction.

use tokio_postgres::{Client, Error};
use umbel_core::{
    Position, Timestamp,
    store::{
        Append,
        plan::{View, plan},
    },
};

use super::{Held, Session};
use crate::postgres::writer::kinds::Kinds;

impl Session {
    /// The connection, for statements between [`Session::begin`] and [`Session::finish`].
    pub(in crate::postgres) fn client(&self) -> &Client {
        &self.client
    }

    /// Begins a transaction, takes the log's lock and reads everything about an append under it; the log's head and that.
    pub(in crate::postgres) async fn begin(&self, about: &Append) -> Result<(Position, View), Error> {
        let (mark, seen) = self.lock_and_look(&[about]).await?;
        Ok((Position::from_i64(mark.head), seen.view))
    }

    /// Stores an append that must succeed as the last step of the transaction, and commits; the position of its last
    /// event. The view must still be true of its streams.
    pub(in crate::postgres) async fn finish(
        &self,
        append: &Append,
        view: View,
        now: Timestamp,
    ) -> Result<Position, Error> {
        // What was done since the look counts as a change to streams.
        let log = self.lock_log.ask_one(&self.client, &[]).await?;
        let (head, revision): (i64, i64) = (log.get("position"), log.get("revision"));
        let plan = plan(view, [append]);
        let kinds = Kinds::default().of(&plan);
        let base = self.write(&plan, &kinds, Some(head), revision, now, Held::Locked).await?;
        Ok(Position::from_i64(base.position).plus(plan.event_count()))
    }
}
