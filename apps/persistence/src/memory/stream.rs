//! One stream: which events stand in it, and where.

use std::collections::BTreeMap;

use umbel_core::{
    Position, StreamName, Timestamp, Version,
    document::Direction,
    store::{StreamInfo, plan::StreamState},
};

/// A stream as it is kept.
#[derive(Debug)]
pub(super) struct Stream {
    /// What stands at each version: the position of an event of its own, or of one it links to.
    pub(super) places: BTreeMap<Version, Position>,
    /// The last version ever given; it stays when what stood there is removed.
    pub(super) version: Version,
    /// How many of its versions hold nothing any more, because acts of upkeep removed what stood there.
    pub(super) removed: u64,
    /// What stands below is not shown.
    pub(super) first_version: Version,
    pub(super) created_at: Timestamp,
    pub(super) deleted_at: Option<Timestamp>,
}

impl Stream {
    pub(super) const fn new(created_at: Timestamp) -> Self {
        Self {
            places: BTreeMap::new(),
            version: Version::START,
            removed: 0,
            first_version: Version::START.next(),
            created_at,
            deleted_at: None,
        }
    }

    /// Puts an event behind the last one; its version here.
    pub(super) fn add(&mut self, position: Position) -> Version {
        self.version = self.version.next();
        self.places.insert(self.version, position);
        self.version
    }

    pub(super) fn holds(&self, position: Position) -> bool {
        self.places.values().any(|held| *held == position)
    }

    /// What is shown, beginning at a version and going in that direction.
    pub(super) fn shown(
        &self,
        from: Option<Version>,
        direction: Direction,
    ) -> Box<dyn Iterator<Item = (Version, Position)> + '_> {
        let first = self.first_version;
        let places = match direction {
            Direction::Forward => {
                let from = from.unwrap_or(first).max(first);
                return Box::new(self.places.range(from..).map(|(at, position)| (*at, *position)));
            }
            Direction::Backward => self.places.range(..=from.unwrap_or(Version::MAX)).rev(),
        };
        Box::new(places.map(|(at, position)| (*at, *position)).take_while(move |(at, _)| *at >= first))
    }

    /// What the planner must know of it.
    pub(super) const fn state(&self) -> StreamState {
        StreamState { key: None, version: self.version, deleted: self.deleted_at.is_some() }
    }

    pub(super) fn info(&self, name: &StreamName) -> StreamInfo {
        StreamInfo {
            stream: name.clone(),
            version: self.version,
            first_version: self.first_version,
            created_at: self.created_at,
            deleted_at: self.deleted_at,
        }
    }
}
