//! What a store must answer to appends that come one after the other: the planner over plain maps.

use umbel_core::{
    EventId, Position, StreamName, Version,
    store::{
        Append, AppendError, Appended,
        plan::{EventPlace, StreamState, View, plan},
    },
};

/// A store without a database, a time or a reader.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    view: View,
    /// Stream, version and id of each event, in log order.
    pub(super) log: Vec<(StreamName, Version, EventId)>,
}

impl Oracle {
    pub(super) fn version(&self, stream: &StreamName) -> Version {
        self.view.streams.get(stream).map_or(Version::START, |state| state.version)
    }

    pub(super) fn append(&mut self, append: &Append) -> Result<Appended, AppendError> {
        let mut plan = plan(self.view.clone(), [append]);
        let head = Position::new(self.log.len().try_into().unwrap());
        for change in &plan.streams {
            let state = StreamState { key: None, version: change.to, deleted: false };
            self.view.streams.insert(change.stream.clone(), state);
        }
        for (offset, planned) in (1..).zip(&plan.events) {
            let stream = plan.streams[planned.stream].stream.clone();
            let (id, version) = (planned.event.id, planned.version);
            self.log.push((stream.clone(), version, id));
            let place = EventPlace { stream, version, position: head.plus(offset) };
            self.view.events.insert(id, place);
        }
        for change in plan.claims {
            match change.after {
                Some(owner) => self.view.claims.insert(change.claim, owner),
                None => self.view.claims.remove(&change.claim),
            };
        }
        for (record, last_offset) in plan.commands {
            let last_position = last_offset.map(|offset| head.plus(offset));
            let repeated = Some(record.reply.clone());
            self.view.commands.insert(record.id, Appended { last_position, versions: Vec::new(), repeated });
        }
        plan.outcomes.remove(0).map(|planned| planned.at(head))
    }
}
