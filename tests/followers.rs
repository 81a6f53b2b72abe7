//! Readers that follow the log while two processes write to it at full speed: never a gap, never a swap.
//!
//! `UMBEL_TEST_LONG=1` runs it for a minute instead of seconds (`make soak`).

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use umbel_bus::{Bus, edge};
use umbel_core::{
    EventId, ExpectedVersion, Metadata, NewEvent, Payload, Position, RecordedEvent, StreamName, Version,
    document::Direction,
    store::{Append, ReadAll, ReadStream, Selector, StreamAppend},
};

use crate::support::{PATIENCE, Store, StorePlace, with_store};

const PROCESSES: u64 = 2;
/// Writers in each process: enough to fill groups.
const WRITERS: u64 = 24;
const STREAMS: u64 = 6;
/// The events that one reader selects; the others pass it by.
const SELECTED: &str = "follow.selected";
const OTHER: &str = "follow.other";
/// What a process appends to each stream when it has done writing.
const ENDED: &str = "follow.ended";

/// What one process does.
#[derive(Debug, Serialize, Deserialize)]
struct Following {
    place: StorePlace,
    /// How long it writes.
    milliseconds: u64,
}

/// What one process has seen, as a line of its output.
#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    wrote: u64,
    events: u64,
    selected: usize,
    of_stream: usize,
    pages: [u64; 4],
}

/// UX-03: writers in two processes at full speed, readers in both: by pages of the log, by type, by pages of a stream.
#[test]
fn two_processes_at_full_speed_show_no_gap_and_no_swap() {
    let store = Store::postgres();
    follow_two_processes(store.place(".".as_ref()));
}

/// UX-03 on one SQLite file: nobody tells the other process of an append there; it looks.
#[test]
fn two_processes_on_one_file_show_no_gap_and_no_swap() {
    let directory = tempfile::tempdir().unwrap();
    follow_two_processes(Store::Sqlite.place(directory.path()));
}

#[track_caller]
fn follow_two_processes(place: StorePlace) {
    let long = std::env::var("UMBEL_TEST_LONG").is_ok_and(|long| long == "1");
    let milliseconds = if long { 60_000 } else { 3_000 };
    let following = Following { place, milliseconds };
    let children: Vec<_> = (0..PROCESSES).map(|_| spawn(&following)).collect();
    let seen: Vec<Seen> = children.into_iter().map(seen_by).collect();
    for one in &seen {
        println!("{one:?}");
    }
    let wrote: u64 = seen.iter().map(|one| one.wrote).sum();
    println!("{wrote} events in {milliseconds} ms: {} a second", wrote * 1000 / milliseconds);
    assert!(seen.iter().all(|one| one.events == wrote), "every reader saw every event: {seen:?}");
    assert!(seen.iter().all(|one| one.wrote > 100 && one.selected > 10 && one.of_stream > 10), "{seen:?}");
}

fn spawn(following: &Following) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["followers::following_process", "--exact", "--ignored", "--nocapture"])
        .env("UMBEL_TEST_FOLLOWING", serde_json::to_string(following).unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn seen_by(child: Child) -> Seen {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let line = text.lines().find_map(|line| line.split_once("seen=")).expect("it says what it has seen");
    serde_json::from_str(line.1).unwrap()
}

/// The process that the test above starts twice.
#[test]
#[ignore = "a part of another test, run by it as a process"]
fn following_process() {
    let following = std::env::var("UMBEL_TEST_FOLLOWING").expect("started by its test");
    let following: Following = serde_json::from_str(&following).unwrap();
    let until = Instant::now() + Duration::from_millis(following.milliseconds);
    let seen = with_store(&following.place, async |bus| {
        let readers = (
            actix::spawn(follow_all(bus.clone(), 97, Selector::all())),
            actix::spawn(follow_all(bus.clone(), 1000, Selector::all())),
            actix::spawn(follow_all(bus.clone(), 500, Selector::names([SELECTED, ENDED]))),
            actix::spawn(follow_stream(bus.clone(), stream(1))),
        );
        let writers: Vec<_> = (0..WRITERS).map(|one| actix::spawn(write(bus.clone(), one, until))).collect();
        let mut wrote = 0;
        for writer in writers {
            wrote += writer.await.unwrap();
        }
        let streams = (0..STREAMS).map(|number| one_event(stream(number), ENDED)).collect();
        bus.store().append(Append { streams, ..Append::default() }).await.unwrap();
        // As long again as it wrote, and some: they may be far behind.
        let patience = Duration::from_millis(following.milliseconds) + PATIENCE;
        let (short, all, selected, of_stream) =
            timeout(patience, async { tokio::join!(readers.0, readers.1, readers.2, readers.3) })
                .await
                .expect("the readers reach the end");
        let [short, all, selected, of_stream] = [short, all, selected, of_stream].map(Result::unwrap);
        assert!(short.places == all.places, "two readers of the log saw something else");
        let expected = all.places.iter().filter(|place| place.kind != Kind::Other).copied();
        assert!(expected.eq(selected.places.iter().copied()), "the selected events are not those of the log");
        let expected = all.places.iter().filter(|place| place.stream == 1).copied();
        assert!(
            expected.eq(of_stream.places.iter().copied()),
            "the stream's events are not those of the log"
        );
        let readers = [&short, &all, &selected, &of_stream];
        Seen {
            wrote: wrote + STREAMS,
            events: all.places.len() as u64,
            selected: selected.places.len(),
            of_stream: of_stream.places.len(),
            pages: readers.map(|reader| reader.pages),
        }
    });
    println!("\nseen={}", serde_json::to_string(&seen).unwrap());
}

/// Appends as fast as it is answered; how many events.
async fn write(bus: Bus, writer: u64, until: Instant) -> u64 {
    let mut wrote = 0;
    for number in writer.. {
        if Instant::now() >= until {
            break;
        }
        let event_type = if number % 3 == 0 { SELECTED } else { OTHER };
        let mut streams = vec![one_event(stream(number % STREAMS), event_type)];
        if number % 5 == 0 {
            streams.push(one_event(stream((number + 1) % STREAMS), OTHER));
        }
        wrote += streams.len() as u64;
        bus.store().append(Append { streams, ..Append::default() }).await.unwrap();
    }
    wrote
}

fn stream(number: u64) -> StreamName {
    StreamName::new(format!("follow-{number}")).unwrap()
}

fn one_event(stream: StreamName, event_type: &str) -> StreamAppend {
    let event = NewEvent {
        id: EventId(edge::fresh_id()),
        event_type: format!("{event_type}/1").parse().unwrap(),
        data: Payload::json("").unwrap(),
        subject: None,
        tags: umbel_core::Tags::none(),
        metadata: Metadata::default(),
    };
    StreamAppend::new(stream, ExpectedVersion::Any, vec![event])
}

/// What a reader has seen, in the order in which it saw it.
#[derive(Default)]
struct Reader {
    places: Vec<Place>,
    pages: u64,
    ended: u64,
}

/// An event, as far as readers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    position: u64,
    version: u64,
    stream: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Selected,
    Ended,
    Other,
}

impl Reader {
    fn see(&mut self, event: &RecordedEvent) {
        let before = self.places.last().map_or(0, |place| place.position);
        assert!(event.position.get() > before, "{} came after {before}", event.position);
        let kind = match &*event.event_type.name {
            SELECTED => Kind::Selected,
            ENDED => Kind::Ended,
            _ => Kind::Other,
        };
        self.ended += u64::from(kind == Kind::Ended);
        let stream = event.stream.id().parse().unwrap();
        let (position, version) = (event.position.get(), event.version.get());
        self.places.push(Place { position, version, stream, kind });
    }
}

/// Follows the log from its beginning until all processes have ended.
async fn follow_all(bus: Bus, limit: u32, selector: Selector) -> Reader {
    let (mut reader, mut at) = (Reader::default(), Position::START);
    let mut versions = vec![0; usize::try_from(STREAMS).unwrap()];
    let mut head = bus.head();
    while reader.ended < PROCESSES * STREAMS {
        head.mark_unchanged();
        let request = ReadAll {
            from: Some(at.next()),
            direction: Direction::Forward,
            limit,
            selector: selector.clone(),
        };
        let page = bus.store().read_all(request).await.unwrap();
        reader.pages += 1;
        for event in &page.events {
            reader.see(event);
            assert!(
                event.position <= page.scanned_to && page.scanned_to <= page.head,
                "beyond the page's end"
            );
            if selector.is_all() {
                let place = reader.places.last().unwrap();
                assert_eq!(place.position, reader.places.len() as u64, "a gap in the log");
                let version = &mut versions[usize::try_from(place.stream).unwrap()];
                *version += 1;
                assert_eq!(place.version, *version, "a gap in stream {}", place.stream);
            }
        }
        if page.scanned_to <= at {
            head.changed().await.unwrap();
        }
        at = page.scanned_to.max(at);
    }
    reader
}

/// Follows one stream from its beginning until all processes have ended.
async fn follow_stream(bus: Bus, stream: StreamName) -> Reader {
    let mut reader = Reader::default();
    let mut head = bus.head();
    while reader.ended < PROCESSES {
        head.mark_unchanged();
        let seen = Version::new(reader.places.len() as u64);
        let (stream, from) = (stream.clone(), Some(seen.next()));
        let request = ReadStream { stream, from, direction: Direction::Forward, limit: 200 };
        let events = bus.store().read_stream(request).await.map_or(Vec::new(), |page| page.events);
        reader.pages += 1;
        for event in &events {
            reader.see(event);
            assert_eq!(event.version.get(), reader.places.len() as u64, "a gap in the stream");
        }
        if events.is_empty() {
            head.changed().await.unwrap();
        }
    }
    reader
}
