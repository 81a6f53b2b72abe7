//! An independent look at the log: is it what the invariants say?

use std::collections::{HashMap, HashSet};

use umbel_core::{
    Position, RecordedEvent, StreamName, Version,
    document::Direction,
    store::{ReadAll, ReadStream, Selector},
};

use super::StoreUnderTest;

/// Events per page. Small, so that the cases cross page borders.
const PAGE: u32 = 100;

/// Checks a whole log: positions contiguous from 1, versions of each stream contiguous from 1, ids unique.
///
/// # Errors
/// Says which event breaks which rule.
pub fn check_log(events: &[RecordedEvent]) -> Result<(), String> {
    check_log_with_holes(events, &[])?;
    let mut versions: HashMap<&StreamName, Version> = HashMap::new();
    for event in events {
        let version = versions.entry(&event.stream).or_default();
        *version = version.next();
        if event.version != *version {
            let (stream, found, position) = (&event.stream, event.version, event.position);
            return Err(format!("at position {position}, {stream} has version {found}, not {version}"));
        }
    }
    Ok(())
}

/// Checks a log from which something was removed, or whose streams hold links: positions run from 1 and only those of
/// the holes are missing, versions of each stream rise, ids are unique.
///
/// # Errors
/// Says which event breaks which rule.
pub fn check_log_with_holes(events: &[RecordedEvent], holes: &[u64]) -> Result<(), String> {
    let mut position = Position::START;
    let mut versions: HashMap<&StreamName, Version> = HashMap::new();
    let mut ids = HashSet::new();
    for event in events {
        position = position.next();
        while holes.contains(&position.get()) {
            position = position.next();
        }
        if event.position != position {
            return Err(format!("position {} stands where {position} belongs", event.position));
        }
        let before = versions.insert(&event.stream, event.version).unwrap_or_default();
        if event.version <= before {
            let (stream, found) = (&event.stream, event.version);
            return Err(format!("at position {position}, {stream} has version {found} after {before}"));
        }
        if !ids.insert(event.id) {
            return Err(format!("at position {position}, event id {} comes again", event.id));
        }
    }
    Ok(())
}

/// The whole log, page by page, checked by [`check_log`].
///
/// # Panics
/// When the store cannot be read, or the log breaks a rule.
pub async fn read_log<S: StoreUnderTest>(store: &S) -> Vec<RecordedEvent> {
    let events = read_log_matching(store, &Selector::all(), PAGE).await;
    assert_eq!(check_log(&events), Ok(()));
    events
}

/// The whole log, page by page, checked by [`check_log_with_holes`].
///
/// # Panics
/// When the store cannot be read, or the log breaks a rule.
pub async fn read_log_with_holes<S: StoreUnderTest>(store: &S, holes: &[u64]) -> Vec<RecordedEvent> {
    let events = read_log_matching(store, &Selector::all(), PAGE).await;
    assert_eq!(check_log_with_holes(&events, holes), Ok(()));
    events
}

/// The log's events that are selected, read forward by pages of `limit`.
///
/// # Panics
/// When the store cannot be read, or a page breaks its promises.
pub async fn read_log_matching<S: StoreUnderTest>(
    store: &S,
    selector: &Selector,
    limit: u32,
) -> Vec<RecordedEvent> {
    let mut events = Vec::new();
    let mut scanned_to = Position::START;
    loop {
        let from = Some(scanned_to.next());
        let request = ReadAll { from, direction: Direction::Forward, limit, selector: selector.clone() };
        let page = store.read_all(request).await.unwrap();
        assert!(page.events.len() <= limit.try_into().unwrap(), "more events than asked for");
        assert!(page.scanned_to <= page.head, "what is beyond the head was not looked at");
        assert!(page.events.iter().all(|event| event.position > scanned_to), "a page began too early");
        assert!(page.events.iter().all(|event| event.position <= page.scanned_to), "scanned_to is too low");
        events.extend(page.events);
        if page.scanned_to >= page.head {
            return events;
        }
        assert!(page.scanned_to > scanned_to, "a page before the head led nowhere");
        scanned_to = page.scanned_to;
    }
}

/// The log's events that are selected, read backward by pages of `limit`: the last one first.
///
/// # Panics
/// When the store cannot be read, or a page breaks its promises.
pub async fn read_log_backward<S: StoreUnderTest>(
    store: &S,
    selector: &Selector,
    limit: u32,
) -> Vec<RecordedEvent> {
    let (mut events, mut from, mut below) = (Vec::new(), None, Position::MAX);
    loop {
        let request = ReadAll { from, direction: Direction::Backward, limit, selector: selector.clone() };
        let page = store.read_all(request).await.unwrap();
        assert!(page.events.len() <= limit.try_into().unwrap(), "more events than asked for");
        assert!(page.scanned_to < below, "a page led nowhere");
        let range = page.scanned_to..below;
        assert!(page.events.iter().all(|event| range.contains(&event.position)), "out of {range:?}");
        events.extend(page.events);
        if page.scanned_to <= Position::START.next() {
            return events;
        }
        below = page.scanned_to;
        from = Some(Position::new(below.get() - 1));
    }
}

/// What a stream shows, read forward page by page.
///
/// # Panics
/// When it cannot be read, or its versions do not rise.
pub async fn read_whole_stream<S: StoreUnderTest>(store: &S, name: &StreamName) -> Vec<RecordedEvent> {
    let (mut events, mut from) = (Vec::new(), None);
    loop {
        let request = ReadStream { stream: name.clone(), from, direction: Direction::Forward, limit: PAGE };
        let page = store.read_stream(request).await.unwrap();
        let Some(last) = page.events.last() else { return events };
        from = Some(last.version_read().next());
        events.extend(page.events);
        assert!(events.is_sorted_by(|a, b| a.version_read() < b.version_read()), "versions do not rise");
    }
}

#[cfg(test)]
mod tests {
    use umbel_core::Timestamp;

    use super::*;
    use crate::conformance::{Events, position, stream, version};

    fn log() -> Vec<RecordedEvent> {
        let events = Events::default();
        let places = [(1, "a", 1), (2, "b", 1), (3, "a", 2)];
        let recorded = |(at, name, number)| {
            let event = events.one();
            RecordedEvent {
                position: position(at),
                stream: stream(name),
                version: version(number),
                id: event.id,
                event_type: event.event_type,
                recorded_at: Timestamp::from_micros(0),
                data: event.data,
                subject: None,
                tags: umbel_core::Tags::none(),
                metadata: event.metadata,
                linked_at: None,
            }
        };
        places.map(recorded).into()
    }

    #[test]
    fn a_healthy_log_passes() {
        assert_eq!(check_log(&[]), Ok(()));
        assert_eq!(check_log(&log()), Ok(()));
    }

    #[test]
    fn every_broken_rule_is_seen() {
        let mut gap = log();
        gap.remove(0);
        assert!(check_log(&gap).unwrap_err().contains("position 2"));
        let mut swap = log();
        swap.swap(0, 1);
        assert!(check_log(&swap).is_err());
        let mut versions = log();
        versions[2].version = version(3);
        assert!(check_log(&versions).unwrap_err().contains("version 3, not 2"));
        let mut ids = log();
        ids[2].id = ids[0].id;
        assert!(check_log(&ids).unwrap_err().contains("comes again"));
    }

    #[test]
    fn only_the_holes_may_be_missing() {
        let mut holed = log();
        holed.remove(1);
        assert_eq!(check_log_with_holes(&holed, &[2]), Ok(()));
        assert!(check_log_with_holes(&holed, &[]).is_err());
        assert!(check_log_with_holes(&log(), &[2]).is_err());
        holed[1].version = version(1);
        assert!(check_log_with_holes(&holed, &[2]).unwrap_err().contains("version 1 after 1"));
    }
}
