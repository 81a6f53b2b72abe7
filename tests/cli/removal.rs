//! Removing a long stream for good, and dying meanwhile.

use serde_json::{Value, json};
use tokio::runtime::Builder;
use umbel_core::EventId;
use umbel_persistence::{StoreSettings, open_existing};

use super::lines::{ended, line};
use crate::support::{Running, Store, Umbel, eventually};

/// Events of the stream that goes: each is a transaction of its own here.
const LONG: u64 = 1_000;

fn delete_long() -> [&'static str; 7] {
    ["streams", "delete", "long", "--hard", "--yes", "--set", "store.allow_hard_removal=true"]
}

/// Kills what removes the long stream as soon as an event of it is gone that was there before; nobody else is at it.
fn killed_in_between(umbel: &Umbel, first: u64) -> u64 {
    let place = umbel.place();
    let settings = StoreSettings { url: place.url, schema: place.schema, ..StoreSettings::default() };
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let store = runtime.block_on(open_existing(&settings)).unwrap();
    let id = EventId(line(first, "long", 1)["id"].as_str().unwrap().parse().unwrap());
    assert!(runtime.block_on(store.find_event(id)).unwrap().is_some());
    umbel.command_killed(&delete_long(), |_| {
        runtime.block_on(store.find_event(id)).unwrap().is_none().then_some(())
    });
    let begun = runtime.block_on(store.removals()).unwrap();
    assert_eq!(begun.len(), 1, "it is not through: {begun:?}");
    let shown = umbel.json(&["streams", "show", "long"]);
    assert!(shown.len() == 1 && shown[0]["deleted_at"].is_string(), "only about the stream: {shown:?}");
    assert_eq!(umbel.json(&["store", "verify"]).len(), 0);
    assert_eq!(umbel.json(&["audit"]).len(), 0, "it is recorded when it is through");
    let log = umbel.events();
    let of = |name: &str| log.iter().filter(|event| event["stream"] == name).count() as u64;
    assert_eq!(of("kept"), LONG / 10, "whoever follows the log misses nothing that stays");
    let gone = LONG - of("long");
    assert!(0 < gone && gone < LONG, "{gone}");
    gone
}

fn filled(store: Store) -> Umbel {
    let mut umbel = Umbel::new(store);
    umbel.set("UMBEL__STORE__REMOVAL_STEP_MAX", "1");
    umbel.set("USER", "grace");
    umbel.json(&["store", "init"]);
    let long = (1..=LONG).map(|number| line(number, "long", number));
    let kept = (1..=LONG / 10).map(|number| line(LONG + number, "kept", number));
    let lines: Vec<Value> = long.chain(kept).collect();
    assert_eq!(umbel.command_fed(&["events", "import"], &ended(&lines)).code, Some(0));
    umbel
}

/// One record, of whoever began, with all that went.
fn is_through(umbel: &Umbel) {
    let acts = umbel.json(&["audit"]);
    let [act] = &acts[..] else { panic!("{acts:?}") };
    assert_eq!((&act["data"]["events"], &act["metadata"]["by"]), (&LONG.into(), &"grace".into()), "{act}");
    assert_eq!(umbel.json(&["store", "verify"]).len(), 0);
    assert_eq!(umbel.events().len() as u64, LONG / 10 + 1);
    let anew = line(2 * LONG, "long", 1);
    assert_eq!(umbel.command_fed(&["events", "import", "--into-existing"], &ended(&[anew])).code, Some(0));
}

/// LD-07: given kill -9 between two steps of a removal, twice, then all that is there is understood, and the next call ends it.
#[test]
fn a_removal_that_was_killed_is_ended_by_the_next_call() {
    for store in Store::durable() {
        let umbel = filled(store);
        let gone = killed_in_between(&umbel, 1);
        assert!(killed_in_between(&umbel, gone + 1) > gone);
        let ended = &umbel.json(&delete_long())[0];
        assert_eq!(ended["events"], LONG, "{ended}");
        is_through(&umbel);
    }
}

/// LD-07: given kill -9 between two steps of a removal, then the next umbrella that starts ends it.
#[test]
fn a_removal_that_was_killed_is_ended_by_the_next_start() {
    for store in Store::durable() {
        let umbel = filled(store);
        killed_in_between(&umbel, 1);
        let running = umbel.run();
        eventually("the removal to be through", || (umbel.json(&["audit"]).len() == 1).then_some(()));
        drop(running);
        is_through(&umbel);
    }
}

fn shown(running: &Running) -> u64 {
    running.client().get("/api/articles").body["articlesCount"].as_u64().unwrap()
}

/// LD-08: given an article whose stream was deleted, then who wants to change it does not find it, it is told which projections still show
/// it, and these show nothing of it when they are built anew once its events are gone for good.
#[test]
fn what_still_shows_of_a_deleted_stream_is_told() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        let running = umbel.run();
        let ada = running.client().register("ada");
        ada.publish("Ghost", &[]);
        let events = umbel.events();
        let published =
            events.iter().find(|event| event["type"].as_str().unwrap().starts_with("articles.published/"));
        let stream = published.unwrap()["stream"].as_str().unwrap();
        let change = || ada.put("/api/articles/ghost", &json!({"article": {"body": "Boo."}})).status;
        assert_eq!((change(), shown(&running)), (200, 1));

        let deleted = umbel.command_output(&["streams", "delete", stream, "--json", "--yes"]);
        let answer: Value = serde_json::from_str(&deleted.stdout).unwrap();
        assert!(answer["projections"].as_array().unwrap().contains(&"articles.list".into()), "{answer}");
        assert!(deleted.stderr.contains("articles.list") && deleted.stderr.contains("--hard"), "{deleted:?}");
        assert_eq!((change(), shown(&running)), (404, 1));

        let hard = ["streams", "delete", stream, "--hard", "--yes", "--set", "store.allow_hard_removal=true"];
        let gone = umbel.command_output(&hard);
        assert!(gone.code == Some(0) && gone.stderr.contains("projections rebuild"), "{gone:?}");
        // What a process has stored itself it may show for a second after another one has removed it.
        running.kill();
        let running = umbel.run();
        assert_eq!(shown(&running), 1);
        umbel.json(&["projections", "rebuild", "articles.list"]);
        eventually("lists without it", || (shown(&running) == 0).then_some(()));
        running.kill();
    }
}

/// LD-10: given a truncated stream, when it is truncated before where it begins, then nothing is done and recorded, and where it begins is
/// told; what is hidden already is still removed for good.
#[test]
fn a_stream_is_said_to_begin_where_it_does() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        umbel.json(&["store", "init"]);
        let lines: Vec<Value> = (1..=5).map(|number| line(number, "cart-20", number)).collect();
        assert_eq!(umbel.command_fed(&["events", "import"], &ended(&lines)).code, Some(0));
        let truncate = |before: &str, more: &[&str]| {
            umbel.command_output(&[&["streams", "truncate", "cart-20", "--before", before], more].concat())
        };
        let first = truncate("3", &["--yes"]);
        assert!(first.code == Some(0) && first.stdout.contains("begins at version 3;"), "{first:?}");
        for before in ["1", "3"] {
            let again = truncate(before, &[]);
            assert!(again.code == Some(0), "{again:?}");
            assert!(again.stdout.contains("begins at version 3 already; nothing was done"), "{again:?}");
        }
        let again = truncate("2", &["--json"]);
        assert_eq!(serde_json::from_str::<Value>(&again.stdout).unwrap(), json!({"first_version": 3}));
        assert_eq!(umbel.json(&["audit"]).len(), 1);
        let hard = truncate("2", &["--hard", "--yes", "--set", "store.allow_hard_removal=true"]);
        assert!(hard.code == Some(0) && hard.stdout.contains("begins at version 3;"), "{hard:?}");
        assert!(hard.stdout.contains("1 event and 0 links are gone for good"), "{hard:?}");
        assert_eq!(umbel.json(&["store", "verify"]).len(), 0);
    }
}
