//! Snapshots: a state at a version, so that a long stream need not be folded from its start.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    json::{Json, JsonError},
    message::Request,
    store::StoreError,
    stream::StreamName,
    time::Timestamp,
    version::Version,
};

/// A state that can be kept as a snapshot.
///
/// Leave [`Personal`](crate::Personal) values in it as they are. A state that takes them out is forgotten with its subjects, too,
/// but one of before that could be kept again afterwards.
pub trait State: Serialize + DeserializeOwned {
    /// Stable name.
    const NAME: &'static str;
    /// Version of the shape, from 1. Raise it when the shape, or what folding leads to, changes: snapshots of other versions
    /// are then left aside.
    const SCHEMA: u32 = 1;
}

/// The state of one stream as of a version. The store keeps one for each stream.
///
/// If events up to that version have a subject, the state is kept encrypted, by the keys of all their subjects. So once one of
/// them is forgotten there is no snapshot any more, and the stream is folded from its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Whose state.
    pub stream: StreamName,
    /// The last event that is in it.
    pub version: Version,
    /// Name of the state.
    pub state: String,
    /// Version of its shape.
    pub schema: u32,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The state.
    pub data: Json,
}

/// Reads the snapshot of a stream.
#[derive(Clone, Debug)]
pub struct LoadSnapshot {
    /// Whose.
    pub stream: StreamName,
}

/// Keeps a snapshot unless there is one of a newer version. One of the same version is replaced. One beyond the last version of its
/// stream, or of none, is not kept: the stream was removed for good since. Nor is any once somebody was forgotten whose events the
/// stream holds: it may be of the time before. Answers whether it was kept.
#[derive(Clone, Debug)]
pub struct SaveSnapshot(
    /// The snapshot.
    pub Snapshot,
);

/// Removes the snapshot of a stream. Answers whether there was one.
#[derive(Clone, Debug)]
pub struct DeleteSnapshot {
    /// Whose.
    pub stream: StreamName,
}

/// Lists snapshots by the names of their streams.
#[derive(Clone, Debug)]
pub struct ListSnapshots {
    /// Only streams behind this one, bytewise.
    pub after: Option<StreamName>,
    /// How many at most; the store's own page limit applies too.
    pub limit: u32,
}

/// A snapshot that this program cannot use. Its stream is folded from the start instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It is of another state or shape. The body was not looked at.
    #[error("the snapshot of {stream} holds {found}, not {wanted}")]
    OtherState {
        /// Whose snapshot.
        stream: StreamName,
        /// Its header.
        found: String,
        /// What this program can read.
        wanted: String,
    },
    /// The body is not what the header says.
    #[error("the snapshot of {stream} cannot be read: {reason}")]
    Malformed {
        /// Whose snapshot.
        stream: StreamName,
        /// What is wrong.
        reason: JsonError,
    },
}

impl Snapshot {
    /// Takes a snapshot.
    ///
    /// # Errors
    /// When the state has no JSON form.
    pub fn of<S: State>(
        stream: StreamName,
        version: Version,
        state: &S,
        taken_at: Timestamp,
    ) -> Result<Self, JsonError> {
        let data = Json::encode(state)?;
        Ok(Self { stream, version, state: S::NAME.to_owned(), schema: S::SCHEMA, taken_at, data })
    }

    /// The state; the header is checked before the body is decoded.
    ///
    /// # Errors
    /// When it is of another state or shape, or damaged.
    pub fn decode<S: State>(&self) -> Result<S, SnapshotError> {
        if self.state != S::NAME || self.schema != S::SCHEMA {
            return Err(SnapshotError::OtherState {
                stream: self.stream.clone(),
                found: format!("{}/{}", self.state, self.schema),
                wanted: format!("{}/{}", S::NAME, S::SCHEMA),
            });
        }
        let malformed = |reason| SnapshotError::Malformed { stream: self.stream.clone(), reason };
        self.data.decode().map_err(malformed)
    }
}

impl Request for LoadSnapshot {
    const NAME: &'static str = "store.load_snapshot";
    type Answer = Option<Snapshot>;
    type Error = StoreError;
}

impl Request for SaveSnapshot {
    const NAME: &'static str = "store.save_snapshot";
    type Answer = bool;
    type Error = StoreError;
}

impl Request for DeleteSnapshot {
    const NAME: &'static str = "store.delete_snapshot";
    type Answer = bool;
    type Error = StoreError;
}

impl Request for ListSnapshots {
    const NAME: &'static str = "store.list_snapshots";
    type Answer = Vec<Snapshot>;
    type Error = StoreError;
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Balance(i64);
    impl State for Balance {
        const NAME: &'static str = "bank.balance";
        const SCHEMA: u32 = 2;
    }

    /// The header decides before the body is looked at: a body that is no JSON at all is not even noticed.
    #[test]
    fn the_header_is_checked_before_the_body() {
        let stream = StreamName::new("account-1").unwrap();
        let now = Timestamp::from_micros(0);
        let snapshot = Snapshot::of(stream, Version::new(3), &Balance(7), now).unwrap();
        assert_eq!(snapshot.decode::<Balance>(), Ok(Balance(7)));
        let broken = Snapshot { data: Json::from_store("{"), ..snapshot };
        assert!(matches!(broken.decode::<Balance>(), Err(SnapshotError::Malformed { .. })));
        for other in
            [Snapshot { schema: 1, ..broken.clone() }, Snapshot { state: "bank.other".into(), ..broken }]
        {
            assert!(matches!(other.decode::<Balance>(), Err(SnapshotError::OtherState { .. })));
        }
    }
}
