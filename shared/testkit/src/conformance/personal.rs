//! Personal data: read as it was written, until its subject is forgotten; and what is made of it.

use serde_json::{Value, json};
use umbel_core::{
    ExpectedVersion::{Any, NoStream},
    Json, NewEvent, Payload, StreamName, Subject, Timestamp,
    store::{
        Act, Append, AppendError, FindEvent, InvalidAppend, ListSnapshots, LoadSnapshot, SaveSnapshot,
        Snapshot,
    },
};

use super::{
    Events, StoreUnderTest, archive, exact, link, put, read_log, read_whole_stream, stream, version,
};

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

/// LD-09: personal data of which nobody says whose it is are not taken, however they are written and wherever they stand; what they came
/// with is not either. What only looks alike is.
pub async fn personal_data_of_nobody_is_refused<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let raw = |text: &str| NewEvent { data: Json::parse(text).unwrap().into(), ..events.one() };
    for text in [
        r#"{"$personal":"zz@b"}"#,
        r#"{"email":{"$personal":"zz@b"}}"#,
        r#"[1,{"a":[{ "\u0024person\u0061l" : null }]}]"#,
    ] {
        let event = raw(text);
        let refused = InvalidAppend::NoSubject(event.id).into();
        assert_eq!(store.append(append("s", [events.one(), event])).await, Err(refused), "{text}");
    }
    assert_eq!(read_log(&store).await, []);
    let alike = [
        r#"{"text":"{\"$personal\":1}"}"#,
        r#"{"$personal":1,"b":2}"#,
        r#"["$personal",{"$forgotten":true}]"#,
    ];
    put(&store, append("s", alike.map(raw))).await;
    assert_eq!(read_log(&store).await.len(), alike.len());
}

/// LD-09: forgotten, a subject's personal data reads as forgotten wherever it stands; the rest of its events and the data of others
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

/// LD-09: of a subject that was forgotten no more personal data is taken, in no stream; an append with some is refused whole. What
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

fn snapshot(name: &str, at: u64, data: &Value) -> Snapshot {
    Snapshot {
        stream: stream(name),
        version: version(at),
        state: "test.state".into(),
        schema: 1,
        taken_at: Timestamp::from_micros(1),
        data: Json::encode(data).unwrap(),
    }
}

async fn save<S: StoreUnderTest>(store: &S, snapshot: &Snapshot) -> bool {
    store.ask(SaveSnapshot(snapshot.clone())).await.unwrap()
}

async fn load<S: StoreUnderTest>(store: &S, name: &str) -> Option<Snapshot> {
    store.ask(LoadSnapshot { stream: stream(name) }).await.unwrap()
}

/// LD-09: a snapshot is read as it was taken until one of those whose events are in it is forgotten, be their events archived or linked,
/// and their data marked or not; then it is none any more. Snapshots of others stay.
pub async fn a_snapshot_is_forgotten_with_its_subject<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let ids =
        put(&store, append("both-1", [named(&events, "ada", "Ada"), named(&events, "bob", "Bob")])).await;
    put(&store, append("bob-1", [named(&events, "bob", "Bob"), events.one()])).await;
    put(&store, append("eve-1", [events.one(), named(&events, "eve", "Eve")])).await;
    store.ask(events.perform(archive(2))).await.unwrap();
    store.ask(link("list", NoStream, &ids[..1])).await.unwrap();
    let known = json!({"name": {"$personal": "Ada"}, "shown": "Ada \u{1f44b}"});
    let taken: Vec<_> = [("both-1", 2), ("list", 1), ("bob-1", 2), ("eve-1", 1)]
        .into_iter()
        .map(|(name, at)| snapshot(name, at, &known))
        .collect();
    for one in &taken {
        assert!(save(&store, one).await);
    }
    // Its version counts, not what the stream holds by now; and the one before it tells whose it is.
    assert!(save(&store, &snapshot("both-1", 2, &json!(2))).await);
    assert!(save(&store, &taken[0]).await);
    let listed = async || store.ask(ListSnapshots { after: None, limit: 10 }).await.unwrap();
    let mut by_name = taken.clone();
    by_name.sort_by(|one, other| one.stream.cmp(&other.stream));
    assert_eq!(listed().await, by_name);

    store.ask(forget(&events, "ada")).await.unwrap();
    store.ask(forget(&events, "eve")).await.unwrap();
    let left = json!({"$forgotten": true});
    for one in &taken {
        let is_gone = ["both-1", "list"].contains(&one.stream.as_str());
        let expected = (!is_gone).then(|| one.clone());
        assert_eq!(load(&store, one.stream.as_str()).await, expected, "{}", one.stream);
    }
    for one in listed().await {
        let is_gone = ["both-1", "list"].contains(&one.stream.as_str());
        let expected = if is_gone { &left } else { &known };
        assert_eq!(one.data.decode::<Value>().as_ref(), Ok(expected), "{}", one.stream);
    }
}

/// A state from before its subject was forgotten is not kept after that, be its values still marked as personal or taken out of
/// that; nor is any other, for the one cannot be told from the other.
pub async fn a_snapshot_from_before_is_not_kept<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    put(&store, append("ada-1", [named(&events, "ada", "Ada"), events.one()])).await;
    let known = |at| snapshot("ada-1", at, &json!({"name": {"$personal": "Ada"}}));
    assert!(save(&store, &known(1)).await);
    store.ask(forget(&events, "ada")).await.unwrap();
    for at in [1, 2] {
        assert!(!save(&store, &known(at)).await);
        assert_eq!(load(&store, "ada-1").await, None);
    }
    for unmarked in [json!({"name": "Ada"}), json!({"name": {"$forgotten": true}})] {
        assert!(!save(&store, &snapshot("ada-1", 2, &unmarked)).await);
        assert_eq!(load(&store, "ada-1").await, None);
    }
    // The same as what stores write in place of a state is a state like any other.
    put(&store, append("other", [events.one()])).await;
    let alike = snapshot("other", 1, &json!({"$subjects": ["ada"], "$state": 1}));
    assert!(save(&store, &alike).await);
    assert_eq!(load(&store, "other").await, Some(alike));
}
