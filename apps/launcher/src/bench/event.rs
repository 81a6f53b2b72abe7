//! What is written and read: events of about 200 bytes as JSON.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use umbel_bus::edge::fresh_id;
use umbel_core::{Event, EventId, Metadata, NewEvent, RecordedEvent};

/// The data of every event here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    stream: Cow<'static, str>,
    number: u64,
    author: Cow<'static, str>,
    title: Cow<'static, str>,
    body: Cow<'static, str>,
}

/// The usual kind.
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(name = "bench.posted")]
#[serde(transparent)]
pub(super) struct Posted(Entry);

/// The rare kind: one in [`MARKED_EVERY`].
#[derive(Debug, Serialize, Deserialize, Event)]
#[event(name = "bench.marked")]
#[serde(transparent)]
pub(super) struct Marked(Entry);

umbel_core::events! {
    /// Everything in the log of a bench.
    pub(super) enum Logged { Posted(Posted), Marked(Marked) }
}

/// How rare the rare kind is within its stream.
pub(super) const MARKED_EVERY: u64 = 100;

/// How many kinds a log may have that share the turns of the rare one.
pub(super) const SELDOM: u64 = 100;

const BODY: &str =
    "The entries of a log, in order, each with its place: what was said stays said, to be read again later.";

impl Logged {
    /// Its data.
    pub(super) fn entry(self) -> Entry {
        match self {
            Self::Posted(Posted(entry)) | Self::Marked(Marked(entry)) => entry,
        }
    }
}

impl Entry {
    fn of(stream: &str, number: u64) -> Self {
        Self {
            stream: Cow::Owned(stream.to_owned()),
            number,
            author: Cow::Borrowed("ada@example.org"),
            title: Cow::Borrowed("On keeping a log"),
            body: Cow::Borrowed(BODY),
        }
    }
}

/// The event of this number in a stream, of the usual kind.
pub(super) fn posted(stream: &str, number: u64) -> anyhow::Result<NewEvent> {
    recorded_soon(&Posted(Entry::of(stream, number)))
}

/// The event of this number in a stream, of the usual kind or, where it is its turn, the rare one.
pub(super) fn logged(stream: &str, number: u64) -> anyhow::Result<NewEvent> {
    if number.is_multiple_of(MARKED_EVERY) {
        recorded_soon(&Marked(Entry::of(stream, number)))
    } else {
        posted(stream, number)
    }
}

/// The names of the seldom kinds.
pub(super) fn seldom() -> impl Iterator<Item = String> {
    (0..SELDOM).map(|kind| format!("bench.seldom_{kind}"))
}

/// The event of this number in the stream of that number, of the usual kind or, where it is its turn, of one of the seldom ones. These
/// come after each other.
pub(super) fn seldom_logged(stream: u64, name: &str, number: u64) -> anyhow::Result<NewEvent> {
    let mut event = posted(name, number)?;
    if number.is_multiple_of(MARKED_EVERY) {
        let kind = (stream + number / MARKED_EVERY) % SELDOM;
        event.event_type = format!("bench.seldom_{kind}/1").parse()?;
    }
    Ok(event)
}

/// Makes the typed value of an event of any kind here, and drops it.
pub(super) fn decode_any(event: &RecordedEvent) -> anyhow::Result<()> {
    std::hint::black_box(event.data.decode::<Posted>()?);
    Ok(())
}

/// Makes the typed value of an event's data, and drops it.
pub(super) fn decode(data: &[u8]) -> bool {
    std::hint::black_box(serde_json::from_slice::<Posted>(data)).is_ok()
}

fn recorded_soon(event: &impl Event) -> anyhow::Result<NewEvent> {
    let id = fresh_id();
    Ok(NewEvent::of(EventId(id), event, Metadata::correlated(id).caused_by(id))?)
}

#[cfg(test)]
mod tests {
    use umbel_core::EventSet;

    use super::*;

    #[test]
    fn an_event_is_about_200_bytes() {
        let size = posted("bench-123", 45).unwrap().data.len_bytes();
        assert!((190..=210).contains(&size), "{size}");
    }

    #[test]
    fn one_in_a_hundred_is_marked() {
        let kinds = (1..=1000)
            .map(|number| logged("a-1", number).unwrap())
            .map(|event| Logged::decode(&event.event_type, &event.data).unwrap().expect("it is of the set"));
        assert_eq!(kinds.filter(|event| matches!(event, Logged::Marked(_))).count(), 10);
    }

    #[test]
    fn one_in_a_hundred_is_of_a_seldom_kind_and_all_of_these_are_there() {
        let events = (0..100).flat_map(|stream| (1..=1000).map(move |number| (stream, number)));
        let mut kinds: Vec<_> = events
            .map(|(stream, number)| seldom_logged(stream, "a-1", number).unwrap().event_type.name)
            .filter(|name| **name != *Posted::NAME)
            .map(|name| name.to_string())
            .collect();
        assert_eq!(kinds.len(), 1000);
        kinds.sort_unstable();
        kinds.dedup();
        let mut all: Vec<_> = seldom().collect();
        all.sort_unstable();
        assert_eq!(kinds, all);
    }
}
