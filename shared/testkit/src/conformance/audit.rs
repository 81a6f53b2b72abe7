//! Acts of upkeep are events themselves: recorded once, in order, for whoever follows the log.

use umbel_core::{
    ExpectedVersion::{Any, NoStream, StreamExists},
    Metadata, RecordedEvent, StreamName, Subject,
    store::{
        Act, ActRecord, AppendError, FindEvent, Perform, PerformError, Performed, Removal, Selector,
        VerifyStore,
    },
};
use uuid::Uuid;

use super::{
    Events, StoreUnderTest, archive, delete, link, position, positions, put, read_log, read_log_matching,
    read_log_with_holes, read_whole_stream, stream, truncate, version,
};

fn forget(subject: &str) -> Act {
    Act::ForgetSubject { subject: Subject::new(subject).unwrap() }
}

/// Every act is an event of the audit with all that is to know of it, at the position that the answer tells, in the log like
/// any other event.
pub async fn every_act_is_recorded_in_order<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    for name in ["soft", "hard", "short"] {
        put(&store, events.append(name, NoStream, 3)).await;
    }
    let metadata = Metadata::correlated(Uuid::from_u128(5)).with("by", "Ådä");
    let acts = [
        (delete("soft", Removal::Soft), "umbel.stream_deleted", 0),
        (archive(8), "umbel.events_archived", 8),
        (delete("hard", Removal::Hard), "umbel.stream_deleted", 3),
        (truncate("short", 2, Removal::Soft), "umbel.stream_truncated", 0),
        (forget("account-1"), "umbel.subject_forgotten", 0),
        (truncate("short", 3, Removal::Hard), "umbel.stream_truncated", 2),
    ];
    let mut requests = Vec::new();
    for (index, (act, _, count)) in (0..).zip(&acts) {
        let request = Perform { metadata: metadata.clone(), ..events.perform(act.clone()) };
        let done = store.ask(request.clone()).await;
        let at = position(10 + 2 * index);
        assert_eq!(done, Ok(Performed { position: at, events: *count, links: 0 }), "{act:?}");
        put(&store, events.append("between", Any, 1)).await;
        requests.push(request);
    }

    let audit = read_whole_stream(&store, &StreamName::audit()).await;
    for ((event, request), (number, (act, name, count))) in audit.iter().zip(&requests).zip((1..).zip(&acts))
    {
        assert_eq!((event.id, event.version), (request.id, version(number)));
        assert_eq!(event.event_type.to_string(), format!("{name}/1"));
        assert_eq!((&event.metadata, &event.subject), (&metadata, &None));
        let record = ActRecord { act: act.clone(), events: *count, links: 0 };
        assert_eq!(event.data.decode::<ActRecord>().unwrap(), record);
        assert_eq!(store.ask(FindEvent { id: event.id }).await, Ok(Some(event.clone())));
    }
    assert_eq!(audit.len(), acts.len());
    let log = read_log_with_holes(&store, &[4, 5, 6, 7, 8]).await;
    let recorded = |event: &&RecordedEvent| event.stream == StreamName::audit();
    assert_eq!(positions(&audit), [10, 12, 14, 16, 18, 20]);
    assert_eq!(log.iter().filter(recorded).cloned().collect::<Vec<_>>(), audit);
    let selected = read_log_matching(&store, &Selector::categories(["$audit"]), 2).await;
    assert_eq!(selected, audit);
    let truncations = Selector::names(["umbel.stream_truncated"]);
    assert_eq!(positions(&read_log_matching(&store, &truncations, 9).await), [16, 20]);
    let info = store.stream_info(StreamName::audit()).await.unwrap();
    assert_eq!((info.version, info.deleted_at), (version(6), None));
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]));
}

/// UX-02 for acts: sent again, an act answers what it did the first time and does nothing, even when there is something to do
/// again.
pub async fn an_act_sent_twice_acts_once<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    put(&store, events.append("s", NoStream, 3)).await;
    let request = events.perform(delete("s", Removal::Hard));
    let done = Performed { position: position(4), events: 3, links: 0 };
    assert_eq!(store.ask(request.clone()).await, Ok(done));
    assert_eq!(store.ask(request.clone()).await, Ok(done));
    put(&store, events.append("s", NoStream, 1)).await;
    assert_eq!(store.ask(request.clone()).await, Ok(done));
    assert_eq!(read_whole_stream(&store, &stream("s")).await.len(), 1);

    let moved = events.perform(archive(4));
    let first = store.ask(moved.clone()).await.unwrap();
    // Its own record can be archived meanwhile.
    store.ask(events.perform(archive(6))).await.unwrap();
    assert_eq!(store.ask(moved).await, Ok(first));
    assert_eq!(store.ask(request).await, Ok(done));
    assert_eq!(read_whole_stream(&store, &StreamName::audit()).await.len(), 3);
}

/// AP-06 for acts: an id that is in the log is no other act's, and a record's id is no other event's.
pub async fn a_records_id_is_its_own<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let ids = put(&store, events.append("s", NoStream, 2)).await;
    let other = |id| Err(PerformError::OtherEvent { id });
    let of_event = Perform { id: ids[0], ..events.perform(forget("account-1")) };
    assert_eq!(store.ask(of_event).await, other(ids[0]));

    let done = events.perform(delete("s", Removal::Soft));
    store.ask(done.clone()).await.unwrap();
    for act in [forget("account-1"), delete("s", Removal::Hard), archive(1)] {
        assert_eq!(store.ask(Perform { act, ..done.clone() }).await, other(done.id));
    }
    let mut append = events.append("t", NoStream, 1);
    append.streams[0].events[0].id = done.id;
    assert_eq!(store.append(append).await, Err(AppendError::DuplicateEvent { id: done.id }));
    assert_eq!(read_log(&store).await.len(), 3);
}

/// A refused act leaves no record, and its id is free.
pub async fn a_refused_act_leaves_no_record<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let request = events.perform(delete("s", Removal::Soft));
    assert_eq!(store.ask(request.clone()).await, Err(PerformError::StreamNotFound(stream("s"))));
    assert!(store.stream_info(StreamName::audit()).await.is_err());
    assert_eq!(read_log(&store).await, []);
    put(&store, events.append("s", NoStream, 1)).await;
    store.ask(request).await.unwrap();
    assert_eq!(read_log(&store).await.len(), 2);
}

/// A subject can be forgotten twice and without ever having been heard of; each time is recorded.
pub async fn forgetting_is_recorded_each_time<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    for at in 1..=2 {
        let done = store.ask(events.perform(forget("account-1"))).await;
        assert_eq!(done, Ok(Performed { position: position(at), events: 0, links: 0 }));
    }
    assert_eq!(read_log(&store).await.len(), 2);
}

/// What writers remember of streams is dropped when an act changes it: appends go on rightly after each.
pub async fn appends_go_on_after_every_act<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let ids = put(&store, events.append("s", NoStream, 4)).await;
    let append = async |expected, after| {
        let appended = store.append(events.append("s", expected, 1)).await.unwrap();
        assert_eq!(appended.versions, [version(after)]);
    };
    store.ask(events.perform(archive(3))).await.unwrap();
    append(super::exact(4), 5).await;
    store.ask(events.perform(truncate("s", 6, Removal::Hard))).await.unwrap();
    append(super::exact(5), 6).await;
    store
        .ask(link("s", super::exact(6), &[read_log_with_holes(&store, &[1, 2, 3, 4, 6]).await[0].id]))
        .await
        .unwrap();
    append(super::exact(7), 8).await;
    store.ask(events.perform(delete("s", Removal::Hard))).await.unwrap();
    append(NoStream, 1).await;
    append(StreamExists, 2).await;
    store.ask(events.perform(delete("s", Removal::Soft))).await.unwrap();
    let refused = store.append(events.append("s", Any, 1)).await;
    assert_eq!(refused, Err(AppendError::StreamDeleted(stream("s"))));
    store.ask(events.perform(delete("s", Removal::Hard))).await.unwrap();
    append(Any, 1).await;
    assert_eq!(store.ask(FindEvent { id: ids[0] }).await, Ok(None));
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]));
}
