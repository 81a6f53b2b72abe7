//! What an instance makes of events, timers and failures, without a store.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::*;
use crate::{
    Command, Event, EventId, Metadata, Position, StreamName, Timestamp, Version, events,
    store::{Append, ClaimName, Limits},
};

const NOW: Timestamp = Timestamp::from_micros(1_000_000);
/// The revision of what is settled.
const NEXT: Uuid = Uuid::from_u128(99);
const PATIENCE: Duration = Duration::from_secs(30);
const LIMITS: Limits = Limits {
    event_max_tags: 16,
    append_max_events: 10,
    payload_max_bytes: 10_000,
    append_max_bytes: 100_000,
    json_max_depth: 20,
};

#[derive(Clone, Debug, Serialize, Deserialize, Event)]
#[event(name = "shop.placed")]
struct Placed {
    order: String,
    items: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize, Event)]
#[event(name = "shop.paid")]
struct Paid {
    order: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, Event)]
#[event(name = "shop.closed")]
struct Closed {
    orders: Vec<String>,
}

events! { enum ShopEvent { Placed(Placed), Paid(Paid), Closed(Closed) } }

#[derive(Debug, Serialize, Deserialize, Command)]
#[command(name = "shop.reserve", reply = u32, rejection = String)]
struct Reserve {
    item: u32,
}

#[derive(Debug, Serialize, Deserialize, Command)]
#[command(name = "shop.ship", rejection = String)]
struct Ship {}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Shipping {
    items: u32,
    late: bool,
}

impl ProcessManager for Shipping {
    const NAME: &'static str = "shop.shipping";
    const SCHEMA: u32 = 2;
    type Event = ShopEvent;
    type Error = String;

    fn route(event: &ShopEvent, _: &RecordedEvent) -> Route {
        match event {
            ShopEvent::Placed(placed) => Route::start(&placed.order),
            ShopEvent::Paid(paid) => Route::proceed(&paid.order).strictly(),
            ShopEvent::Closed(closed) => Route::stop(closed.orders.as_slice()),
        }
    }

    fn handle(&self, cue: Cue<'_, ShopEvent>, occasion: &Occasion<'_>) -> Result<Reaction, String> {
        Ok(match cue {
            Cue::Event(ShopEvent::Placed(placed)) if placed.items == 0 => {
                return Err(format!("{} is empty at {}", occasion.instance, occasion.now));
            }
            Cue::Event(ShopEvent::Placed(placed)) => (0..placed.items)
                .fold(Reaction::nothing(), |reaction, item| reaction.and(Reserve { item }))
                .timer("payment", Duration::from_secs(60)),
            Cue::Event(ShopEvent::Paid(_)) => Reaction::command(Ship {}).cancel("payment").stop(),
            Cue::Event(ShopEvent::Closed(_)) => Reaction::nothing(),
            Cue::Timer("payment") => Reaction::nothing().timer("payment", Duration::from_secs(5)),
            Cue::Timer(_) => Reaction::nothing().stop(),
        })
    }

    fn evolve(self, cue: Cue<'_, ShopEvent>) -> Self {
        match cue {
            Cue::Event(ShopEvent::Placed(placed)) => Self { items: self.items + placed.items, ..self },
            Cue::Timer(_) => Self { late: true, ..self },
            Cue::Event(_) => self,
        }
    }

    fn upgrade(schema: u32, state: &Json) -> Option<Self> {
        (schema == 1).then(|| Self { items: state.decode().unwrap_or(0), late: false })
    }
}

fn recorded(number: u128) -> RecordedEvent {
    RecordedEvent {
        position: Position::new(1),
        stream: StreamName::new("order-1").unwrap(),
        version: Version::new(1),
        id: EventId(Uuid::from_u128(number)),
        event_type: "shop.placed/1".parse().unwrap(),
        recorded_at: NOW,
        data: Json::parse("{}").unwrap().into(),
        subject: None,
        tags: crate::Tags::none(),
        metadata: Metadata {
            correlation_id: Some(Uuid::from_u128(77)),
            ..Metadata::default().with("who", "ada")
        },
        linked_at: None,
    }
}

fn placed(items: u32) -> ShopEvent {
    Placed { order: "1".into(), items }.into()
}

fn paid() -> ShopEvent {
    Paid { order: "1".into() }.into()
}

/// What the instance "1" makes of an event.
fn given(file: Option<&File>, number: u128, event: &ShopEvent) -> Result<Decision, Trouble<String>> {
    let recorded = recorded(number);
    let route = Shipping::route(event, &recorded);
    let Interest { step, strict, .. } = route.interests()[0].clone();
    let (cue, origin) = (Cue::Event(event), Origin::from(&recorded));
    let task = Task {
        kept_as: Shipping::NAME,
        cue,
        recorded: Some(&recorded),
        origin,
        step,
        strict,
        now: NOW,
        patience: PATIENCE,
    };
    decide::<Shipping>("1", file, &task)
}

fn rung(file: &File, name: &str) -> Decision {
    let origin = file.timers[name].origin.clone();
    let (cue, step) = (Cue::Timer(name), Step::Continue);
    let task = Task {
        kept_as: Shipping::NAME,
        cue,
        recorded: None,
        origin,
        step,
        strict: false,
        now: NOW,
        patience: PATIENCE,
    };
    decide::<Shipping>("1", Some(file), &task).unwrap()
}

/// An append that a store takes: whether it writes the document, which owner it names, and which it saw.
fn write(append: &Append) -> (Option<bool>, &str, Option<&str>) {
    append.validate(&LIMITS).unwrap();
    let writes = append.documents.first().map(|write| write.body.is_some());
    (writes, &append.claims.owner, append.claims.from.as_deref())
}

fn state(file: &File) -> Shipping {
    upgrade_or_decode(file).unwrap()
}

/// PM-01: given start, continue and stop, then an instance is made with its state, goes on with it, and is removed with it: each by one
/// append, which names what was read.
#[test]
fn an_instance_begins_goes_on_and_ends() {
    let begun = given(None, 1, &placed(2)).unwrap();
    let file = begun.file.unwrap();
    let one = Uuid::from_u128(1).to_string();
    assert_eq!(write(&begun.append), (Some(true), one.as_str(), None));
    assert_eq!(begun.append.claims.take, [ClaimName::new(COLLECTION, "shop.shipping/1")]);
    assert_eq!((state(&file), file.revision), (Shipping { items: 2, late: false }, Uuid::from_u128(1)));
    assert_eq!(
        begun.append.command.as_ref().unwrap().id,
        record_id("shop.shipping", "1", Uuid::from_u128(1))
    );

    let more = given(Some(&file), 2, &placed(3)).unwrap();
    assert_eq!(state(more.file.as_ref().unwrap()).items, 5);
    assert_eq!(
        write(&more.append),
        (Some(true), Uuid::from_u128(2).to_string().as_str(), Some(one.as_str()))
    );

    let closed = Closed { orders: vec!["1".into()] }.into();
    let settled = settle(&file, Uuid::from_u128(1), &Settled::Done, NEXT).unwrap().unwrap().file.unwrap();
    let ended = given(Some(&settled), 3, &closed).unwrap();
    assert!(ended.file.is_none());
    assert_eq!(
        write(&ended.append),
        (Some(false), Uuid::from_u128(3).to_string().as_str(), Some(NEXT.to_string().as_str()))
    );
    assert_eq!(ended.append.claims.release.len(), 1);
    assert_eq!(ended.append.done, [file.timers["payment"].id], "its timer goes along");

    let nobody = given(None, 4, &closed).unwrap();
    assert!(nobody.file.is_none() && nobody.append.documents.is_empty() && nobody.append.claims.is_empty());
    assert!(nobody.append.command.is_some(), "handled, and for good");
}

/// PM-03: given a strict start of one that is there, or a strict continuation of one that is not, then an error and no append.
#[test]
fn strictness_is_about_what_is_there() {
    assert!(matches!(given(None, 1, &paid()), Err(Trouble::NotStarted)));
    let file = given(None, 1, &placed(1)).unwrap().file.unwrap();
    given(Some(&file), 2, &paid()).unwrap();
    let recorded = recorded(3);
    let event = placed(1);
    let origin = Origin::from(&recorded);
    let task = Task {
        kept_as: Shipping::NAME,
        cue: Cue::Event(&event),
        recorded: Some(&recorded),
        origin,
        step: Step::Start,
        strict: true,
        now: NOW,
        patience: PATIENCE,
    };
    assert!(matches!(decide::<Shipping>("1", Some(&file), &task), Err(Trouble::Started)));
    let skipped = skip::<Shipping>("1", Some(&file), &task);
    assert_eq!((skipped.file, skipped.append.documents.len()), (Some(file), 0));
    assert_eq!(write(&skipped.append), (None, "", None));
}

/// PM-05: commands carry the event as cause, its conversation and its entries, and ids that depend on nothing else: the same however
/// often it is handled, and others for every event and place in line.
#[test]
fn commands_have_a_cause_and_ids_for_good() {
    let file = given(None, 1, &placed(3)).unwrap().file.unwrap();
    let pending = file.outstanding().unwrap();
    assert_eq!(
        (pending.origin.cause, pending.origin.correlation_id),
        (Uuid::from_u128(1), Uuid::from_u128(77))
    );
    assert_eq!(pending.origin.custom["who"], "ada");
    let again = given(None, 1, &placed(3)).unwrap().file.unwrap();
    assert_eq!(again, file);
    let other = given(None, 2, &placed(3)).unwrap().file.unwrap();
    let mut ids: Vec<_> =
        [&file, &other].iter().flat_map(|file| file.outstanding().unwrap().orders.clone()).collect();
    assert_eq!(
        ids.iter().map(|order| order.body.as_str()).collect::<Vec<_>>()[..3],
        [r#"{"item":0}"#, r#"{"item":1}"#, r#"{"item":2}"#]
    );
    ids.sort_by_key(|order| order.id);
    ids.dedup_by_key(|order| order.id);
    assert_eq!(ids.len(), 6);
    // Stored for good: they must not change from release to release.
    assert_eq!(record_id("a", "b", Uuid::from_u128(1)).to_string(), "9ce4bb88-0a02-87bf-844e-839b80777da3");
}

/// An answer, its timers and its reminders are one append; a reminder is due when others should look after the commands.
#[test]
fn commands_and_timers_are_left_in_the_outbox() {
    let begun = given(None, 1, &placed(1)).unwrap();
    let file = begun.file.unwrap();
    let due: Vec<_> = begun.append.outbox.iter().map(|entry| (entry.body.as_str(), entry.due_at)).collect();
    assert_eq!(
        due,
        [
            (r#"{"instance":"1","timer":"payment"}"#, Some(NOW.plus(Duration::from_secs(60)))),
            (r#"{"instance":"1"}"#, Some(NOW.plus(PATIENCE))),
        ]
    );
    let settled = settle(&file, Uuid::from_u128(1), &Settled::Done, NEXT).unwrap().unwrap();
    assert_eq!(settled.append.done, [begun.append.outbox[1].id]);
    let one = Uuid::from_u128(1).to_string();
    let next = NEXT.to_string();
    assert_eq!(write(&settled.append), (Some(true), next.as_str(), Some(one.as_str())), "others notice");
    let file = settled.file.unwrap();
    assert!(
        file.pending.is_empty() && settle(&file, Uuid::from_u128(1), &Settled::Done, NEXT).unwrap().is_none()
    );

    let fired = rung(&file, "payment");
    assert_eq!(fired.append.done, [file.timers["payment"].id], "the one that ran out goes");
    assert_eq!(fired.append.outbox.len(), 1, "and one of the same name comes");
    let next = fired.file.unwrap();
    assert!(state(&next).late && next.timers["payment"].id != file.timers["payment"].id);
    assert_eq!(next.timers["payment"].origin.correlation_id, Uuid::from_u128(77));
}

/// Given a last word with commands, then the state is gone at once, and the rest of the instance with the last of them.
#[test]
fn an_instance_that_ends_leaves_when_its_commands_are_done() {
    let file = given(None, 1, &placed(1)).unwrap().file.unwrap();
    let file = settle(&file, Uuid::from_u128(1), &Settled::Done, NEXT).unwrap().unwrap().file.unwrap();
    let paid = given(Some(&file), 2, &paid()).unwrap();
    let ended = paid.file.unwrap();
    assert!(!ended.is_alive() && ended.timers.is_empty() && ended.outstanding().is_some());
    assert_eq!(paid.append.done, [file.timers["payment"].id]);
    let gone = settle(&ended, Uuid::from_u128(2), &Settled::Done, NEXT).unwrap().unwrap();
    assert!(gone.file.is_none());
    assert_eq!((write(&gone.append).0, gone.append.claims.release.len()), (Some(false), 1));
}

/// PM-06, PM-10: what becomes of commands that are left: they wait with a dead letter, others take their place under ids of their own, or
/// the instance ends.
#[test]
fn pending_commands_are_settled() {
    let file = given(None, 1, &placed(3)).unwrap().file.unwrap();
    let cause = Uuid::from_u128(1);
    let left = &file.outstanding().unwrap().orders[1..];
    let parked = settle(&file, cause, &Settled::Parked { left, letter: Position::new(1), stop: true }, NEXT)
        .unwrap()
        .unwrap()
        .file
        .unwrap();
    assert!(parked.outstanding().is_none());
    assert_eq!(parked.pending_of(cause).unwrap().orders, left);
    assert!(parked.pending_of(cause).unwrap().stop, "what it said after those that were carried out is kept");
    assert_eq!(parked.revision, NEXT, "who settles them later, of the file before, is noticed");

    let instead = Reaction::command(Ship {});
    let replaced = settle(&file, cause, &Settled::Instead { reaction: &instead, stop: false }, NEXT)
        .unwrap()
        .unwrap()
        .file
        .unwrap();
    let orders = &replaced.outstanding().unwrap().orders;
    assert_eq!((orders.len(), orders[0].name.as_str()), (1, "shop.ship"));
    assert!(!file.outstanding().unwrap().orders.iter().any(|order| order.id == orders[0].id));
    assert_eq!(replaced.outstanding().unwrap().ordered, 4);

    let reminder = file.outstanding().unwrap().reminder;
    let about = Reminder::of("1".into(), None);
    let later = put_off("shop.shipping", reminder, &about, NOW.plus(PATIENCE));
    assert_eq!(
        (later.done, later.outbox[0].id, later.outbox[0].due_at),
        (vec![reminder], reminder, Some(NOW.plus(PATIENCE)))
    );

    let nothing = Reaction::nothing();
    let ended =
        settle(&file, cause, &Settled::Instead { reaction: &nothing, stop: true }, NEXT).unwrap().unwrap();
    assert!(ended.file.is_none(), "and what follows is nothing");

    let stopped = settle(&file, cause, &Settled::Stopped, NEXT).unwrap().unwrap();
    assert!(stopped.file.is_none());
    assert_eq!(stopped.append.done.len(), 2, "the reminder and the timer");
}

/// An error is an error and nothing else; a state of an older shape is read as the author says, one of an unknown shape not at all.
#[test]
fn errors_and_old_states() {
    assert!(
        matches!(given(None, 1, &placed(0)), Err(Trouble::Error(why)) if why.starts_with("1 is empty at"))
    );
    let mut file = given(None, 1, &placed(1)).unwrap().file.unwrap();
    (file.schema, file.state) = (1, Some(Json::parse("40").unwrap().into()));
    let next = given(Some(&file), 2, &placed(2)).unwrap().file.unwrap();
    assert_eq!((next.schema, state(&next).items), (2, 42));
    file.schema = 9;
    let refused = given(Some(&file), 2, &placed(2));
    assert!(
        matches!(refused, Err(Trouble::State(why)) if why.contains("version 9") && why.contains("knows 2"))
    );
}

/// PM-02: an event may concern several, each once.
#[test]
fn routes_name_each_instance_once() {
    let route = Route::start(["a", "b"]).strictly().and(Route::stop("a")).and(Route::proceed("c"));
    let told: Vec<_> =
        route.interests().iter().map(|one| (one.instance.as_str(), one.step, one.strict)).collect();
    assert_eq!(told, [("b", Step::Start, true), ("a", Step::Stop, false), ("c", Step::Continue, false)]);
    assert!(
        Route::ignore().interests().is_empty() && Route::start(Vec::<String>::new()).interests().is_empty()
    );
}
