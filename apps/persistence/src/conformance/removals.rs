//! Removals for good between two of their steps, each of two places: cases of the port for the stores that take several.

use umbel_core::{
    EventId,
    ExpectedVersion::{Any, NoStream},
    Metadata, Position, RecordedEvent, StreamName, Timestamp,
    document::Direction,
    store::{
        Act, ActRecord, Append, AppendError, LinkError, Perform, PerformError, Performed, ReadAll, ReadError,
        ReadStream, Removal, Selector, Step,
    },
};
use umbel_testkit::conformance::{Events, archive, delete, exact, link, position, stream, truncate, version};

use crate::Adapter;

const NOW: Timestamp = Timestamp::from_micros(1_769_860_800_000_000);

async fn append(adapter: &impl Adapter, append: Append) -> Result<Vec<EventId>, AppendError> {
    let ids = append.streams[0].events.iter().map(|event| event.id).collect();
    adapter.append(vec![append], NOW).await.remove(0).map(|_| ids)
}

/// As an operator asks for it.
fn asked(events: &Events, act: Act) -> Perform {
    Perform { metadata: Metadata::default().with("by", "grace").with("share", 0.1), ..events.perform(act) }
}

/// The log by small pages, as a follower reads it: each page leads on, whatever is missing.
async fn log(adapter: &impl Adapter) -> Vec<RecordedEvent> {
    let (mut log, mut at) = (Vec::new(), Position::START);
    loop {
        let (direction, selector) = (Direction::Forward, Selector::all());
        let page = ReadAll { from: Some(at.next()), direction, limit: 2, selector };
        let page = adapter.read_all(page).await.unwrap();
        assert!(page.scanned_to > at || page.head == at, "it leads nowhere behind {at}");
        log.extend(page.events);
        at = page.scanned_to;
        if at >= page.head {
            return log;
        }
    }
}

fn of<'a>(log: &'a [RecordedEvent], name: &str) -> Vec<&'a RecordedEvent> {
    log.iter().filter(|event| event.stream == stream(name)).collect()
}

fn audited(log: &[RecordedEvent]) -> Vec<(EventId, Metadata, ActRecord)> {
    let records = log.iter().filter(|event| event.stream == StreamName::audit());
    records.map(|event| (event.id, event.metadata.clone(), event.data.decode().unwrap())).collect()
}

async fn versions(adapter: &impl Adapter, name: &str) -> Result<Vec<u64>, ReadError> {
    let request = ReadStream { stream: stream(name), from: None, direction: Direction::Forward, limit: 99 };
    let page = adapter.read_stream(request).await?;
    Ok(page.events.iter().map(|event| event.version_read().get()).collect())
}

/// Takes steps until it is done; how many that were, and what it did. After each but the last, this holds.
async fn take_steps(
    adapter: &impl Adapter,
    request: &Perform,
    mut between: impl AsyncFnMut(usize),
) -> (usize, Performed) {
    for steps in 1.. {
        match adapter.perform_step(request.clone(), NOW).await.unwrap() {
            Step::Done(performed) => return (steps, performed),
            Step::More => between(steps).await,
            Step::After(other) => panic!("it waits for {other:?}"),
        }
        assert_eq!(adapter.verify().await, Ok(vec![]), "after step {steps}");
        assert_eq!(adapter.removals().await, Ok(vec![request.clone()]));
        assert_eq!(adapter.find_event(request.id).await, Ok(None), "it is recorded when it is done");
    }
    unreachable!()
}

/// LD-07: given a long stream that is hard-deleted, when a step is through, then the stream is closed, what is not gone yet cannot be
/// linked, others take appends, and who follows the log sees all that is not gone; at the end it is recorded once with all that went.
pub(super) async fn a_removal_goes_step_by_step(adapter: impl Adapter) {
    let (adapter, events) = (&adapter, Events::default());
    let mut gone = Vec::new();
    for round in 0..3 {
        let two = Append::to_stream(
            stream("gone"),
            exact(round * 2),
            vec![events.one(), umbel_core::NewEvent { tags: umbel_core::Tags::of("t", 1), ..events.one() }],
        );
        gone.extend(append(adapter, two).await.unwrap());
        append(adapter, events.append("kept", Any, 1)).await.unwrap();
    }
    adapter.link(link("list", NoStream, &[gone[1], gone[5]]), NOW).await.unwrap();
    adapter.perform(events.perform(archive(4)), NOW).await.unwrap();
    let request = asked(&events, delete("gone", Removal::Hard));
    let closed = || stream("gone");
    let (steps, performed) = take_steps(adapter, &request, async |step| {
        assert_eq!(versions(adapter, "gone").await, Err(ReadError::StreamDeleted(closed())));
        for expected in [Any, NoStream, exact(6)] {
            let refused = append(adapter, events.append("gone", expected, 1)).await;
            assert_eq!(refused, Err(AppendError::StreamDeleted(closed())));
        }
        let to_it = adapter.link(link("gone", Any, &[gone[5]]), NOW).await;
        assert_eq!(to_it, Err(LinkError::Append(AppendError::StreamDeleted(closed()))));
        let of_it = adapter.link(link("other", Any, &[gone[5]]), NOW).await;
        assert_eq!(of_it, Err(LinkError::EventNotFound { id: gone[5] }));
        for act in [delete("gone", Removal::Soft), truncate("gone", 2, Removal::Hard)] {
            let refused = adapter.perform_step(events.perform(act), NOW).await;
            assert_eq!(refused, Err(PerformError::StreamDeleted(closed())));
        }
        append(adapter, events.append("kept", Any, 1)).await.unwrap();
        let log = log(adapter).await;
        let left: Vec<_> = of(&log, "gone").iter().map(|event| event.version.get()).collect();
        let step = u64::try_from(step).unwrap();
        assert_eq!(left, (step * 2 + 1..=6).collect::<Vec<_>>());
        assert_eq!(of(&log, "kept").len() as u64, 3 + step);
        let info = adapter.stream_info(closed()).await.unwrap();
        assert_eq!((info.version, info.deleted_at.is_some()), (version(6), true));
    })
    .await;
    assert_eq!((steps, performed.events, performed.links), (3, 6, 2));
    assert_eq!(adapter.removals().await, Ok(vec![]));
    assert_eq!(adapter.perform_step(request.clone(), NOW).await, Ok(Step::Done(performed)));
    let log = log(adapter).await;
    assert_eq!(of(&log, "gone").len(), 0);
    let record = ActRecord { act: request.act.clone(), events: 6, links: 2 };
    assert_eq!(audited(&log)[1..], [(request.id, request.metadata, record)]);
    assert_eq!(versions(adapter, "list").await, Ok(vec![]));
    append(adapter, events.append("gone", NoStream, 1)).await.unwrap();
    assert_eq!(adapter.verify().await, Ok(vec![]));
}

/// LD-07: given a long beginning of a stream that is truncated for good, when a step is through, then none of it is shown in the stream,
/// which takes appends as before.
pub(super) async fn a_truncation_goes_step_by_step(adapter: impl Adapter) {
    let (adapter, events) = (&adapter, Events::default());
    let ids = append(adapter, events.append("s", NoStream, 6)).await.unwrap();
    let request = asked(&events, truncate("s", 6, Removal::Hard));
    let (steps, performed) = take_steps(adapter, &request, async |step| {
        let last = 5 + u64::try_from(step).unwrap();
        assert_eq!(versions(adapter, "s").await, Ok((6..=last).collect()));
        append(adapter, events.append("s", exact(last), 1)).await.unwrap();
        let going = adapter.link(link("other", Any, &[ids[4]]), NOW).await;
        assert_eq!(going, Err(LinkError::EventNotFound { id: ids[4] }));
        assert_eq!(of(&log(adapter).await, "s").len(), 6 - step);
    })
    .await;
    assert_eq!((steps, performed.events, performed.links), (3, 5, 0));
    assert_eq!(versions(adapter, "s").await, Ok(vec![6, 7, 8]));
    adapter.link(link("other", NoStream, &ids[5..]), NOW).await.unwrap();
    assert_eq!(adapter.verify().await, Ok(vec![]));
}

/// LD-07: however many links lead to one event, and however many a stream holds, no step takes more than it may.
pub(super) async fn many_links_go_step_by_step(adapter: impl Adapter) {
    let (adapter, events) = (&adapter, Events::default());
    let ids = append(adapter, events.append("s", NoStream, 3)).await.unwrap();
    for number in 0..5 {
        adapter.link(link(&format!("list-{number}"), NoStream, &ids[..2]), NOW).await.unwrap();
    }
    let request = asked(&events, delete("s", Removal::Hard));
    let (steps, performed) = take_steps(adapter, &request, async |_| {}).await;
    // Ten links by two, once more to see that there are none, and the third event.
    assert_eq!((steps, performed.events, performed.links), (7, 3, 10));
    for number in 0..5 {
        assert_eq!(adapter.stream_info(stream(&format!("list-{number}"))).await.unwrap().version, version(2));
    }
    let ids = append(adapter, events.append("source", NoStream, 5)).await.unwrap();
    adapter.link(link("list", NoStream, &ids), NOW).await.unwrap();
    let request = asked(&events, delete("list", Removal::Hard));
    let (steps, performed) = take_steps(adapter, &request, async |_| {}).await;
    assert_eq!((steps, performed.events, performed.links), (3, 0, 5));
    assert_eq!(adapter.verify().await, Ok(vec![]));
}

/// LD-07: given a removal that was begun and left, when the same is asked for under another id, then it is ended and answered; when
/// something else is asked for of the stream, then that is done behind it. Each is recorded once.
pub(super) async fn one_removal_waits_for_another(adapter: impl Adapter) {
    let (adapter, events) = (&adapter, Events::default());
    append(adapter, events.append("s", NoStream, 9)).await.unwrap();
    let cut = asked(&events, truncate("s", 4, Removal::Hard));
    assert_eq!(adapter.perform_step(cut.clone(), NOW).await, Ok(Step::More));
    let ended = events.perform(delete("s", Removal::Hard));
    let waits = Ok(Step::After(Box::new(cut.clone())));
    assert_eq!(adapter.perform_step(ended.clone(), NOW).await, waits);
    let reused = Perform { id: cut.id, ..events.perform(truncate("s", 5, Removal::Hard)) };
    let other = Err(PerformError::OtherEvent { id: cut.id });
    assert_eq!(adapter.perform_step(reused, NOW).await, other);
    let performed = adapter.perform(ended.clone(), NOW).await.unwrap();
    assert_eq!((performed.position, performed.events), (position(11), 6));
    let ids = |log: &[RecordedEvent]| audited(log).iter().map(|(id, _, _)| *id).collect::<Vec<_>>();
    assert_eq!(ids(&log(adapter).await), [cut.id, ended.id]);

    append(adapter, events.append("s", NoStream, 5)).await.unwrap();
    let left = asked(&events, delete("s", Removal::Hard));
    assert_eq!(adapter.perform_step(left.clone(), NOW).await, Ok(Step::More));
    let again = events.perform(delete("s", Removal::Hard));
    assert_eq!(adapter.perform(again, NOW).await.unwrap().events, 5);
    assert_eq!(ids(&log(adapter).await), [cut.id, ended.id, left.id]);
    assert_eq!((adapter.removals().await, adapter.verify().await), (Ok(vec![]), Ok(vec![])));
}
