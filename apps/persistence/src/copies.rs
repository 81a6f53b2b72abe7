//! Copies of what a group appends, to hand over as recorded events once it is known what became of it.
//!
//! A copy shares texts and payloads with the append. What a reader would get in another form than it was written in is not
//! copied: neither an append with somebody's personal data, which the vault seals, nor one whose metadata holds floating
//! point numbers, which need not survive their decimal form to the last bit.

use serde_json::Value;
use umbel_core::{
    NewEvent, Position, RecordedEvent, StreamName, Timestamp, Version,
    store::{Append, AppendError, Appended, Stored, StreamAppend},
};

/// Of one group, an entry for each append; `None` where there is nothing to hand over.
pub(crate) struct Copies(Vec<Option<Copied>>);

struct Copied {
    streams: Vec<(StreamName, Vec<NewEvent>)>,
    recorded_at: Timestamp,
}

impl Copies {
    /// Of appends that are stored at this time.
    pub(crate) fn of(group: &[Append], now: Timestamp) -> Self {
        let copy = |append: &Append| {
            let events = || append.streams.iter().flat_map(|stream| &stream.events);
            let fit = !append.streams.is_empty() && events().all(reads_as_written);
            let recorded_at = append.recorded_at.unwrap_or(now);
            let streams = append.streams.iter();
            let copied =
                |StreamAppend { stream, events, .. }: &StreamAppend| (stream.clone(), events.clone());
            fit.then(|| Copied { streams: streams.map(copied).collect(), recorded_at })
        };
        Self(group.iter().map(copy).collect())
    }

    /// The events that these outcomes say were stored now, in order of positions; those that were not copied are missing.
    pub(crate) fn recorded(
        self,
        outcomes: &[Result<Appended, AppendError>],
    ) -> impl Iterator<Item = RecordedEvent> {
        let stored = |(copied, outcome): (Option<Copied>, &Result<Appended, AppendError>)| match outcome {
            Ok(appended) if appended.stored == Stored::Now => copied?.recorded(appended),
            _ => None,
        };
        self.0.into_iter().zip(outcomes).filter_map(stored).flatten()
    }
}

impl Copied {
    /// An append takes adjacent positions, and in each of its streams adjacent versions; the outcome tells the last of each.
    fn recorded(self, appended: &Appended) -> Option<Vec<RecordedEvent>> {
        let Self { streams, recorded_at } = self;
        let count = streams.iter().map(|(_, events)| events.len()).sum();
        let mut positions = up_to(appended.last_position?.get(), count)?.map(Position::new);
        let mut recorded = Vec::with_capacity(count);
        for ((stream, events), last) in streams.into_iter().zip(&appended.versions) {
            let versions = up_to(last.get(), events.len())?.map(Version::new);
            for (event, version) in events.into_iter().zip(versions) {
                let NewEvent { id, event_type, data, subject, tags, metadata } = event;
                let (position, stream) = (positions.next()?, stream.clone());
                recorded.push(RecordedEvent {
                    position,
                    stream,
                    version,
                    id,
                    event_type,
                    recorded_at,
                    data,
                    subject,
                    tags,
                    metadata,
                    linked_at: None,
                });
            }
        }
        Some(recorded)
    }
}

/// So many numbers, of which this is the last.
fn up_to(last: u64, count: usize) -> Option<impl Iterator<Item = u64>> {
    let before = last.checked_sub(count.try_into().ok()?)?;
    Some(before + 1..=last)
}

fn reads_as_written(event: &NewEvent) -> bool {
    event.subject.is_none() && !event.metadata.custom.values().any(holds_float)
}

fn holds_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(values) => values.iter().any(holds_float),
        Value::Object(values) => values.values().any(holds_float),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use umbel_core::{ExpectedVersion::Any, Subject};
    use umbel_testkit::conformance::Events;

    use super::*;

    fn recorded(group: &[Append], outcomes: &[Result<Appended, AppendError>]) -> Vec<(u64, String, u64)> {
        let recorded = Copies::of(group, Timestamp::from_micros(5)).recorded(outcomes);
        recorded.map(|event| (event.position.get(), event.stream.to_string(), event.version.get())).collect()
    }

    fn stored(last: u64, versions: &[u64]) -> Result<Appended, AppendError> {
        let versions = versions.iter().copied().map(Version::new).collect();
        Ok(Appended::now(Some(Position::new(last)), versions))
    }

    /// Positions go on from stream to stream of an append, versions within each.
    #[test]
    fn places_are_counted_back_from_the_last() {
        let events = Events::default();
        let mut both = events.append("a", Any, 2);
        both.streams.extend(events.append("b", Any, 1).streams);
        let group = [both, events.append("a", Any, 1)];
        let outcomes = [stored(12, &[7, 1]), stored(13, &[8])];
        let places = [(10, "a", 6), (11, "a", 7), (12, "b", 1), (13, "a", 8)];
        assert_eq!(
            recorded(&group, &outcomes),
            places.map(|(at, stream, version)| (at, stream.into(), version))
        );
    }

    /// What was refused, stored before, or comes back in another form is not there.
    #[test]
    fn only_what_was_stored_now_as_written_is_there() {
        let events = Events::default();
        let mut personal = events.append("a", Any, 1);
        personal.streams[0].events[0].subject = Some(Subject::new("person").unwrap());
        let mut inexact = events.append("a", Any, 1);
        inexact.streams[0].events[0].metadata.custom.insert("of".into(), serde_json::json!([{"x": 0.1}]));
        let group = [personal, inexact, events.append("a", Any, 1), events.append("a", Any, 1)];
        let before = stored(3, &[3]).map(Appended::again);
        let outcomes = [stored(1, &[1]), stored(2, &[2]), before, stored(9, &[4])];
        assert_eq!(recorded(&group, &outcomes), [(9, "a".to_owned(), 4)]);
        let refused = || Err(AppendError::StreamNotFound(StreamName::new("a").unwrap()));
        assert_eq!(recorded(&group, &[refused(), refused(), refused(), refused()]), []);
    }
}
