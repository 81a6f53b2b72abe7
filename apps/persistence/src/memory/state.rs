//! Everything the store holds, as plain collections.

use std::collections::{BTreeMap, HashMap};

use umbel_core::{
    CommandId, EventId, NewEvent, Position, RecordedEvent, StreamName, Subject, Timestamp,
    store::{
        Appended, ClaimName, Generation, KeptNotice, Snapshot, Waiting,
        plan::{EventPlace, StreamState},
    },
    subscription::SubscriptionName,
};
use uuid::Uuid;

use super::{
    documents::Documents,
    stream::Stream,
    subscriptions::{Past, Subscription},
};
use crate::adapter::SubjectKey;

/// A command that was carried out.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) appended: Appended,
    pub(super) recorded_at: Timestamp,
    pub(super) for_good: bool,
}

/// All of it. Each side of the port has its methods in the file of its name.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The log, archive included. A removed event leaves a hole.
    pub(super) events: BTreeMap<Position, RecordedEvent>,
    /// The last position ever given.
    pub(super) head: Position,
    /// The archive is no other place here, only a mark: events up to it count as archived.
    pub(super) archived_to: Position,
    /// Where each event of the log is.
    pub(super) positions: HashMap<EventId, Position>,
    pub(super) streams: BTreeMap<StreamName, Stream>,
    pub(super) claims: BTreeMap<ClaimName, String>,
    pub(super) commands: HashMap<CommandId, Recorded>,
    pub(super) documents: Documents,
    pub(super) checkpoints: HashMap<String, Position>,
    /// By checkpoint. Their positions are those of the checkpoints.
    pub(super) generations: BTreeMap<String, Generation>,
    /// By collection: which generation readers get.
    pub(super) served: HashMap<String, Generation>,
    pub(super) subjects: HashMap<Subject, SubjectKey>,
    pub(super) snapshots: BTreeMap<StreamName, Snapshot>,
    /// Entries that wait, by number.
    pub(super) outbox: BTreeMap<u64, Waiting>,
    /// The last number ever given.
    pub(super) outbox_head: u64,
    pub(super) subscriptions: BTreeMap<SubscriptionName, Subscription>,
    /// Of names that subscriptions have given up, should there be one of that name again.
    pub(super) past: HashMap<SubscriptionName, Past>,
    /// In the order of their list.
    pub(super) notices: BTreeMap<(Timestamp, Uuid), KeptNotice>,
}

impl State {
    /// Puts an event behind the last one of the log and of its stream, which begins if it is not there.
    pub(super) fn record(&mut self, name: &StreamName, event: NewEvent, recorded_at: Timestamp) -> Position {
        let position = self.head.next();
        let stream = self.streams.entry(name.clone()).or_insert_with(|| Stream::new(recorded_at));
        let NewEvent { id, event_type, data, subject, tags, metadata } = event;
        let recorded = RecordedEvent {
            position,
            stream: name.clone(),
            version: stream.add(position),
            id,
            event_type,
            recorded_at,
            data,
            subject,
            tags,
            metadata,
            linked_at: None,
        };
        self.positions.insert(id, position);
        self.events.insert(position, recorded);
        self.head = position;
        position
    }

    pub(super) fn find(&self, id: EventId) -> Option<&RecordedEvent> {
        self.events.get(self.positions.get(&id)?)
    }

    pub(super) fn place(&self, id: EventId) -> Option<EventPlace> {
        let RecordedEvent { stream, version, position, .. } = self.find(id)?;
        Some(EventPlace { stream: stream.clone(), version: *version, position: *position })
    }

    pub(super) fn stream_state(&self, name: &StreamName) -> Option<StreamState> {
        self.streams.get(name).map(Stream::state)
    }

    pub(super) fn checkpoint(&self, projection: &str) -> Position {
        self.checkpoints.get(projection).copied().unwrap_or(Position::START)
    }
}
