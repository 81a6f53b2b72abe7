//! Sealing and forgetting, as apps see it through the bus and as the adapter sees it.

use std::future::Future;

use serde::{Deserialize, Serialize};
use umbel_bus::{Bus, BusSettings, Store, edge};
use umbel_core::{
    Event, ExpectedVersion, Metadata, PayloadError, Personal, StreamName, Tags, Version,
    document::Direction,
    event::EncodedEvent,
    store::{ReadAll, ReadError, ReadStream, Selector, Snapshot},
};
use umbel_supervision::{Group, Policy, Supervisor};

use super::*;
use crate::{memory::Memory, part::group_over, settings::StoreSettings};

/// A time that no test reaches.
const AMPLE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Registered {
    whose: String,
    name: Personal<String>,
    plan: String,
    addresses: Vec<Personal<Option<String>>>,
}

impl Event for Registered {
    const NAME: &'static str = "test.registered";

    fn subject(&self) -> Option<Subject> {
        Some(subject(&self.whose))
    }
}

/// An event in bytes; once forgotten it is nothing but that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Portrait {
    Of(String, Vec<u8>),
    Forgotten,
}

impl Event for Portrait {
    const NAME: &'static str = "test.portrait";

    fn subject(&self) -> Option<Subject> {
        match self {
            Self::Of(whose, _) => Some(subject(whose)),
            Self::Forgotten => None,
        }
    }

    fn to_payload(&self) -> Result<Payload, PayloadError> {
        let Self::Of(whose, picture) = self else { return Err(PayloadError::NotBinary) };
        Ok(Payload::Binary([whose.as_bytes(), b"\0", picture].concat().into()))
    }

    fn from_payload(payload: &Payload) -> Result<Self, PayloadError> {
        let Ok(bytes) = payload.as_binary() else {
            return payload.decode::<Personal<()>>().map(|_| Self::Forgotten);
        };
        let end = bytes.iter().position(|byte| *byte == 0).unwrap();
        Ok(Self::Of(String::from_utf8_lossy(&bytes[..end]).into_owned(), bytes[end + 1..].to_vec()))
    }
}

fn registered(whose: &str) -> Registered {
    Registered {
        whose: whose.to_owned(),
        name: format!("Name of {whose}").into(),
        plan: "gold".to_owned(),
        addresses: vec![Some(format!("Street of {whose}")).into(), None.into()],
    }
}

fn subject(name: &str) -> Subject {
    Subject::new(name).unwrap()
}

fn event<E: Event>(event: &E) -> NewEvent {
    NewEvent::of(EventId(edge::fresh_id()), event, Metadata::default()).unwrap()
}

fn raw(whose: Option<&str>, text: &str) -> NewEvent {
    let event_type = "test.raw/1".parse().unwrap();
    let data = Json::parse(text).unwrap().into();
    let encoded = EncodedEvent { event_type, data, subject: whose.map(subject), tags: Tags::of("t", 1) };
    NewEvent::new(EventId(edge::fresh_id()), encoded, Metadata::default())
}

fn append(stream: &str, event: NewEvent) -> Append {
    Append::to_stream(StreamName::new(stream).unwrap(), ExpectedVersion::Any, vec![event])
}

fn forget(whose: &str) -> Perform {
    let act = Act::ForgetSubject { subject: subject(whose) };
    Perform { id: EventId(edge::fresh_id()), act, metadata: Metadata::default() }
}

fn all() -> ReadAll {
    ReadAll { from: None, direction: Direction::Forward, limit: 100, selector: Selector::all() }
}

fn the_stream(name: &str) -> ReadStream {
    let stream = StreamName::new(name).unwrap();
    ReadStream { stream, from: None, direction: Direction::Forward, limit: 100 }
}

/// What the adapter holds, as one text.
async fn held(adapter: &dyn Adapter) -> String {
    let page = adapter.read_all(all()).await.unwrap();
    let text = |data: &Payload| match data {
        Payload::Json(json) => json.as_str().to_owned(),
        Payload::Binary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    };
    page.events.iter().map(|event| text(&event.data)).collect::<Vec<_>>().join("\n")
}

/// All events of the log, opened.
async fn opened_by(vault: &Vault) -> Result<Vec<RecordedEvent>, StoreError> {
    let mut page = vault.adapter().read_all(all()).await?;
    vault.open(&mut page.events).await?;
    Ok(page.events)
}

/// The one event of this stream, opened.
async fn only<E: Event>(vault: &Vault, stream: &str) -> E {
    let mut page = vault.adapter().read_stream(the_stream(stream)).await.unwrap();
    assert_eq!(page.events.len(), 1);
    vault.open(&mut page.events).await.unwrap();
    E::from_payload(&page.events[0].data).unwrap()
}

/// Runs a test on a store in memory with its actors.
fn with_store<F: Future<Output = ()>>(test: impl FnOnce(Store, Arc<dyn Adapter>) -> F) {
    let system = actix::System::new();
    system.block_on(async {
        let (bus, adapter) = (Bus::new(BusSettings::default()), Arc::new(Memory::new()) as Arc<dyn Adapter>);
        let settings = StoreSettings { poll_interval_ms: 10, ..StoreSettings::default() };
        let store = group_over(Arc::clone(&adapter), &settings, &bus, Policy::default());
        let root = Group::new("test", Policy::default()).child(umbel_bus::worker(&bus)).child(store);
        let supervisor = Supervisor::start(root);
        supervisor.tree().wait_until_up(AMPLE).await.unwrap();
        tokio::time::timeout(AMPLE, test(bus.store(), adapter)).await.expect("the test hangs");
        supervisor.shut_down().await;
        actix::System::current().stop();
    });
    system.run().unwrap();
}

/// Given personal data, every way of reading gives it back as it was written, and the adapter holds nothing of it.
#[test]
fn apps_read_what_they_wrote_and_the_adapter_holds_none_of_it() {
    with_store(|store, adapter| async move {
        let spelled =
            r#"{ "b": 1.50, "a": {"$personal": {"z":1.0e3, "y":"ü\u00fc"}},"$personal":"no mark" }"#;
        let (ada, portrait) = (registered("ada"), Portrait::Of("ada".into(), b"Face of ada".to_vec()));
        let events = [event(&ada), event(&portrait), raw(Some("ada"), spelled)];
        for one in &events {
            store.append(append("s-1", one.clone())).await.unwrap();
        }
        let of_stream = store.read_stream(the_stream("s-1")).await.unwrap().events;
        assert_eq!(of_stream, store.read_all(all()).await.unwrap().events);
        for (recorded, written) in of_stream.iter().zip(&events) {
            assert_eq!(store.find_event(written.id).await.unwrap().as_ref(), Some(recorded));
        }
        assert_eq!(of_stream[0].data, events[0].data);
        assert_eq!(of_stream[1].data, events[1].data);
        assert_eq!(
            of_stream[2].data.as_json().unwrap().as_str(),
            spelled.replace(r#"{"$personal": {"#, r#"{"$personal":{"#)
        );
        let held = held(&*adapter).await;
        for personal in ["Name of ada", "Street of ada", "Face of ada", "1.0e3", "\"$personal\":{"] {
            assert!(!held.contains(personal), "{held}");
        }
        for other in ["\"whose\":\"ada\"", "\"plan\":\"gold\"", "{ \"b\": 1.50, \"a\": {\"$sealed\":\""] {
            assert!(held.contains(other), "{held}");
        }
    });
}

/// Given a subject is forgotten, its personal data reads as forgotten at once, everything else as before; no more of its
/// personal data is taken, and events of it without any are.
#[test]
fn forgetting_takes_the_personal_data_and_nothing_else() {
    with_store(|store, _adapter| async move {
        store.append(append("s-1", event(&registered("ada")))).await.unwrap();
        store.append(append("s-2", event(&registered("bob")))).await.unwrap();
        let portrait = Portrait::Of("ada".into(), b"face".to_vec());
        store.append(append("s-3", event(&portrait))).await.unwrap();
        // Read, so that the keys are remembered.
        store.read_all(all()).await.unwrap();
        store.perform(forget("ada")).await.unwrap();

        let events = store.read_all(all()).await.unwrap().events;
        let ada = Registered::from_payload(&events[0].data).unwrap();
        let gone = Personal::Forgotten;
        let expected = Registered {
            name: Personal::Forgotten,
            addresses: vec![gone.clone(), gone],
            ..registered("ada")
        };
        assert_eq!(ada, expected);
        assert_eq!(Registered::from_payload(&events[1].data).unwrap(), registered("bob"));
        assert_eq!(Portrait::from_payload(&events[2].data).unwrap(), Portrait::Forgotten);

        let refused = store.append(append("s-1", event(&registered("ada")))).await;
        assert_eq!(refused, Err(AppendError::SubjectForgotten { subject: subject("ada") }));
        store.append(append("s-1", event(&expected))).await.unwrap();
        store.append(append("s-1", event(&registered("bob")))).await.unwrap();
    });
}

/// Given a group with personal data of somebody forgotten and data that only the store may write, those appends are
/// refused and their neighbours stored.
#[tokio::test]
async fn an_append_that_cannot_be_sealed_is_refused_alone() {
    let vault = Vault::new(Arc::new(Memory::new()));
    let now = edge::now();
    vault.perform(forget("ada"), now).await.unwrap();
    let forged = raw(Some("bob"), r#"{"a":{"$sealed":"AAAA"}}"#);
    let forged_id = forged.id;
    let group = vec![
        append("s-1", event(&registered("bob"))),
        append("s-1", event(&registered("ada"))),
        append("s-1", forged),
        append("s-1", raw(None, r#"{"$sealed":"AAAA"}"#)),
        append("s-1", event(&registered("eve"))),
    ];
    let mut outcomes = vault.append(group, now).await.into_iter();
    let mut next = || outcomes.next().unwrap().map(|appended| appended.versions);
    assert_eq!(next(), Ok(vec![Version::new(1)]));
    assert_eq!(next(), Err(AppendError::SubjectForgotten { subject: subject("ada") }));
    assert_eq!(next(), Err(InvalidAppend::Sealed(forged_id).into()));
    assert_eq!(next(), Ok(vec![Version::new(2)]));
    assert_eq!(next(), Ok(vec![Version::new(3)]));
    assert!(outcomes.next().is_none());
    let group = vec![append("s-1", event(&registered("ada")))];
    assert!(matches!(vault.append(group, now).await[..], [Err(AppendError::SubjectForgotten { .. })]));
}

/// Events without a subject are kept as they are, also what looks sealed, and need no keys.
#[tokio::test]
async fn without_a_subject_nothing_is_sealed() {
    let vault = Vault::new(Arc::new(Memory::new()));
    let text = r#"{"a":"\u0024personal","b":{"$sealed":"x"}}"#;
    vault
        .append(vec![append("s-1", raw(None, text)), append("s-1", raw(Some("ada"), "{}"))], edge::now())
        .await;
    let events = opened_by(&vault).await.unwrap();
    assert_eq!(events[0].data.as_json().unwrap().as_str(), text);
    assert_eq!(vault.adapter().find_subject_keys(vec![subject("ada")]).await.unwrap(), [None]);
}

/// Given sealed bytes in another event, they do not open, be it one of the same subject or of another.
#[tokio::test]
async fn sealed_bytes_open_nowhere_else() {
    let vault = Vault::new(Arc::new(Memory::new()));
    let now = edge::now();
    vault.append(vec![append("s-1", event(&registered("ada")))], now).await;
    vault.append(vec![append("s-2", event(&registered("bob")))], now).await;
    let sealed = vault.adapter().read_all(all()).await.unwrap().events.remove(0);
    let moved = |whose: &str| {
        let subject = Some(subject(whose));
        append(
            &format!("moved-{whose}"),
            NewEvent { id: EventId(edge::fresh_id()), subject, ..sealed.clone().into_new() },
        )
    };
    for whose in ["bob", "ada"] {
        assert!(vault.adapter().append(vec![moved(whose)], now).await[0].is_ok());
        let personal = only::<Registered>(&vault, "s-1").await.name;
        assert_eq!(personal, registered("ada").name);
        let mut page = vault.adapter().read_stream(the_stream(&format!("moved-{whose}"))).await.unwrap();
        let opened = vault.open(&mut page.events).await;
        assert!(matches!(opened, Err(StoreError::Corrupt { .. })), "{opened:?}");
    }
    // Values swapped within one event, too.
    let text = sealed.data.as_json().unwrap().as_str().to_owned();
    let values: Vec<_> = marked(&text).into_iter().map(|value| text[value.object].to_owned()).collect();
    let swapped = text.replace(&values[0], "*").replace(&values[1], &values[0]).replace('*', &values[1]);
    let mut swapped = RecordedEvent { data: Json::parse(swapped).unwrap().into(), ..sealed };
    let opened = vault.open([&mut swapped]).await;
    assert!(matches!(opened, Err(StoreError::Corrupt { .. })), "{opened:?}");
}

/// Given a snapshot of somebody's stream, the adapter holds nothing of the state, marked or not; changed or put elsewhere, what it
/// holds instead does not open.
#[tokio::test]
async fn a_snapshot_is_sealed_whole_and_opens_nowhere_else() {
    let (vault, now) = (Vault::new(Arc::new(Memory::new())), edge::now());
    for name in ["s-1", "s-1", "s-2"] {
        vault.append(vec![append(name, event(&registered("ada")))], now).await;
    }
    let data = Json::parse(r#"{"name":"Name of ada","pet":{"$personal":"Rex"}}"#).unwrap();
    let taken = Snapshot {
        stream: StreamName::new("s-1").unwrap(),
        version: Version::new(1),
        state: "test.state".into(),
        schema: 1,
        taken_at: now,
        data,
    };
    assert_eq!(vault.save_snapshot(taken.clone()).await, Ok(true));
    assert_eq!(vault.load_snapshot(taken.stream.clone()).await, Ok(Some(taken.clone())));
    let held = vault.adapter().load_snapshot(taken.stream.clone()).await.unwrap().unwrap();
    let text = held.data.as_str().to_owned();
    assert!(!text.contains("Name") && !text.contains("Rex"), "{text}");

    let moved = StreamName::new("s-2").unwrap();
    let later = Snapshot { version: Version::new(2), ..held.clone() };
    let changed =
        Snapshot { data: Json::from_store(text.replace("\"key\":\"", "\"key\":\"AAAA")), ..later.clone() };
    for wrong in [Snapshot { stream: moved, ..held }, later, changed] {
        let stream = wrong.stream.clone();
        assert_eq!(vault.adapter().save_snapshot(wrong).await, Ok(true));
        let read = vault.load_snapshot(stream).await;
        assert!(!matches!(read, Ok(Some(_))), "{read:?}");
    }
}

/// Given a key that was lost, and perhaps replaced by another, what it sealed is damage and not consent: only forgetting the
/// subject gives the data up.
#[tokio::test]
async fn a_lost_key_does_not_pass_for_a_forgotten_subject() {
    let (whole, robbed) = (Vault::new(Arc::new(Memory::new())), Vault::new(Arc::new(Memory::new())));
    let now = edge::now();
    whole.append(vec![append("s-1", event(&registered("ada")))], now).await;
    let portrait = Portrait::Of("ada".into(), b"face".to_vec());
    whole.append(vec![append("s-1", event(&portrait))], now).await;
    for sealed in whole.adapter().read_all(all()).await.unwrap().events {
        assert!(robbed.adapter().append(vec![append("s-1", sealed.into_new())], now).await[0].is_ok());
    }
    let is_lost = |opened: Result<Vec<RecordedEvent>, StoreError>| match opened {
        Err(StoreError::Corrupt { reason }) => {
            assert!(reason.contains("ada") && reason.contains("umbel store forget"), "{reason}");
        }
        other => panic!("{other:?}"),
    };
    is_lost(opened_by(&robbed).await);
    assert_eq!(robbed.adapter().verify().await.unwrap().len(), 2);
    robbed.append(vec![append("s-2", event(&registered("ada")))], now).await;
    is_lost(opened_by(&robbed).await);
    robbed.perform(forget("ada"), now).await.unwrap();
    let events = opened_by(&robbed).await.unwrap();
    assert_eq!(Registered::from_payload(&events[0].data).unwrap().name, Personal::Forgotten);
    assert_eq!(Portrait::from_payload(&events[1].data).unwrap(), Portrait::Forgotten);
}

/// The error reaches who reads, by its type, also through the bus.
#[test]
fn damage_is_told_to_the_reader() {
    with_store(|store, adapter| async move {
        let damaged = raw(Some("ada"), r#"{"a":{"$sealed":"!"}}"#);
        adapter.create_subject_keys(vec![(subject("ada"), [1; 32])], edge::now()).await.unwrap();
        let id = damaged.id;
        assert!(adapter.append(vec![append("s-1", damaged)], edge::now()).await[0].is_ok());
        assert!(matches!(store.read_all(all()).await, Err(StoreError::Corrupt { .. })));
        assert!(matches!(store.find_event(id).await, Err(StoreError::Corrupt { .. })));
        let of_stream = store.read_stream(the_stream("s-1")).await;
        assert!(matches!(of_stream, Err(ReadError::Store(StoreError::Corrupt { .. }))), "{of_stream:?}");
    });
}

/// Given two processes, what one forgets is forgotten in the other as soon as that asks for the key again; what a process
/// forgets itself it forgets at once, however long it remembers keys.
#[tokio::test]
async fn a_key_does_not_outlive_its_subject() {
    let adapter: Arc<dyn Adapter> = Arc::new(Memory::new());
    let forgetful = Vault::remembering(Arc::clone(&adapter), Duration::ZERO);
    let [first, second] = [(); 2].map(|()| Vault::remembering(Arc::clone(&adapter), AMPLE));
    first.append(vec![append("s-1", event(&registered("ada")))], edge::now()).await;
    for vault in [&forgetful, &first, &second] {
        assert_eq!(only::<Registered>(vault, "s-1").await, registered("ada"));
    }
    first.perform(forget("ada"), edge::now()).await.unwrap();
    assert_eq!(only::<Registered>(&first, "s-1").await.name, Personal::Forgotten);
    assert_eq!(only::<Registered>(&forgetful, "s-1").await.name, Personal::Forgotten);
    // It remembers the key, which is what the time is for.
    assert_eq!(only::<Registered>(&second, "s-1").await.name, registered("ada").name);
}

/// Two processes that need a subject's first key at the same time use the same one.
#[tokio::test]
async fn the_first_key_wins() {
    let adapter: Arc<dyn Adapter> = Arc::new(Memory::new());
    let [first, second] = [(); 2].map(|()| Vault::new(Arc::clone(&adapter)));
    let group = |stream: &str| vec![append(stream, event(&registered("ada")))];
    let (one, two) = futures_util::future::join(
        first.append(group("s-1"), edge::now()),
        second.append(group("s-2"), edge::now()),
    )
    .await;
    assert!(one[0].is_ok() && two[0].is_ok());
    for vault in [&first, &second] {
        for stream in ["s-1", "s-2"] {
            assert_eq!(only::<Registered>(vault, stream).await, registered("ada"));
        }
    }
}
