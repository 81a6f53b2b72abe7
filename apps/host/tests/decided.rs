//! Commands for later that decisions plan, in the append of their events, and those that handlers of events plan.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use umbel_bus::edge;
use umbel_core::{
    Aggregate, Boundary, Command, CommandId, Context, Decide, Decision, Event, Position, RecordedEvent,
    StreamName, TagQuery, Tags, Timestamp, Version, boundary,
    document::Direction,
    events,
    schedule::{Bounds, Scheduled, id_at, id_named},
    store::{ReadAll, ReadOutbox, Selector, Waiting},
};
use umbel_host::{
    App, DispatchError, DispatchOptions, EventHandler, HandlerContext, HandlerStart, HostSettings,
    ScheduleId, ScheduleOptions, ScheduleSettings, When,
};
use uuid::Uuid;

use crate::{stores::on_every_store, world::*};

const QUEUE: &str = "schedule.lamp";

/// Lights a lamp, and plans, or not, that it goes out.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "lamp.light", rejection = String)]
struct Light {
    lamp: String,
    then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Then {
    OutAfter(u64),
    OutNow,
    OutByName(u64),
    StayOn,
    /// No event at all.
    OnlyStayOn,
    /// A plan without a name and an event.
    Wrong,
}

#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "lamp.put_out", rejection = String)]
struct PutOut {
    lamp: String,
    seconds: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, Event)]
#[event(name = "lamp.lit")]
struct Lit {}

#[derive(Clone, Debug, Serialize, Deserialize, Event)]
#[event(name = "lamp.out")]
struct Out {
    seconds: u64,
}

events! { #[derive(Clone)] enum LampEvent { Lit(Lit), Out(Out) } }

#[derive(Default)]
struct Lamp;

impl Aggregate for Lamp {
    const CATEGORY: &'static str = "lamp";
    type Event = LampEvent;
    type Commands = (Light, PutOut);

    fn evolve(self, _: &LampEvent) -> Self {
        self
    }
}

fn planned(Light { lamp, then }: &Light) -> Decision<LampEvent, ()> {
    let lit = || Decision::new(vec![Lit {}.into()], ());
    let out = |seconds| PutOut { lamp: lamp.clone(), seconds };
    let after = |seconds| When::After(Duration::from_secs(seconds));
    match *then {
        Then::OutAfter(seconds) => lit().schedule(out(seconds), after(seconds)),
        Then::OutNow => lit().schedule(out(0), When::At(Timestamp::from_micros(1_000_000))),
        Then::OutByName(seconds) => lit().schedule_as("out", out(seconds), after(seconds)),
        Then::StayOn => lit().cancel("out"),
        Then::OnlyStayOn => Decision::nothing(()).cancel("out"),
        Then::Wrong => Decision::nothing(()).schedule(out(1), after(1)),
    }
}

impl Decide<Light> for Lamp {
    fn identify(command: &Light) -> String {
        command.lamp.clone()
    }

    fn decide(&self, command: &Light, _: &Context<'_>) -> Result<Decision<LampEvent, ()>, String> {
        Ok(planned(command))
    }
}

impl Decide<PutOut> for Lamp {
    fn identify(command: &PutOut) -> String {
        command.lamp.clone()
    }

    fn decide(&self, command: &PutOut, _: &Context<'_>) -> Result<Decision<LampEvent, ()>, String> {
        Ok(LampEvent::from(Out { seconds: command.seconds }).into())
    }
}

/// The same by a boundary.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(name = "lamp.light_all", rejection = String)]
struct LightAll(Light);

struct Lamps;

impl Boundary for Lamps {
    type Command = LightAll;
    type Event = LampEvent;
    const CATEGORY: &'static str = "lamp";

    fn identify(LightAll(light): &LightAll) -> String {
        light.lamp.clone()
    }

    fn query(_: &LightAll) -> TagQuery {
        TagQuery::tagged(Tags::of("lamp", "none"))
    }

    fn begin(_: &LightAll) -> Self {
        Self
    }

    fn evolve(self, _: &LampEvent) -> Self {
        self
    }

    fn decide(&self, LightAll(light): &LightAll, _: &Context<'_>) -> boundary::Decided<Self> {
        Ok(planned(light))
    }
}

fn quick() -> HostSettings {
    let schedule = ScheduleSettings { poll_ms: 10, ..ScheduleSettings::default() };
    HostSettings { schedule, ..settings() }
}

async fn lamps(store: &Arc<Rigged>) -> World {
    World::with(store, &[App::new("lamp").aggregate::<Lamp>().boundary::<Lamps>()], quick()).await
}

fn light(then: Then) -> Light {
    Light { lamp: "hall".into(), then }
}

fn stream() -> StreamName {
    StreamName::of("lamp", "hall").unwrap()
}

async fn waiting(world: &World) -> Vec<(Waiting, Scheduled)> {
    let request = ReadOutbox { queue: QUEUE.into(), after: 0, limit: 1000 };
    let waiting = world.bus.store().read_outbox(request).await.unwrap();
    waiting.into_iter().map(|one| (one.clone(), one.entry.body.decode().unwrap())).collect()
}

async fn seconds(world: &World) -> Vec<u64> {
    let waiting = waiting(world).await;
    waiting.iter().map(|(_, scheduled)| scheduled.body.decode::<PutOut>().unwrap().seconds).collect()
}

async fn log_from(world: &World, from: Position) -> Vec<RecordedEvent> {
    let (direction, selector) = (Direction::Forward, Selector::all());
    let request = ReadAll { from: Some(from), direction, limit: 100, selector };
    world.bus.store().read_all(request).await.unwrap().events
}

async fn version(world: &World) -> Version {
    world.bus.store().stream_info(stream()).await.unwrap().version
}

/// TM-09: given a decision that plans a command, then that is there with its events, under an id of stream and version, and is carried out
/// when its time has come, in the same conversation.
#[test]
fn what_a_decision_plans_is_stored_with_its_events() {
    on_every_store(async |store| {
        let world = lamps(&store).await;
        world.bus.dispatch(light(Then::OutAfter(3600))).await.unwrap();
        let (entry, scheduled) = waiting(&world).await.remove(0);
        assert_eq!(entry.entry.id, id_at(&stream(), Version::new(1), 0));
        let in_an_hour = edge::now().as_micros() + 3_600_000_000;
        assert!((in_an_hour - scheduled.due_at.as_micros()).abs() < 60_000_000);
        assert_eq!(world.bus.cancel_schedule(ScheduleId(entry.entry.id)).await, Ok(true));

        let (id, conversation) = (Uuid::from_u128(9), Uuid::from_u128(77));
        let options = DispatchOptions::default().command_id(CommandId(id)).correlation_id(conversation);
        for _ in 0..2 {
            world.bus.dispatch_with(light(Then::OutNow), options.clone()).await.unwrap();
            while version(&world).await < Version::new(3) || !waiting(&world).await.is_empty() {
                pause().await;
            }
        }
        assert_eq!(version(&world).await, Version::new(3), "it came again, and planned nothing more");
        let log = world.bus.store().find_command(CommandId(id)).await.unwrap().unwrap();
        let out = log.last_position.unwrap().next();
        let events = log_from(&world, out).await;
        assert_eq!(events[0].metadata.correlation_id, Some(conversation));
        assert_eq!(events[0].metadata.causation_id, Some(id));

        let wrong = world.bus.dispatch(light(Then::Wrong)).await;
        assert!(
            matches!(&wrong, Err(DispatchError::Failed { reason }) if reason.contains("name")),
            "{wrong:?}"
        );
        world.stop().await;
    });
}

/// TM-09: what is decided ahead of the store carries its plans along, each with its own events.
#[test]
fn plans_fly_along() {
    on_every_store(async |store| {
        let world = lamps(&store).await;
        world.bus.dispatch(light(Then::StayOn)).await.unwrap();
        store.shut();
        let mut flying = JoinSet::new();
        for seconds in 1000..1005 {
            let bus = world.bus.clone();
            flying.spawn(async move { bus.dispatch(light(Then::OutAfter(seconds))).await.unwrap() });
        }
        store.waits().await;
        store.open();
        flying.join_all().await;
        let mut ids: Vec<_> = waiting(&world).await.iter().map(|(waiting, _)| waiting.entry.id).collect();
        let mut expected: Vec<_> = (2..7).map(|first| id_at(&stream(), Version::new(first), 0)).collect();
        ids.sort_unstable();
        expected.sort_unstable();
        assert_eq!(ids, expected);
        world.stop().await;
    });
}

/// TM-09: under a name one command waits, that of the last decision; one that takes it back leaves nothing, with or without an event. An
/// aggregate and a boundary of the same stream share its names.
#[test]
fn a_name_is_replaced_and_taken_back() {
    on_every_store(async |store| {
        let world = lamps(&store).await;
        for (then, left) in [
            (Then::OnlyStayOn, vec![]),
            (Then::OutByName(1000), vec![1000]),
            (Then::OutByName(2000), vec![2000]),
            (Then::StayOn, vec![]),
            (Then::OutByName(3000), vec![3000]),
            (Then::OnlyStayOn, vec![]),
        ] {
            world.bus.dispatch(light(then)).await.unwrap();
            assert_eq!(seconds(&world).await, left, "{then:?}");
            world.bus.dispatch(LightAll(light(then))).await.unwrap();
            assert_eq!(seconds(&world).await, left, "{then:?} by a boundary");
        }
        world.stop().await;
    });
}

/// TM-03: given a decision that takes a command back while a node is about to carry it out, then whoever is first is right: taken back, it
/// is not taken any more; taken, the decision is made once more, and the command carried out.
#[test]
fn a_command_is_taken_back_by_a_decision_or_carried_out() {
    on_every_store(async |store| {
        let world = lamps(&store).await;
        let bounds = Bounds {
            lease_micros: 3_600_000_000,
            late_after_micros: 1,
            retry_min_micros: 1,
            retry_max_micros: 1,
            attempts_max: 3,
        };
        let take = |(read, found): (Waiting, Scheduled)| {
            found.take(&read, edge::now(), None, edge::fresh_id(), &bounds).unwrap()
        };
        world.bus.dispatch(light(Then::OutByName(1000))).await.unwrap();
        assert_eq!(waiting(&world).await[0].0.entry.id, id_named(&stream(), "out"));
        let taken = take(waiting(&world).await.remove(0));
        world.bus.dispatch(light(Then::StayOn)).await.unwrap();
        let appended = world.bus.store().append(taken.append.clone()).await.unwrap();
        assert!(!taken.is_ours(appended.repeated.as_ref()), "a node has read it before");
        assert!(seconds(&world).await.is_empty());

        for (then, by_boundary) in [(Then::StayOn, false), (Then::OnlyStayOn, false), (Then::StayOn, true)] {
            world.bus.dispatch(light(Then::OutByName(1000))).await.unwrap();
            let before = version(&world).await;
            let taken = take(waiting(&world).await.pop().unwrap());
            let run = taken.run.clone().unwrap();
            store.intrude_with(taken.append, 1);
            if by_boundary {
                world.bus.dispatch(LightAll(light(then))).await.unwrap();
            } else {
                world.bus.dispatch(light(then)).await.unwrap();
            }
            let left: Vec<_> = waiting(&world).await.iter().map(|(waiting, _)| waiting.entry.id).collect();
            assert_eq!(left, [run.id], "{then:?}: it is being carried out");
            let events = u64::from(then != Then::OnlyStayOn);
            assert_eq!(version(&world).await.get(), before.get() + events);
            world.bus.cancel_schedule(ScheduleId(run.id)).await.unwrap();
        }
        world.stop().await;
    });
}

/// How often it has handled that a lamp was lit. One test counts.
static HANDLED: AtomicU32 = AtomicU32::new(0);

/// Plans that a lamp goes out when it was lit, and fails once after that.
struct Watchman;

impl EventHandler for Watchman {
    const NAME: &'static str = "lamp.watchman";
    type Event = LampEvent;
    type Error = anyhow::Error;

    async fn init(_: &HandlerStart) -> anyhow::Result<Self> {
        Ok(Self)
    }

    async fn handle(&mut self, event: LampEvent, context: &HandlerContext) -> anyhow::Result<()> {
        if let LampEvent::Lit(_) = event {
            let out = |seconds| PutOut { lamp: "hall".into(), seconds };
            let now = When::At(Timestamp::from_micros(1_000_000));
            let far = When::After(Duration::from_secs(3600));
            let first = context.schedule(out(1), now, ScheduleOptions::default()).await?;
            let second = context.schedule(out(2), far, ScheduleOptions::default()).await?;
            let third = context.schedule(out(3), far, ScheduleOptions::default()).await?;
            anyhow::ensure!(first != second && second != third, "each has an id of its own");
            context.cancel_schedule(third).await?;
            HANDLED.fetch_add(1, Ordering::SeqCst);
            anyhow::ensure!(context.attempt() > 1, "told to fail");
        }
        Ok(())
    }
}

/// TM-10: given a handler of an event that plans a command, when the event is handled again, then nothing more is planned, also once the
/// command was carried out or taken back; it is of the event's conversation, and caused by it.
#[test]
fn a_handler_plans_once_however_often_an_event_comes() {
    on_every_store(async |store| {
        HANDLED.store(0, Ordering::SeqCst);
        let app = App::new("lamp").aggregate::<Lamp>().handler::<Watchman>();
        let world = World::with(&store, &[app], quick()).await;
        let lit = world.bus.dispatch(light(Then::StayOn)).await.unwrap();
        while HANDLED.load(Ordering::SeqCst) < 2 || version(&world).await < Version::new(2) {
            pause().await;
        }
        // What was planned for now is put down as done.
        while waiting(&world).await.len() != 1 {
            pause().await;
        }
        assert_eq!(seconds(&world).await, [2]);
        let events = log_from(&world, lit.position.unwrap()).await;
        assert_eq!(events.len(), 2, "one was planned for now, and once");
        assert_eq!(events[1].metadata.correlation_id, events[0].metadata.correlation_id);
        assert_eq!(events[1].metadata.causation_id, Some(events[0].id.0));
        world.stop().await;
    });
}
