//! The pure core of Umbel: the words every other crate speaks.
//!
//! Owns the vocabulary (streams, versions, positions, events, metadata), the three kinds of message
//! (command, query, event), what a domain author writes (aggregates, projections, documents), the store
//! protocol as plain data, and the one decision the store makes: which appends of a group succeed.
//!
//! Promises: no IO, no clock, no randomness, no async, no actors. Whatever needs time or fresh ids is given
//! them through a [`Context`]. The same input gives the same output, always.

// What is derived speaks of this crate by its name, here, too.
extern crate self as umbel_core;

pub mod aggregate;
pub mod boundary;
pub mod document;
pub mod event;
mod event_name;
pub mod id;
pub mod json;
pub mod message;
pub mod metadata;
mod names;
pub mod payload;
pub mod personal;
pub mod process_manager;
pub mod projection;
pub mod schedule;
pub mod store;
pub mod stream;
pub mod subscription;
pub mod tables;
pub mod tags;
pub mod time;
pub mod version;
pub mod waiting;

pub use aggregate::{
    After, Aggregate, CommandSet, CommandVisitor, Context, Decide, Decision, Gap, Gaps, Happening, Lifespan,
    Snapshots, Steps,
};
pub use boundary::Boundary;
pub use document::{Changes, Document};
pub use event::{
    DecodeError, Decoded, EncodedEvent, Event, EventSet, EventType, Lineage, NewEvent, Old, RecordedEvent,
    Upcast, UpcastFailure, Upcaster,
};
pub use event_name::EventName;
pub use id::{CommandId, EventId};
pub use json::Json;
pub use message::{Command, Notice, Query, Request};
pub use metadata::{Metadata, MetadataError};
pub use names::NameError;
pub use payload::{Payload, PayloadError};
pub use personal::{Personal, Subject};
pub use process_manager::{Cue, ProcessManager, Reaction, Route};
pub use projection::{Failing, Mode, Projection};
pub use stream::{Category, StreamName, StreamNameError};
pub use tables::{Sql, Table};
pub use tags::{Tag, TagItem, TagQuery, Tags};
pub use time::Timestamp;
pub use version::{ExpectedVersion, Place, Position, Version};
pub use waiting::CommandUpcaster;
