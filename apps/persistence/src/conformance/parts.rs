//! Pages whose first events are handed over while the others are read: cases of the port.

use std::sync::{Arc, Mutex, PoisonError};

use umbel_core::{
    ExpectedVersion, RecordedEvent, Timestamp,
    document::Direction,
    store::{Append, Parts, ReadAll, ReadError, ReadStream, Removal, Selector},
};
use umbel_testkit::conformance::{Events, archive, delete, link, position, stream, version};

use crate::Adapter;

const NOW: Timestamp = Timestamp::from_micros(1_769_860_800_000_000);

/// Takes parts.
#[derive(Clone, Default)]
pub(crate) struct Taken(Arc<Mutex<Vec<RecordedEvent>>>);

impl Taken {
    pub(crate) fn parts(&self) -> Parts {
        let taken = self.clone();
        Parts::new(move |events| taken.0.lock().unwrap_or_else(PoisonError::into_inner).extend(events))
    }

    /// What was handed over, and the rest.
    pub(crate) fn and(&self, rest: Vec<RecordedEvent>) -> Vec<RecordedEvent> {
        let mut all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        all.extend(rest);
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// RD-03, RD-04, LD-06: given a log of which a part is in the archive and a stream is gone, and streams of their own events and of
/// links, when a page is read in parts, then these and the rest are the page, from wherever and whichever way it is read, the
/// first time as well as when all names are known.
pub(super) async fn a_page_in_parts_is_the_page(adapter: impl Adapter) {
    let events = Events::default();
    let append = async |append: Append| adapter.append(vec![append], NOW).await.remove(0).unwrap();
    for _ in 0..3 {
        let kept = events.append("kept", ExpectedVersion::Any, 300);
        let linked: Vec<_> = kept.streams[0].events.iter().map(|event| event.id).collect();
        append(kept).await;
        append(events.append("gone", ExpectedVersion::Any, 150)).await;
        append(events.append("soft", ExpectedVersion::Any, 150)).await;
        adapter.link(link("list", ExpectedVersion::Any, &linked), NOW).await.unwrap();
    }
    for act in [archive(700), delete("gone", Removal::Hard), delete("soft", Removal::Soft)] {
        adapter.perform(events.perform(act), NOW).await.unwrap();
    }
    let ways = [Direction::Forward, Direction::Backward];
    for (direction, limit) in ways.into_iter().flat_map(|way| [(way, 1000), (way, 290)]) {
        for from in [None, Some(1), Some(650), Some(701), Some(5000)] {
            let selectors = [Selector::all(), Selector::categories(["kept"])];
            for selector in selectors {
                let request = ReadAll { from: from.map(position), direction, limit, selector };
                let whole = adapter.read_all(request.clone()).await.unwrap();
                let taken = Taken::default();
                let mut page = adapter.read_all_in_parts(request, taken.parts()).await.unwrap();
                page.events = taken.and(page.events);
                assert_eq!(page, whole, "{direction:?} from {from:?} by {limit}");
            }
            for name in ["kept", "list"] {
                let from = from.map(version);
                let request = ReadStream { stream: stream(name), from, direction, limit };
                let whole = adapter.read_stream(request.clone()).await.unwrap();
                let taken = Taken::default();
                let mut page = adapter.read_stream_in_parts(request, taken.parts()).await.unwrap();
                page.events = taken.and(page.events);
                assert_eq!(page, whole, "{name} {direction:?} from {from:?} by {limit}");
            }
            for (name, error) in [
                ("gone", ReadError::StreamNotFound(stream("gone"))),
                ("soft", ReadError::StreamDeleted(stream("soft"))),
            ] {
                let request = ReadStream { stream: stream(name), from: None, direction, limit };
                let taken = Taken::default();
                let read = adapter.read_stream_in_parts(request, taken.parts()).await;
                assert_eq!((read, taken.len()), (Err(error), 0), "{name} {direction:?}");
            }
        }
    }
}
