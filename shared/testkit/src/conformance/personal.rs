//! Personal data: read as it was written, until its subject is forgotten.

use serde_json::{Value, json};
use umbel_core::{
    ExpectedVersion::{Any, NoStream},
    NewEvent, Payload, StreamName, Subject,
    store::{Act, Append, AppendError, FindEvent},
};

use super::{Events, StoreUnderTest, archive, exact, link, put, read_log, read_whole_stream, stream};

fn subject(name: &str) -> Subject {
    Subject::new(name).unwrap()
}

/// An event with a field of somebody's personal data and one without.
fn named(events: &Events, whose: &str, name: &str) -> NewEvent {
    let data = Payload::json(&json!({"name": {"$personal": name}, "plan": "free"})).unwrap();
    NewEvent { data, subject: Some(subject(whose)), ..events.one() }
}

fn append(name: &str, events: impl Into<Vec<NewEvent>>) -> Append {
    Append::to_stream(stream(name), Any, events.into())
}

fn forget(events: &Events, whose: &str) -> umbel_core::store::Perform {
    events.perform(Act::ForgetSubject { subject: subject(whose) })
}

/// What the events of a stream say.
async fn told<S: StoreUnderTest>(store: &S, name: &StreamName) -> Vec<Value> {
    let events = read_whole_stream(store, name).await;
    events.iter().map(|event| event.data.decode().unwrap()).collect()
}

/// AP-12: personal data is read as it was written, in every way there is, archived or linked.
pub async fn personal_data_reads_as_it_was_written<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let written = [named(&events, "ada", "Ådä \" 👋"), events.one(), named(&events, "bob", "")];
    let ids = put(&store, append("s", written.clone())).await;
    for act in [None, Some(archive(2))] {
        if let Some(act) = act {
            store.ask(events.perform(act)).await.unwrap();
            store.ask(link("list", NoStream, &ids)).await.unwrap();
            assert_eq!(told(&store, &stream("list")).await, told(&store, &stream("s")).await);
        }
        let log = read_log(&store).await;
        assert_eq!(read_whole_stream(&store, &stream("s")).await, log[..3]);
        for (event, written) in log.into_iter().zip(&written) {
            assert_eq!(store.ask(FindEvent { id: event.id }).await, Ok(Some(event.clone())));
            let written: Value = written.data.decode().unwrap();
            assert_eq!(event.data.decode::<Value>(), Ok(written));
        }
    }
}

/// Forgotten, a subject's personal data reads as forgotten wherever it stands; the rest of its events and the data of others
/// stay.
pub async fn forgotten_data_reads_as_forgotten<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let known = |name: &str| json!({"name": {"$personal": name}, "plan": "free"});
    let forgotten = json!({"name": {"$forgotten": true}, "plan": "free"});
    let written = [named(&events, "ada", "Ada"), named(&events, "bob", "Bob"), named(&events, "ada", "A.")];
    let ids = put(&store, append("s", written)).await;
    store.ask(link("list", NoStream, &ids[..1])).await.unwrap();
    store.ask(events.perform(archive(2))).await.unwrap();
    assert_eq!(told(&store, &stream("s")).await, [known("Ada"), known("Bob"), known("A.")]);

    store.ask(forget(&events, "ada")).await.unwrap();
    assert_eq!(told(&store, &stream("s")).await, [forgotten.clone(), known("Bob"), forgotten.clone()]);
    assert_eq!(told(&store, &stream("list")).await[0], forgotten);
    let found = store.ask(FindEvent { id: ids[2] }).await.unwrap().unwrap();
    assert_eq!((found.data.decode(), found.subject), (Ok(forgotten), Some(subject("ada"))));
}

/// Of a subject that was forgotten no more personal data is taken, in no stream; an append with some is refused whole. What
/// holds none of it is stored.
pub async fn nothing_more_is_taken_of_the_forgotten<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    put(&store, append("s", [named(&events, "ada", "Ada")])).await;
    for whose in ["ada", "never heard of"] {
        store.ask(forget(&events, whose)).await.unwrap();
        for name in ["s", "new"] {
            let refused = store.append(append(name, [events.one(), named(&events, whose, "again")])).await;
            assert_eq!(refused, Err(AppendError::SubjectForgotten { subject: subject(whose) }));
        }
    }
    let about = NewEvent { subject: Some(subject("ada")), ..events.one() };
    let appended = store.append(Append::to_stream(stream("s"), exact(1), vec![about])).await;
    assert!(appended.is_ok(), "{appended:?}");
    put(&store, append("s", [named(&events, "bob", "Bob")])).await;
    assert_eq!(read_log(&store).await.len(), 5);
}
