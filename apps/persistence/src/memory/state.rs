//! The log, claims, commands and checkpoints as plain collections.

use std::collections::HashMap;

use umbel_core::{
    CommandId, EventId, Position, RecordedEvent, StreamName, Timestamp, Version,
    document::Direction,
    store::{
        AllPage, Append, AppendError, Appended, ClaimName, ReadAll, ReadError, ReadStream, SaveProjection,
        SaveProjectionError, StreamInfo, StreamPage,
        plan::{EventPlace, Plan, PlannedEvent, StreamState, View, plan},
    },
};

use super::documents::Documents;

/// Everything the store holds.
#[derive(Debug, Default)]
pub(super) struct State {
    /// In position order: the event at position n is at index n - 1.
    log: Vec<RecordedEvent>,
    streams: HashMap<StreamName, Stream>,
    events: HashMap<EventId, EventPlace>,
    claims: HashMap<ClaimName, String>,
    commands: HashMap<CommandId, Appended>,
    checkpoints: HashMap<String, Position>,
    pub(super) documents: Documents,
}

#[derive(Debug)]
struct Stream {
    /// Indexes into the log: the event of version n is at n - 1.
    events: Vec<usize>,
    created_at: Timestamp,
}

impl State {
    pub(super) fn head(&self) -> Position {
        Position::new(count(self.log.len()))
    }

    pub(super) fn append(&mut self, group: &[Append], now: Timestamp) -> Vec<Result<Appended, AppendError>> {
        let mut plan = plan(self.view(group), group);
        let head = self.head();
        let outcomes = std::mem::take(&mut plan.outcomes);
        self.write(plan, now);
        outcomes.into_iter().map(|outcome| outcome.map(|planned| planned.at(head))).collect()
    }

    pub(super) fn read_stream(&self, request: &ReadStream) -> Result<StreamPage, ReadError> {
        let stream = self.stream(&request.stream)?;
        let from = request.from.map(Version::get);
        let events = page(&stream.events, from, request.direction, request.limit)
            .filter_map(|&index| self.log.get(index).cloned())
            .collect();
        Ok(StreamPage { events, version: stream.version() })
    }

    pub(super) fn read_all(&self, request: &ReadAll) -> AllPage {
        let head = self.head();
        let wanted = |event: &&RecordedEvent| {
            let name = event.event_type.name.as_ref();
            request.names.as_ref().is_none_or(|names| names.iter().any(|wanted| wanted == name))
        };
        let from = request.from.map(Position::get);
        let events: Vec<_> = page(&self.log, from, request.direction, u32::MAX)
            .filter(wanted)
            .take(size(request.limit))
            .cloned()
            .collect();
        let last = events.last().map(|event| event.position);
        let before = Position::new(from.unwrap_or(0).saturating_sub(1));
        // A full page may have left matching events behind its last one.
        let is_full = events.len() == size(request.limit);
        let upto = request.from.map_or(head, |from| from.min(head));
        let scanned_to = match request.direction {
            Direction::Backward if is_full => last.unwrap_or(upto.next()),
            Direction::Backward => Position::START.next().min(upto),
            Direction::Forward if is_full => last.unwrap_or(before),
            Direction::Forward => head.max(before),
        };
        AllPage { events, scanned_to, head }
    }

    pub(super) fn stream_info(&self, name: &StreamName) -> Result<StreamInfo, ReadError> {
        let stream = self.stream(name)?;
        Ok(StreamInfo {
            stream: name.clone(),
            version: stream.version(),
            created_at: stream.created_at,
            deleted_at: None,
        })
    }

    pub(super) fn find_command(&self, id: CommandId) -> Option<Appended> {
        self.commands.get(&id).cloned()
    }

    pub(super) fn checkpoint(&self, projection: &str) -> Position {
        self.checkpoints.get(projection).copied().unwrap_or(Position::START)
    }

    pub(super) fn save_projection(&mut self, request: SaveProjection) -> Result<(), SaveProjectionError> {
        let actual = self.checkpoint(&request.projection);
        if actual != request.expected {
            return Err(SaveProjectionError::CheckpointMoved { actual });
        }
        self.checkpoints.insert(request.projection, request.position);
        for collection in &request.clear {
            self.documents.clear(collection);
        }
        for write in &request.writes {
            self.documents.write(write);
        }
        Ok(())
    }

    fn stream(&self, name: &StreamName) -> Result<&Stream, ReadError> {
        self.streams.get(name).ok_or_else(|| ReadError::StreamNotFound(name.clone()))
    }

    /// What the planner may ask about this group.
    fn view(&self, group: &[Append]) -> View {
        let mut view = View::default();
        for append in group {
            for stream in &append.streams {
                if let Some(state) = self.streams.get(&stream.stream) {
                    let state = StreamState { key: None, version: state.version(), deleted: false };
                    view.streams.insert(stream.stream.clone(), state);
                }
                for event in &stream.events {
                    view.events.extend(self.events.get(&event.id).map(|place| (event.id, place.clone())));
                }
            }
            for claim in append.claims.take.iter().chain(&append.claims.release) {
                view.claims.extend(self.claims.get(claim).map(|owner| (claim.clone(), owner.clone())));
            }
            if let Some(command) = &append.command {
                view.commands.extend(self.find_command(command.id).map(|before| (command.id, before)));
            }
        }
        view
    }

    fn write(&mut self, plan: Plan<'_>, now: Timestamp) {
        let head = self.head();
        for planned in &plan.events {
            let Some(change) = plan.streams.get(planned.stream) else { continue };
            self.record(change.stream.clone(), planned, now);
        }
        for change in plan.claims {
            match change.after {
                Some(owner) => self.claims.insert(change.claim, owner),
                None => self.claims.remove(&change.claim),
            };
        }
        for write in plan.documents {
            self.documents.write(write);
        }
        for (command, last_offset) in plan.commands {
            let last_position = last_offset.map(|offset| head.plus(offset));
            let repeated = Some(command.reply.clone());
            self.commands.insert(command.id, Appended { last_position, versions: Vec::new(), repeated });
        }
    }

    fn record(&mut self, stream: StreamName, planned: &PlannedEvent<'_>, now: Timestamp) {
        let PlannedEvent { version, event, .. } = *planned;
        let recorded_at = planned.recorded_at.unwrap_or(now);
        let position = self.head().next();
        self.events.insert(event.id, EventPlace { stream: stream.clone(), version, position });
        let row = self.streams.entry(stream.clone());
        row.or_insert_with(|| Stream { events: Vec::new(), created_at: recorded_at })
            .events
            .push(self.log.len());
        self.log.push(RecordedEvent {
            position,
            stream,
            version,
            id: event.id,
            event_type: event.event_type.clone(),
            recorded_at,
            data: event.data.clone(),
            metadata: event.metadata.clone(),
        });
    }
}

impl Stream {
    fn version(&self) -> Version {
        Version::new(count(self.events.len()))
    }
}

/// The part of `places` that begins at the place `from` (1 for the first) and goes in that direction.
fn page<T>(
    places: &[T],
    from: Option<u64>,
    direction: Direction,
    limit: u32,
) -> Box<dyn Iterator<Item = &T> + '_> {
    let index = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
    match direction {
        Direction::Forward => {
            let skip = index(from.unwrap_or(1).saturating_sub(1));
            Box::new(places.iter().skip(skip).take(size(limit)))
        }
        Direction::Backward => {
            let upto = from.map_or(places.len(), index);
            Box::new(places.iter().take(upto).rev().take(size(limit)))
        }
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
