//! Instances of process managers from the shell.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use umbel_core::{
    CommandId, Json, Position, Timestamp,
    document::DocumentWrite,
    process_manager::{COLLECTION, File, Order, Origin, Pending, Reminder, Timer, key, queue},
    store::{Append, ClaimName, Claims, OutboxEntry},
};
use uuid::Uuid;

use crate::support::{Store, Umbel, with_store};

const LATE: Timestamp = Timestamp::from_micros(1_000_000);
const FAR: Timestamp = Timestamp::from_micros(4_000_000_000_000_000);

fn origin(cause: u128) -> Origin {
    Origin {
        cause: Uuid::from_u128(cause),
        event: None,
        correlation_id: Uuid::nil(),
        custom: BTreeMap::new(),
        timer: false,
    }
}

fn file(manager: &str, instance: &str) -> File {
    File {
        manager: manager.into(),
        instance: instance.into(),
        schema: 1,
        revision: Uuid::nil(),
        state: Some(Json::parse(r#"{"items":[7]}"#).unwrap().into()),
        timers: BTreeMap::new(),
        pending: Vec::new(),
    }
}

/// An instance as it is kept, with what reminds of it: a number for each timer, how often it failed.
fn kept(file: &File, reminders: &[(Uuid, Option<&str>, u32)]) -> Append {
    let key = key(&file.manager, &file.instance).key;
    let take = vec![ClaimName::new(COLLECTION, key.clone())];
    let body = Json::encode(file).unwrap();
    let outbox = reminders.iter().map(|(id, timer, failed)| {
        let about = Reminder::of(file.instance.clone(), timer.map(str::to_owned));
        let about = if *failed > 0 { about.tried(*failed, "no such card") } else { about };
        let body = Json::encode(&about).unwrap();
        OutboxEntry { id: *id, queue: queue(&file.manager), body, due_at: Some(FAR) }
    });
    Append {
        claims: Claims { owner: file.revision.to_string(), take, ..Claims::default() },
        documents: vec![DocumentWrite {
            collection: COLLECTION.into(),
            key,
            body: Some(body),
            entries: Vec::new(),
        }],
        outbox: outbox.collect(),
        ..Append::default()
    }
}

/// Three orders, one of which fails, one that waits with a dead letter, and one of another process manager.
fn filled(store: Store) -> Umbel {
    let umbel = Umbel::new(store);
    umbel.json(&["store", "init"]);
    let (failing, quiet) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let timer = |id, due_at| Timer { id, due_at, origin: origin(9) };
    let timers = [("payment".to_owned(), timer(failing, LATE)), ("thanks".to_owned(), timer(quiet, FAR))];
    let first = File { timers: timers.into(), ..file("shop.fulfilment", "order-1") };
    let order = Order {
        id: CommandId(Uuid::from_u128(5)),
        name: "stock.ship".into(),
        schema: 1,
        body: Json::parse("{}").unwrap().into(),
    };
    let pending = Pending {
        origin: origin(3),
        reminder: Uuid::from_u128(4),
        orders: vec![order],
        ordered: 1,
        parked: true,
        letter: Some(Position::new(17)),
        stop: false,
    };
    let second = File { pending: vec![pending], state: None, ..file("shop.fulfilment", "order-2") };
    let appends = [
        kept(&first, &[(failing, Some("payment"), 4), (quiet, Some("thanks"), 0)]),
        kept(&second, &[]),
        kept(&file("shop.fulfilment", "order-3"), &[]),
        kept(&file("shop.fulfilments", "order-1"), &[]),
    ];
    with_store(&umbel.place(), async |bus| {
        for append in appends {
            bus.store().append(append).await.unwrap();
        }
    });
    umbel
}

/// PM-17: given instances that are under way, when they are listed or one is shown, then each is told with its timers and the commands that
/// are left, and with what fails; all, those of one process manager, or some of them.
#[test]
fn instances_are_listed_and_shown() {
    for store in Store::durable() {
        let umbel = filled(store);
        let listed = |arguments: &[&str]| -> Vec<Value> {
            umbel.json(&[&["process-managers", "list"], arguments].concat())
        };
        let names = |arguments: &[&str]| -> Vec<String> {
            let name = |row: &Value| {
                format!("{}/{}", row["manager"].as_str().unwrap(), row["instance"].as_str().unwrap())
            };
            listed(arguments).iter().map(name).collect()
        };
        let all = ["order-1", "order-2", "order-3"].map(|order| format!("shop.fulfilment/{order}"));
        assert_eq!(names(&["shop.fulfilment"]), all);
        assert_eq!(names(&[]).len(), 4);
        assert_eq!(names(&["--limit", "2"]), all[..2]);
        assert_eq!(names(&["shop.fulfilment", "--after", "order-1"]), all[1..]);
        assert_eq!(names(&["shop.fulfilment", "--after", "order-1", "--limit", "1"]), all[1..2]);
        assert_eq!(names(&["shop"]).len(), 0);

        let rows = listed(&["shop.fulfilment"]);
        assert_eq!((&rows[0]["attempts"], &rows[0]["error"]), (&json!(4), &json!("no such card")));
        assert_eq!((&rows[1]["alive"], &rows[1]["commands"][0]["dead_letter"]), (&json!(false), &json!(17)));
        assert!(rows.iter().all(|row| row.get("state").is_none()), "{rows:?}");
        let words = umbel.command_output(&["process-managers", "list"]).stdout;
        assert!(words.contains("order-1") && words.contains("no such card"), "{words}");

        let shown = &umbel.json(&["process-managers", "show", "shop.fulfilment", "order-1"])[0];
        assert_eq!(shown["state"], json!({"items": [7]}));
        let timers = shown["timers"].as_array().unwrap();
        let told: Vec<_> = timers.iter().map(|timer| (&timer["name"], &timer["attempts"])).collect();
        assert_eq!(told, [(&json!("payment"), &json!(4)), (&json!("thanks"), &json!(0))]);
        let words = umbel.command_output(&["process-managers", "show", "shop.fulfilment", "order-2"]).stdout;
        assert!(words.contains("stock.ship") && words.contains("dead letter at 17"), "{words}");

        let nothing = umbel.command_output(&["process-managers", "show", "shop.fulfilment", "order-9"]);
        let is_told = nothing.stderr.contains("order-9") && nothing.stderr.contains("process-managers list");
        assert!(nothing.code == Some(1) && is_told, "{nothing:?}");
    }
}
