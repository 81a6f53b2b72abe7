//! The log: reading it, its streams, and what there is to know of them.

use std::{cmp::Ordering, ops::Bound};

use futures_util::future::BoxFuture;
use umbel_core::{
    CommandId, EventId, Position, RecordedEvent, StreamName, Timestamp, Version,
    document::Direction,
    store::{
        AllPage, Append, AppendError, Appended, Claim, ClaimName, ListClaims, ListStreams, ReadAll,
        ReadError, ReadStream, StoreError, StoreStatus, StreamInfo, StreamList, StreamPage, StreamPlace,
        StreamSort,
    },
};

use super::{Memory, count, size, state::State};
use crate::{adapter::Log, page::Room};

impl Log for Memory {
    fn append(
        &self,
        group: Vec<Append>,
        now: Timestamp,
    ) -> BoxFuture<'_, Vec<Result<Appended, AppendError>>> {
        Box::pin(async move { self.state().append(&group, now) })
    }

    fn read_stream(&self, request: ReadStream) -> BoxFuture<'_, Result<StreamPage, ReadError>> {
        Box::pin(async move { self.state().read_stream(&request, Room::new(self.page_max_bytes)) })
    }

    fn read_all(&self, request: ReadAll) -> BoxFuture<'_, Result<AllPage, StoreError>> {
        Box::pin(async move { Ok(self.state().read_all(&request, Room::new(self.page_max_bytes))) })
    }

    fn find_event(&self, id: EventId) -> BoxFuture<'_, Result<Option<RecordedEvent>, StoreError>> {
        Box::pin(async move { Ok(self.state().find(id).cloned()) })
    }

    fn stream_info(&self, stream: StreamName) -> BoxFuture<'_, Result<StreamInfo, ReadError>> {
        Box::pin(async move { self.state().stream_info(&stream) })
    }

    fn list_streams(&self, request: ListStreams) -> BoxFuture<'_, Result<StreamList, StoreError>> {
        Box::pin(async move { Ok(self.state().list_streams(&request)) })
    }

    fn list_claims(&self, request: ListClaims) -> BoxFuture<'_, Result<Vec<Claim>, StoreError>> {
        Box::pin(async move { Ok(self.state().list_claims(request)) })
    }

    fn find_command(&self, id: CommandId) -> BoxFuture<'_, Result<Option<Appended>, StoreError>> {
        Box::pin(async move { Ok(self.state().commands.get(&id).map(|command| command.appended.clone())) })
    }

    fn status(&self) -> BoxFuture<'_, Result<StoreStatus, StoreError>> {
        Box::pin(async move {
            let State { head, archived_to, .. } = *self.state();
            Ok(StoreStatus { adapter: "memory", location: "this process".into(), head, archived_to })
        })
    }
}

impl State {
    fn read_stream(&self, request: &ReadStream, mut room: Room) -> Result<StreamPage, ReadError> {
        let name = &request.stream;
        let stream = self.streams.get(name).ok_or_else(|| ReadError::StreamNotFound(name.clone()))?;
        if stream.deleted_at.is_some() {
            return Err(ReadError::StreamDeleted(name.clone()));
        }
        let read = |(at, position): (Version, Position)| {
            let event = self.events.get(&position)?.clone();
            let linked_at = (event.stream != *name).then_some(at);
            Some(RecordedEvent { linked_at, ..event })
        };
        let shown = stream.shown(request.from, request.direction);
        let events = shown.filter_map(read).take(size(request.limit));
        let events = events.take_while(|event| room.takes(event.len_bytes())).collect();
        Ok(StreamPage { events, version: stream.version })
    }

    fn read_all(&self, request: &ReadAll, mut room: Room) -> AllPage {
        let &ReadAll { from, direction, limit, ref selector } = request;
        let log: Box<dyn Iterator<Item = &RecordedEvent>> = match direction {
            Direction::Forward => {
                Box::new(self.events.range(from.unwrap_or_default()..).map(|(_, event)| event))
            }
            Direction::Backward => {
                Box::new(self.events.range(..=from.unwrap_or(Position::MAX)).rev().map(|(_, event)| event))
            }
        };
        let wanted = log.filter(|event| selector.matches(event));
        let wanted = wanted.take(size(limit)).take_while(|event| room.takes(event.len_bytes()));
        let events: Vec<_> = wanted.cloned().collect();
        let scanned_to = self.scanned_to(request, &events, room);
        AllPage { events, scanned_to, head: self.head }
    }

    /// How far one look at the log came: to its end, unless the page was full before.
    fn scanned_to(&self, request: &ReadAll, page: &[RecordedEvent], room: Room) -> Position {
        let is_full = room.is_full() || page.len() == size(request.limit);
        let last = page.last().map(|event| event.position);
        match request.direction {
            Direction::Forward if is_full => {
                let before = request.from.map_or(0, |from| from.get().saturating_sub(1));
                last.unwrap_or(Position::new(before).min(self.head))
            }
            Direction::Forward => self.head,
            Direction::Backward if is_full => {
                last.unwrap_or(request.from.unwrap_or(self.head).min(self.head).next())
            }
            Direction::Backward => Position::START.next().min(self.head),
        }
    }

    fn stream_info(&self, name: &StreamName) -> Result<StreamInfo, ReadError> {
        if *name == StreamName::all() {
            return Ok(self.log_info());
        }
        let stream = self.streams.get(name).ok_or_else(|| ReadError::StreamNotFound(name.clone()))?;
        Ok(stream.info(name))
    }

    fn log_info(&self) -> StreamInfo {
        let first = self.events.values().next();
        StreamInfo {
            stream: StreamName::all(),
            version: Version::new(self.head.get()),
            first_version: Version::new(1),
            created_at: first.map_or(Timestamp::from_micros(0), |event| event.recorded_at),
            deleted_at: None,
        }
    }

    fn list_claims(&self, request: ListClaims) -> Vec<Claim> {
        let ListClaims { scope, after, limit } = request;
        let begin = match (&scope, after) {
            (None, None) => Bound::Unbounded,
            (None, Some(after)) => Bound::Excluded(after),
            (Some(scope), None) => Bound::Included(ClaimName::new(scope, "")),
            (Some(scope), Some(after)) => Bound::Excluded(ClaimName { scope: scope.clone(), ..after }),
        };
        let behind = self.claims.range((begin, Bound::Unbounded));
        let wanted = behind.take_while(|(name, _)| scope.as_ref().is_none_or(|scope| name.scope == *scope));
        let claim = |(name, owner): (&ClaimName, &String)| Claim { name: name.clone(), owner: owner.clone() };
        wanted.map(claim).take(size(limit)).collect()
    }

    fn list_streams(&self, request: &ListStreams) -> StreamList {
        let ListStreams { sort, direction, behind, .. } = request;
        if *sort == StreamSort::Version && behind.is_some() {
            return StreamList { streams: Vec::new(), total: None };
        }
        let search = request.search.as_deref().unwrap_or_default();
        let by_way = |order: Ordering| if *direction == Direction::Forward { order } else { order.reverse() };
        let compare = |a: &StreamPlace, b: &StreamPlace| {
            // The living behind all that were ever deleted.
            by_way((a.at.is_none(), a.at, &a.stream).cmp(&(b.at.is_none(), b.at, &b.stream)))
        };
        let streams = self.streams.iter().map(|(name, stream)| stream.info(name));
        let mut found: Vec<_> = std::iter::once(self.log_info())
            .chain(streams)
            .filter(|info| info.stream.as_str().contains(search))
            .filter(|info| {
                request.category.as_ref().is_none_or(|category| info.stream.category().0 == category)
            })
            .filter(|info| behind.as_ref().is_none_or(|place| compare(&sort.place(info), place).is_gt()))
            .collect();
        found.sort_by(|a, b| match sort {
            StreamSort::Version => by_way((a.version, &a.stream).cmp(&(b.version, &b.stream))),
            _ => compare(&sort.place(a), &sort.place(b)),
        });
        let total = behind.is_none().then(|| count(found.len()));
        let streams = found.into_iter().skip(size(request.offset)).take(size(request.limit)).collect();
        StreamList { streams, total }
    }
}
