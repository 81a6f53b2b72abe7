//! What the writer remembers of streams is never old.

use umbel_core::{
    ExpectedVersion::{Any, NoStream, StreamExists},
    store::{AppendError, Removal},
};
use umbel_testkit::conformance::{Events, delete, exact, link, version};

use super::{NOW, append, directory};
use crate::{
    Upkeep,
    sqlite::{Sqlite, error::Fault, log, log::Ids, schema, writer::Writer},
};

/// AP-02, AP-04: given two programs with one file, when they append to a stream by turns, remove it, and link to it, then each decides
/// by what the other has just done, and by what it did itself otherwise than by appending.
#[tokio::test]
async fn what_others_did_is_known_at_once() {
    let (directory, events) = (directory(), Events::default());
    let path = directory.path().join("umbel.db");
    let [one, two] = [Sqlite::open(&path).unwrap(), Sqlite::open(&path).unwrap()];
    append(&one, events.append("s", NoStream, 1)).await.unwrap();
    for turn in 0..4 {
        let at = 1 + 3 * turn;
        append(&two, events.append("s", exact(at), 1)).await.unwrap();
        append(&two, events.append("s", exact(at + 1), 1)).await.unwrap();
        let refused = append(&one, events.append("s", exact(at), 1)).await;
        assert!(matches!(refused, Err(AppendError::WrongExpectedVersion { .. })), "{refused:?}");
        append(&one, events.append("s", exact(at + 2), 1)).await.unwrap();
    }
    let linked = events.append("t", Any, 3);
    let ids: Vec<_> = linked.streams[0].events.iter().map(|event| event.id).collect();
    append(&one, linked).await.unwrap();
    for (store, id, at) in [(&one, ids[0], 13), (&two, ids[1], 14), (&one, ids[2], 15)] {
        store.link(link("s", exact(at), &[id]), NOW).await.unwrap();
    }
    let stored = append(&one, events.append("s", exact(16), 1)).await.unwrap();
    assert_eq!(stored.versions, [version(17)]);
    two.perform(events.perform(delete("s", Removal::Soft)), NOW).await.unwrap();
    let refused = append(&one, events.append("s", StreamExists, 1)).await;
    assert!(matches!(refused, Err(AppendError::StreamDeleted(_))), "{refused:?}");
    for stream in ["t", "u"] {
        append(&one, events.append(stream, Any, 1)).await.unwrap();
        one.perform(events.perform(delete(stream, Removal::Hard)), NOW).await.unwrap();
        append(&one, events.append(stream, NoStream, 1)).await.unwrap();
    }
}

/// AP-09: a group that was given up in the midst is not remembered, and neither is one whose commit nobody knows of.
#[tokio::test]
async fn what_was_not_committed_is_not_remembered() {
    let (directory, events) = (directory(), Events::default());
    let path = directory.path().join("umbel.db");
    let mut writer = Writer::new(schema::open_writer(&path).unwrap());
    let first = events.append("s", Any, 2);
    log::append(&mut writer, &[first.clone()], NOW).unwrap().remove(0).unwrap();
    // A new event, and then one that is there: a unique violation after the first was written.
    let group = [events.append("s", Any, 1), first];
    let given_up = log::try_append(&mut writer, &group, NOW, Ids::Unread);
    assert!(matches!(given_up, Err(Fault::Before(_))), "{:?}", given_up.map(|_| ()));
    let next = log::append(&mut writer, &[events.append("s", exact(2), 1)], NOW).unwrap().remove(0).unwrap();
    assert_eq!(next.versions, [version(3)]);
}
