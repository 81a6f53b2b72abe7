//! The log: appending and reading.
//!
//! Events that were archived are in a table of their own; every read looks there first, or last when it goes backward.

mod closing;
mod kinds;
mod known;
mod list;
mod listing;
mod range;
mod read_all;
mod read_stream;
mod rows;
mod selection;
mod span;
mod spans;
mod state;
mod tags;
mod view;
mod walk;
mod write;

use futures_util::future::BoxFuture;
use umbel_core::{
    CommandId, EventId, RecordedEvent, StreamName, Timestamp,
    store::{
        AllPage, Append, AppendError, Appended, Claim, ListClaims, ListStreams, ReadAll, ReadError,
        ReadStream, StoreError, StoreStatus, StreamInfo, StreamList, StreamPage,
    },
};

pub(super) use self::{
    closing::Contents,
    kinds::Kinds,
    known::KnownStreams,
    listing::{Offsets, unlist},
    rows::read_event,
    span::Span,
    state::{LogRow, StreamRow, find_stream, log},
    view::{Ids, find_event},
    write::{append, append_within},
};
#[cfg(test)]
pub(super) use self::{selection::Selection, write::try_append};
use super::Sqlite;
use crate::{
    adapter::{Exchanged, Log},
    page::Room,
};

impl Log for Sqlite {
    fn append(
        &self,
        group: Vec<Append>,
        now: Timestamp,
    ) -> BoxFuture<'_, Vec<Result<Appended, AppendError>>> {
        Box::pin(async move {
            let count = group.len();
            match self.write(move |writer| append(writer, &group, now)).await {
                Ok(outcomes) => outcomes,
                Err(error) => vec![Err(error.into()); count],
            }
        })
    }

    fn read_stream(&self, request: ReadStream) -> BoxFuture<'_, Result<StreamPage, ReadError>> {
        let room = Room::new(self.page_max_bytes);
        Box::pin(async move {
            self.read(move |connection| read_stream::read_stream(connection, &request, room)).await?
        })
    }

    fn read_all(&self, request: ReadAll) -> BoxFuture<'_, Result<AllPage, StoreError>> {
        let room = Room::new(self.page_max_bytes);
        Box::pin(self.read(move |connection| read_all::read_all(connection, &request, room)))
    }

    fn find_event(&self, id: EventId) -> BoxFuture<'_, Result<Option<RecordedEvent>, StoreError>> {
        Box::pin(self.read(move |connection| read_event(&*connection.transaction()?, id)))
    }

    fn stream_info(&self, stream: StreamName) -> BoxFuture<'_, Result<StreamInfo, ReadError>> {
        Box::pin(async move { self.read(move |connection| state::stream_info(connection, &stream)).await? })
    }

    fn list_streams(&self, request: ListStreams) -> BoxFuture<'_, Result<StreamList, StoreError>> {
        Box::pin(self.read(move |connection| list::list_streams(connection, &request)))
    }

    fn list_claims(&self, request: ListClaims) -> BoxFuture<'_, Result<Vec<Claim>, StoreError>> {
        Box::pin(self.read(move |connection| list::list_claims(connection, &request)))
    }

    fn find_command(&self, id: CommandId) -> BoxFuture<'_, Result<Option<Appended>, StoreError>> {
        Box::pin(self.read(move |connection| view::find_command(connection, id)))
    }

    fn status(&self) -> BoxFuture<'_, Result<StoreStatus, StoreError>> {
        Box::pin(async move {
            let LogRow { head, archived_to } = self.read(|connection| log(connection)).await?;
            let location = self.path.display().to_string();
            Ok(StoreStatus { adapter: "sqlite", location, head, archived_to })
        })
    }

    fn exchanged(&self) -> BoxFuture<'_, Option<Exchanged>> {
        let opened = self.opened.clone();
        Box::pin(async move { self.read(move |_| Ok(opened.exchanged())).await.ok().flatten() })
    }
}
