//! Single events, commands, and the log as a whole.

use umbel_core::{
    CommandId, EventId, Position, RecordedEvent,
    store::{Appended, StoreError, StoreStatus},
};

use super::{Reader, rows::Columns};
use crate::postgres::writer::recorded_command;

impl Reader {
    pub(in crate::postgres) async fn find_event(
        &self,
        id: EventId,
    ) -> Result<Option<RecordedEvent>, StoreError> {
        let columns = Columns { first: 0, linked_at: None };
        let rows = self.query_events(&self.statements.find_event, &[&id.0], columns, self.room()).await?;
        Ok(self.named(rows.events).await?.pop())
    }

    pub(in crate::postgres) async fn find_command(
        &self,
        id: CommandId,
    ) -> Result<Option<Appended>, StoreError> {
        let rows = self.query(&self.statements.find_commands, &[&vec![id.0]]).await?;
        Ok(rows.first().map(|row| recorded_command(row).1))
    }

    pub(in crate::postgres) async fn status(&self) -> Result<StoreStatus, StoreError> {
        let rows = self.query(&self.statements.status, &[]).await?;
        let place = |column| Position::from_i64(rows.first().map_or(0, |row| row.get(column)));
        Ok(StoreStatus {
            adapter: "postgres",
            location: self.target.place().to_owned(),
            head: place("position"),
            archived_to: place("archived_to"),
        })
    }
}
