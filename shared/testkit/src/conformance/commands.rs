//! Commands recorded with their replies.

use umbel_core::{
    ExpectedVersion::{Any, NoStream},
    store::{Append, Appended},
};

use super::{Events, StoreUnderTest, command, position, read_log, version};

/// UX-06: a command that comes again gets its first reply, and nothing is appended.
pub async fn a_command_is_carried_out_once<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let attempt = |reply: &str| Append { command: Some(command(1, reply)), ..events.append("s", Any, 2) };
    let first = store.append(attempt(r#"{"reply": "first", "ü": null}"#)).await.unwrap();
    let stored = Appended::now(Some(position(2)), vec![version(2)]);
    assert_eq!(first, stored);

    store.append(events.append("s", Any, 1)).await.unwrap();
    let again = store.append(attempt(r#""second""#)).await.unwrap();
    let reply = command(1, r#"{"reply": "first", "ü": null}"#).reply;
    let before = Appended::repeated(Some(position(2)), reply);
    assert_eq!(again, before);
    assert_eq!(store.find_command(command(1, "0").id).await, Ok(Some(before)));
    assert_eq!(read_log(&store).await.len(), 3);
}

/// UX-06: a command whose decision was "nothing changes" is remembered too.
pub async fn a_command_without_events_is_remembered<S: StoreUnderTest>(store: S) {
    assert_eq!(store.find_command(command(1, "0").id).await, Ok(None));
    let attempt = |reply: &str| Append { command: Some(command(1, reply)), ..Append::default() };
    let first = store.append(attempt("1")).await.unwrap();
    assert_eq!(first, Appended::now(None, Vec::new()));
    let again = store.append(attempt("2")).await.unwrap();
    assert_eq!(again.repeated, Some(command(1, "1").reply));
    assert_eq!(store.find_command(command(1, "0").id).await, Ok(Some(again)));
    assert_eq!(store.find_command(command(2, "0").id).await, Ok(None));
}

/// UX-06: only what was stored counts: after a refusal the same id runs.
pub async fn a_refused_command_is_not_recorded<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    store.append(events.append("s", NoStream, 1)).await.unwrap();
    let refused = Append { command: Some(command(1, "1")), ..events.append("s", NoStream, 1) };
    assert!(store.append(refused).await.is_err());
    assert_eq!(store.find_command(command(1, "0").id).await, Ok(None));
    let stored = Append { command: Some(command(1, "2")), ..events.append("s", Any, 1) };
    assert_eq!(store.append(stored).await.unwrap().repeated, None);
    assert_eq!(read_log(&store).await.len(), 2);
}
