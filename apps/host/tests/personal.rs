//! Personal data beside the events: what process managers remember, and commands that wait.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use umbel_bus::{Recurrence, ScheduleOptions, When, edge};
use umbel_core::{
    Command, Cue, Event, EventId, ExpectedVersion, Metadata, NewEvent, Personal, Place, ProcessManager,
    Reaction, RecordedEvent, Route, StreamName, Subject, events,
    process_manager::{Failure, File, Memory, Occasion, Verdict, key},
    schedule::{Scheduled, queue_of},
    store::{Act, Append, ReadOutbox},
};
use umbel_host::App;
use umbel_persistence::{Extras, Log, ReadModels};

use crate::{
    event_handlers::{perform, stored},
    processes::over,
    stores::on_every_store,
    world::*,
};

const NAME: &str = "welcome.guests";
const ADA: &str = "Ada Lovelace";

fn subject(who: &str) -> Option<Subject> {
    Subject::new(who).ok()
}

/// Somebody has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Came {
    who: String,
    name: Personal<String>,
}

impl Event for Came {
    const NAME: &'static str = "welcome.came";

    fn subject(&self) -> Option<Subject> {
        subject(&self.who)
    }
}

/// A day has passed.
#[derive(Clone, Debug, Serialize, Deserialize, Event)]
#[event(name = "welcome.passed")]
struct Passed {
    who: String,
}

events! { enum Guest { Came(Came), Passed(Passed) } }

/// Nobody carries it out, so it waits.
#[derive(Debug, Serialize, Deserialize)]
struct Greet {
    who: String,
    name: Personal<String>,
}

impl Command for Greet {
    const NAME: &'static str = "hall.greet";
    type Reply = ();
    type Rejection = String;

    fn subject(&self) -> Option<Subject> {
        subject(&self.who)
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Guests {
    who: String,
    name: Option<Personal<String>>,
    days: u32,
}

impl ProcessManager for Guests {
    const NAME: &'static str = NAME;
    type Event = Guest;
    type Error = String;

    fn route(event: &Guest, _: &RecordedEvent) -> Route {
        match event {
            Guest::Came(Came { who, .. }) | Guest::Passed(Passed { who }) => Route::start(who.as_str()),
        }
    }

    fn handle(&self, cue: Cue<'_, Guest>, _: &Occasion<'_>) -> Result<Reaction, String> {
        Ok(match cue {
            Cue::Event(Guest::Came(Came { who, name })) => {
                Reaction::command(Greet { who: who.clone(), name: name.clone() })
            }
            _ => Reaction::nothing(),
        })
    }

    fn evolve(mut self, cue: Cue<'_, Guest>) -> Self {
        match cue {
            Cue::Event(Guest::Came(Came { who, name })) => {
                (self.who, self.name) = (who.clone(), Some(name.clone()));
            }
            _ => self.days += 1,
        }
        self
    }

    fn subject(&self) -> Option<Subject> {
        subject(&self.who)
    }

    fn on_error(_: &Failure<'_, Self>, _: &mut Memory) -> Verdict {
        Verdict::Park
    }
}

async fn tell<E: Event>(world: &World, stream: &str, event: E) -> Place {
    let event = NewEvent::of(EventId(edge::fresh_id()), &event, Metadata::default()).unwrap();
    let stream = StreamName::of("guest", stream).unwrap();
    let append = Append::to_stream(stream, ExpectedVersion::Any, vec![event]);
    Place::new(world.bus.store().append(append).await.unwrap().last_position.unwrap().get())
}

/// What is remembered of somebody: the state, and the names in commands that wait.
async fn remembered(world: &World, who: &str) -> (Guests, Vec<Personal<String>>) {
    let found = world.bus.store().get_documents(vec![key(NAME, who)]).await.unwrap().pop().flatten().unwrap();
    let file: File = found.decode().unwrap();
    let orders = file.pending.iter().flat_map(|pending| &pending.orders);
    let names = orders.map(|order| order.body.decode::<Greet>().unwrap().name).collect();
    (file.state.unwrap().decode().unwrap(), names)
}

fn outbox() -> ReadOutbox {
    ReadOutbox { queue: queue_of(Greet::NAME), after: 0, limit: 100 }
}

/// The names in commands that are scheduled.
async fn scheduled(world: &World) -> Vec<Personal<String>> {
    let waiting = world.bus.store().read_outbox(outbox()).await.unwrap();
    let scheduled = waiting.iter().map(|waiting| waiting.entry.body.decode::<Scheduled>().unwrap());
    scheduled.map(|scheduled| scheduled.body.decode::<Greet>().unwrap().name).collect()
}

/// What the adapter holds beside the events, as one text.
async fn held(store: &Rigged, who: &str) -> String {
    let files = store.get_documents(vec![key(NAME, who)]).await.unwrap();
    let waiting = store.read_outbox(outbox()).await.unwrap();
    let files = files.iter().flatten().map(|file| file.as_str().to_owned());
    files.chain(waiting.iter().map(|waiting| waiting.entry.body.as_str().to_owned())).collect()
}

/// PM-13, TM-12: given a process manager and commands with a subject, then what is remembered, ordered, scheduled and planned to recur
/// is sealed in the store, read as it was written, and read as forgotten once its subject is; nobody else's is, and processes go on.
#[test]
fn personal_data_beside_the_events_is_sealed_and_forgotten() {
    on_every_store(async |store| {
        let apps = [App::new("welcome").process_manager::<Guests>()];
        let world = over(&store, &apps).await;
        let name = |name: &str| Personal::Known(name.to_owned());
        let greet = |who: &str, of: &str| Greet { who: who.to_owned(), name: name(of) };
        tell(&world, "1", Came { who: "ada".into(), name: name(ADA) }).await;
        let last = tell(&world, "2", Came { who: "bob".into(), name: name("Bob Bobson") }).await;
        stored(&world, NAME, last).await;
        let far = When::After(Duration::from_secs(3600));
        world.bus.schedule(greet("ada", ADA), far, ScheduleOptions::default()).await.unwrap();
        let daily = Recurrence::new("daily", "@daily");
        world.bus.schedule_recurring(greet("ada", ADA), daily).await.unwrap();
        world.bus.schedule(greet("bob", "Bob Bobson"), far, ScheduleOptions::default()).await.unwrap();

        let (ada, names) = remembered(&world, "ada").await;
        assert_eq!((ada.name, names), (Some(name(ADA)), vec![name(ADA)]));
        assert_eq!(scheduled(&world).await, [name(ADA), name(ADA), name("Bob Bobson")]);
        let kept = held(&store, "ada").await;
        assert_eq!(kept.matches("$sealed").count(), 5, "{kept}");
        assert!(!kept.contains("Lovelace") && !kept.contains("Bobson"), "{kept}");

        perform(&world, Act::ForgetSubject { subject: subject("ada").unwrap() }).await;
        let gone = Personal::<String>::Forgotten;
        assert_eq!(scheduled(&world).await, [gone.clone(), gone.clone(), name("Bob Bobson")]);
        // What is in memory, it writes no more.
        let last = tell(&world, "3", Passed { who: "ada".into() }).await;
        stored(&world, NAME, last).await;
        assert!(!held(&store, "ada").await.contains("Lovelace"));
        world.stop().await;

        let world = over(&store, &apps).await;
        let last = tell(&world, "4", Passed { who: "ada".into() }).await;
        stored(&world, NAME, last).await;
        let (ada, names) = remembered(&world, "ada").await;
        assert_eq!((ada.days, ada.name, names), (2, Some(gone.clone()), vec![gone]));
        let (bob, names) = remembered(&world, "bob").await;
        assert_eq!((bob.name, names), (Some(name("Bob Bobson")), vec![name("Bob Bobson")]));
        world.stop().await;
    });
}

/// Given sealed values of one instance in the file of another, then they do not open there.
#[test]
fn what_is_sealed_for_one_instance_opens_for_no_other() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = over(&store, &[App::new("welcome").process_manager::<Guests>()]).await;
        let last = tell(&world, "1", Came { who: "ada".into(), name: Personal::Known(ADA.into()) }).await;
        stored(&world, NAME, last).await;
        let sealed = store.get_documents(vec![key(NAME, "ada")]).await.unwrap().pop().flatten().unwrap();
        let write = umbel_core::document::DocumentWrite {
            collection: umbel_core::process_manager::COLLECTION.to_owned(),
            key: key(NAME, "eve").key,
            body: Some(sealed),
            entries: Vec::new(),
        };
        let append = || Append { documents: vec![write.clone()], ..Append::default() };
        let refused = world.bus.store().append(append()).await.unwrap_err();
        assert!(refused.to_string().contains("only the store seals"), "{refused}");
        store.append(vec![append()], edge::now()).await.pop().unwrap().unwrap();
        let failed = world.bus.store().get_documents(vec![key(NAME, "eve")]).await.unwrap_err();
        assert!(failed.to_string().contains("was changed or put there"), "{failed}");
        world.stop().await;
    });
}
