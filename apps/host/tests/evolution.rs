//! Old shapes of events in the log, and everybody who reads them: each sees the newest, and each recorded event counts once.

use std::{convert::Infallible, sync::Mutex};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use umbel_bus::Bus;
use umbel_core::{
    Aggregate, Changes, Command, Context, Cue, Decide, Decision, Document, Event, EventId, ExpectedVersion,
    Json, Lineage, Metadata, NewEvent, Place, Position, ProcessManager, Projection, Reaction, RecordedEvent,
    Route, StreamName, Upcast, Upcaster, Version,
    document::{Collection, Direction, DocumentKey},
    events,
    process_manager::Occasion,
    store::{Act as Upkeep, Append, Perform, ReadAll, Selector},
    subscription::{Start, SubscriptionName},
};
use umbel_host::{
    App, BatchHandler, EventHandler, FailurePolicy, HandlerContext, HandlerOptions, HandlerStart,
    Subscription, state_at, subscribe,
};

use crate::{
    event_handlers::stored,
    failures::until_letters,
    probe::pauses,
    stores::on_every_store,
    world::{World, run, settings},
};

/// What was sold: in its first version all of one visit, in the second one thing, in the third with who sold it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sold {
    item: String,
    by: String,
}

impl Event for Sold {
    const NAME: &'static str = "stall.sold";
    const SCHEMA: u32 = 3;
    const FORMERLY: &'static [&'static str] = &["stall.vended"];
    const SUCCEEDS: &'static [Lineage] = &[LOOKED];
    const UPCASTERS: &'static [Upcaster] = &[
        |old| {
            let items: Vec<String> = old.data()?;
            items.iter().try_fold(Upcast::nothing(), |made, item| {
                made.and("stall.sold", 2, &serde_json::json!({ "item": item }))
            })
        },
        |old| {
            let mut fields = old.fields()?;
            let by = old.metadata().custom.get("who").cloned().unwrap_or("nobody".into());
            fields.insert("by".to_owned(), by);
            old.next(&fields)
        },
    ];
}

/// Who only looked is not recorded any more.
const LOOKED: Lineage = Lineage::retired("stall.looked", &[|_| Ok(Upcast::nothing())]);

events! { enum StallEvent { Sold(Sold) } }

#[derive(Clone, Debug, Default)]
struct Stall {
    sold: Vec<Sold>,
}

#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "stall.sell", reply = Vec<Sold>, rejection = String)]
struct Sell {
    item: String,
}

impl Aggregate for Stall {
    const CATEGORY: &'static str = "stall";
    type Event = StallEvent;
    type Commands = (Sell,);

    fn evolve(mut self, StallEvent::Sold(sold): &StallEvent) -> Self {
        self.sold.push(sold.clone());
        self
    }
}

impl Decide<Sell> for Stall {
    fn identify(_: &Sell) -> String {
        "1".to_owned()
    }

    fn decide(&self, command: &Sell, _: &Context<'_>) -> Result<Decision<StallEvent, Vec<Sold>>, String> {
        let sold = Sold { item: command.item.clone(), by: "me".to_owned() };
        let all = self.sold.iter().chain([&sold]).cloned().collect();
        Ok(Decision::new(vec![sold.into()], all))
    }
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, Document)]
#[document(collection = "stall.sales")]
struct Sales(Vec<(u64, Sold)>);

struct AllSales;

impl Projection for AllSales {
    const NAME: &'static str = "stall.sales";
    type Event = StallEvent;

    fn collections() -> Vec<Collection> {
        vec![Collection::of::<Sales>()]
    }

    fn project(StallEvent::Sold(sold): StallEvent, recorded: &RecordedEvent, changes: &mut Changes) {
        let position = recorded.position.get();
        changes.modify("all", move |old: Option<Sales>| {
            let mut sales = old.map_or_else(Vec::new, |Sales(sales)| sales);
            sales.push((position, sold));
            Some(Sales(sales))
        });
    }
}

/// What the handlers of a bus were given.
#[derive(Default)]
struct Seen(watch::Sender<Vec<Call>>, Mutex<bool>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Call {
    handler: &'static str,
    position: Position,
    part: u32,
    sold: Sold,
    /// The id of a command that would be dispatched for it.
    command: umbel_core::CommandId,
    attempt: u32,
}

struct Singly(Bus);
struct Together(Bus);

impl Seen {
    async fn until(&self, count: usize) -> Vec<Call> {
        self.0.subscribe().wait_for(|calls| calls.len() >= count).await.unwrap().clone()
    }

    fn note(&self, handler: &'static str, sold: Sold, context: &HandlerContext) {
        let position = context.recorded().position;
        let command = context.next_id::<Sell>();
        let call =
            Call { handler, position, part: context.part(), sold, command, attempt: context.attempt() };
        self.0.send_modify(|calls| calls.push(call));
    }
}

impl EventHandler for Singly {
    const NAME: &'static str = "stall.singly";
    type Event = StallEvent;
    type Error = &'static str;

    fn options() -> HandlerOptions {
        HandlerOptions::default().on_failure(FailurePolicy::Park { retries: 1, pauses: pauses() })
    }

    async fn init(start: &HandlerStart) -> Result<Self, &'static str> {
        Ok(Self(start.bus().clone()))
    }

    async fn handle(
        &mut self,
        StallEvent::Sold(sold): StallEvent,
        context: &HandlerContext,
    ) -> Result<(), &'static str> {
        let seen = self.0.common::<Seen>();
        let fails = sold.item == "pear" && std::mem::take(&mut *seen.1.lock().unwrap());
        seen.note(Self::NAME, sold, context);
        if fails { Err("told to") } else { Ok(()) }
    }
}

impl EventHandler for Together {
    const NAME: &'static str = "stall.together";
    type Event = StallEvent;
    type Error = Infallible;

    fn options() -> HandlerOptions {
        HandlerOptions::default().batch(10, std::time::Duration::ZERO)
    }

    async fn init(start: &HandlerStart) -> Result<Self, Infallible> {
        Ok(Self(start.bus().clone()))
    }

    async fn handle(&mut self, _: StallEvent, _: &HandlerContext) -> Result<(), Infallible> {
        panic!("batches are handled as such")
    }
}

impl BatchHandler for Together {
    async fn handle_batch(&mut self, batch: Vec<(StallEvent, HandlerContext)>) -> Result<(), Infallible> {
        for (StallEvent::Sold(sold), context) in batch {
            self.0.common::<Seen>().note(Self::NAME, sold, &context);
        }
        Ok(())
    }
}

/// Has everything that was sold noted, and remembers it.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Bookkeeping {
    items: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize, Command)]
#[command(name = "stall.note", rejection = String)]
struct Note {
    item: String,
}

#[derive(Debug, Serialize, Deserialize, Event)]
#[event(name = "stall.noted")]
struct Noted {
    item: String,
}

events! { enum LedgerEvent { Noted(Noted) } }

#[derive(Default)]
struct Ledger;

impl Aggregate for Ledger {
    const CATEGORY: &'static str = "ledger";
    type Event = LedgerEvent;
    type Commands = (Note,);

    fn evolve(self, _: &LedgerEvent) -> Self {
        self
    }
}

impl Decide<Note> for Ledger {
    fn identify(_: &Note) -> String {
        "1".to_owned()
    }

    fn decide(&self, command: &Note, _: &Context<'_>) -> Result<Decision<LedgerEvent, ()>, String> {
        Ok(LedgerEvent::from(Noted { item: command.item.clone() }).into())
    }
}

impl ProcessManager for Bookkeeping {
    const NAME: &'static str = "stall.bookkeeping";
    type Event = StallEvent;
    type Error = String;

    fn route(_: &StallEvent, _: &RecordedEvent) -> Route {
        Route::start("all")
    }

    fn handle(&self, cue: Cue<'_, StallEvent>, _: &Occasion<'_>) -> Result<Reaction, String> {
        Ok(match cue {
            Cue::Event(StallEvent::Sold(sold)) => Reaction::command(Note { item: sold.item.clone() }),
            Cue::Timer(_) => Reaction::nothing(),
        })
    }

    fn evolve(mut self, cue: Cue<'_, StallEvent>) -> Self {
        if let Cue::Event(StallEvent::Sold(sold)) = cue {
            self.items.push(sold.item.clone());
        }
        self
    }
}

fn app() -> App {
    App::new("stall")
        .aggregate::<Stall>()
        .projection::<AllSales>()
        .handler::<Singly>()
        .batch_handler::<Together>()
}

fn old(event_type: &str, data: &str, who: Option<&str>) -> NewEvent {
    let metadata = who.map_or_else(Metadata::default, |who| Metadata::default().with("who", who));
    NewEvent {
        id: EventId(umbel_bus::edge::fresh_id()),
        event_type: event_type.parse().unwrap(),
        data: Json::parse(data).unwrap().into(),
        subject: None,
        tags: umbel_core::Tags::none(),
        metadata,
    }
}

async fn append(world: &World, events: Vec<NewEvent>) {
    let stream = StreamName::new("stall-1").unwrap();
    world.bus.store().append(Append::to_stream(stream, ExpectedVersion::Any, events)).await.unwrap();
}

/// A log of the past: three versions, a former name, one that nobody needs any more.
async fn write_the_past(world: &World) {
    let events = vec![
        old("stall.vended/1", r#"["apple", "pear"]"#, Some("ada")),
        old("stall.looked/1", "{}", None),
        old("stall.sold/1", "[]", None),
        old("stall.sold/2", r#"{"item": "plum"}"#, Some("bob")),
        old("stall.sold/3", r#"{"item": "fig", "by": "eve"}"#, Some("not she")),
    ];
    append(world, events).await;
}

/// What they mean today, with their positions.
fn the_past() -> Vec<(u64, Sold)> {
    let sold = |position, item: &str, by: &str| (position, Sold { item: item.into(), by: by.into() });
    vec![sold(1, "apple", "ada"), sold(1, "pear", "ada"), sold(4, "plum", "bob"), sold(5, "fig", "eve")]
}

fn sold() -> Vec<Sold> {
    the_past().into_iter().map(|(_, sold)| sold).collect()
}

/// EH-13, UX-18: given old shapes of events, then an aggregate, its state with nobody alive, a projection, a handler, a handler of
/// batches and a subscriber get the newest, each event once and in order; versions and positions stay those of what was recorded.
#[test]
fn everybody_sees_the_newest_shape_once() {
    on_every_store(async |store| {
        let world = World::with(&store, &[app()], settings()).await;
        write_the_past(&world).await;

        let (state, version) = state_at::<Stall>(&world.bus.store(), "1", None).await.unwrap();
        assert_eq!((state.sold, version), (sold(), Version::new(5)));
        let (state, _) = state_at::<Stall>(&world.bus.store(), "1", Some(Version::new(1))).await.unwrap();
        assert_eq!(state.sold, sold()[..2]);
        let done = world.bus.dispatch(Sell { item: "kiwi".into() }).await.unwrap();
        let kiwi = Sold { item: "kiwi".into(), by: "me".into() };
        assert_eq!(
            (done.reply, done.version),
            ([sold(), vec![kiwi.clone()]].concat(), Some(Version::new(6)))
        );

        let expected = [the_past(), vec![(6, kiwi)]].concat();
        world.passed("stall.sales", Position::new(6)).await;
        let key = DocumentKey { collection: Sales::COLLECTION, key: "all".into() };
        let kept = world.bus.store().get_documents(vec![key]).await.unwrap().remove(0).unwrap();
        assert_eq!(kept.decode(), Ok(Sales(expected.clone())));

        let seen = world.bus.common::<Seen>();
        for name in [Singly::NAME, Together::NAME] {
            stored(&world, name, Place::new(6)).await;
            let calls = seen.until(10).await.into_iter().filter(|call| call.handler == name);
            let calls: Vec<_> = calls.map(|call| (call.position.get(), call.sold)).collect();
            assert_eq!(calls, expected, "{name}");
        }

        let reader = Subscription::named("stall.reader").unwrap().log(Selector {
            names: Some(
                <StallEvent as umbel_core::EventSet>::NAMES.iter().map(|&name| name.into()).collect(),
            ),
            ..Selector::all()
        });
        let mut subscriber = subscribe(&world.bus, reader).await.unwrap();
        let mut read = Vec::new();
        while read.len() < expected.len() {
            let batch = subscriber.next().await.unwrap();
            for one in batch.events() {
                let events = one.event.decode::<StallEvent>().unwrap().into_iter();
                read.extend(events.map(|StallEvent::Sold(sold)| (one.event.position.get(), sold)));
            }
            batch.ack().await.unwrap();
        }
        assert_eq!(read, expected);
        world.stop().await;
    });
}

/// EH-13: a process manager handles each of the events that a recorded one has become, in order and once, also when it comes again. Its
/// commands are caused by what was recorded.
#[test]
fn a_process_manager_sees_the_newest_shape_once() {
    on_every_store(async |store| {
        let apps = [App::new("books").aggregate::<Ledger>().process_manager::<Bookkeeping>()];
        let world = World::with(&store, &apps, settings()).await;
        write_the_past(&world).await;
        stored(&world, Bookkeeping::NAME, Place::new(5)).await;
        let subscription = SubscriptionName::new(Bookkeeping::NAME).unwrap();
        let again = Upkeep::ResetSubscription { subscription, start: Start::Origin };
        let end = perform_at(&world, again).await;
        stored(&world, Bookkeeping::NAME, end.into()).await;

        let items: Vec<_> = sold().into_iter().map(|sold| sold.item).collect();
        let key = umbel_core::process_manager::key(Bookkeeping::NAME, "all");
        let file = world.bus.store().get_documents(vec![key]).await.unwrap().remove(0).unwrap();
        let state = umbel_core::process_manager::upgrade_or_decode(&file.decode().unwrap());
        assert_eq!(state, Ok(Bookkeeping { items: items.clone() }));

        let request =
            ReadAll { from: None, direction: Direction::Forward, limit: 100, selector: Selector::all() };
        let log = world.bus.store().read_all(request).await.unwrap().events;
        let id_of = |version: usize| log[version - 1].id.0;
        let noted = log.iter().filter_map(|event| {
            let noted = event.decode_as::<Noted>().unwrap().one()?;
            Some((noted.item, event.metadata.causation_id.unwrap()))
        });
        let causes = [1, 1, 4, 5].map(id_of);
        assert_eq!(noted.collect::<Vec<_>>(), items.into_iter().zip(causes).collect::<Vec<_>>());
        world.stop().await;
    });
}

/// Does an act; the position of its record.
async fn perform_at(world: &World, act: Upkeep) -> Position {
    let id = EventId(umbel_bus::edge::fresh_id());
    let request = Perform { id, act, metadata: Metadata::default() };
    world.bus.store().perform(request).await.unwrap().position
}

/// UX-18: when one of the several events of a recorded one cannot be handled, the recorded one comes again, with all of them. Commands that
/// are dispatched for them have ids of their own, the same each time.
#[test]
fn what_was_recorded_together_is_handled_together() {
    run(async {
        let world = World::with(&std::sync::Arc::default(), &[app()], settings()).await;
        let seen = world.bus.common::<Seen>();
        *seen.1.lock().unwrap() = true;
        write_the_past(&world).await;
        stored(&world, Singly::NAME, Place::new(5)).await;
        stored(&world, Together::NAME, Place::new(5)).await;
        let calls = seen.until(10).await;
        let told = |call: &&Call| call.handler == Singly::NAME && call.position.get() == 1;
        let calls_of_the_first: Vec<_> = calls.iter().filter(told).collect();
        let told: Vec<_> =
            calls_of_the_first.iter().map(|call| (call.attempt, call.part, &*call.sold.item)).collect();
        assert_eq!(told, [(1, 0, "apple"), (1, 1, "pear"), (2, 0, "apple"), (2, 1, "pear")]);
        let ids: Vec<_> = calls_of_the_first.iter().map(|call| call.command).collect();
        assert_eq!(ids[..2], ids[2..]);
        assert_ne!(ids[0], ids[1]);
        world.stop().await;
    });
}

/// An upcaster that fails is a failure of that event like any other, for the handler that meets it: the event is kept as a dead letter,
/// which says what is wrong with which upcaster.
#[test]
fn an_upcaster_that_fails_leads_to_a_dead_letter() {
    run(async {
        let world = World::with(&std::sync::Arc::default(), &[app()], settings()).await;
        append(&world, vec![old("stall.vended/1", r#"{"no": "list"}"#, None)]).await;
        let letter = until_letters(&world, Singly::NAME, 1).await.remove(0);
        let error = letter.failure.unwrap().error;
        assert!(
            error.contains("stall.vended/1") && error.contains("the upcaster of stall.sold/1"),
            "{error}"
        );
        let error = state_at::<Stall>(&world.bus.store(), "1", None).await.unwrap_err().to_string();
        assert!(error.contains("the upcaster of stall.sold/1"), "{error}");
        world.stop().await;
    });
}
