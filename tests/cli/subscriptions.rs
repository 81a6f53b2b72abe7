//! Durable subscriptions and their dead letters as an operator meets them.

use serde_json::{Value, json};
use umbel_core::{
    EventId, Position, Timestamp,
    store::{
        Checkpoint, Failure, KeepLeases, Lease, NewLetter, OpenSubscription, ParkLetters, SaveCheckpoints,
    },
    subscription::{Key, NodeId, Start, SubscriptionName},
    version::Place,
};
use uuid::Uuid;

use super::lines::{ended, log};
use crate::support::{Store, Umbel, with_store};

/// A store with 70 events and the subscription `mail.welcome`: at position 60, with an owner, and six dead letters, of which the first of
/// each of two keys has failed and one has a key of its own.
#[track_caller]
pub(super) fn filled(store: Store) -> Umbel {
    let umbel = Umbel::new(store);
    umbel.json(&["store", "init"]);
    assert_eq!(umbel.command_fed(&["events", "import"], &ended(&log(70))).code, Some(0));
    let events = umbel.events();
    let ids: Vec<EventId> =
        events.iter().map(|event| EventId(event["id"].as_str().unwrap().parse().unwrap())).collect();
    with_store(&umbel.place(), async |bus| {
        let (store, name) = (bus.store(), SubscriptionName::new("mail.welcome").unwrap());
        let (partitions, start, source) = (1, Start::Origin, "log".to_owned());
        let open = OpenSubscription { name: name.clone(), partitions, start, stream: None, source };
        store.open_subscription(open).await.unwrap();
        let keep = KeepLeases {
            subscription: name.clone(),
            incarnation: 0,
            node: NodeId(Uuid::from_u128(7)),
            lease_ms: 600_000,
            hold: Vec::new(),
            claim: vec![0],
            release: Vec::new(),
            leave: false,
        };
        let epoch = store.keep_leases(keep).await.unwrap().partitions[0].epoch;
        let at = Timestamp::from_micros(1_000_000);
        let letter = |(number, key, error): (u64, &str, Option<&str>)| NewLetter {
            lease: Lease { partition: 0, epoch },
            place: Place::new(number),
            key: Key::of(key),
            key_text: key.to_owned(),
            event_id: ids[usize::try_from(number).unwrap() - 1],
            position: Position::new(number),
            event_name: "test.happened".into(),
            failure: error.map(|error| Failure {
                error: error.into(),
                attempts: 2,
                first_at: at,
                last_at: at,
            }),
        };
        let letters = [
            (3, "ada", Some("connection refused")),
            (5, "ada", None),
            (7, "grace", Some("connection reset")),
            (9, "grace", None),
            (11, "ada", None),
            (13, "linus", Some("no such address")),
        ];
        let letters = letters.map(letter).to_vec();
        assert_eq!(store.park_letters(ParkLetters { subscription: name.clone(), letters }).await, Ok(vec![]));
        let checkpoints = vec![Checkpoint { partition: 0, epoch, place: Place::new(60) }];
        let saved = SaveCheckpoints { subscription: name, checkpoints };
        assert_eq!(store.save_checkpoints(saved).await, Ok(vec![]));
    });
    umbel
}

/// Answers without what grows between two questions.
fn without_ages(answers: &[Value]) -> Vec<Value> {
    let mut answers = answers.to_vec();
    for answer in &mut answers {
        let fields = answer.as_object_mut().unwrap();
        for age in ["lag_seconds", "oldest_letter_seconds"] {
            assert!(fields.remove(age).is_some(), "{age} is not told");
        }
    }
    answers
}

/// OP-18: a subscription is seen with how far it is behind, paused, resumed, reset and deleted; each is recorded.
#[test]
fn subscriptions_are_looked_after() {
    for store in Store::durable() {
        let umbel = filled(store);
        let of = |command: &str, more: &[&str]| {
            umbel.json(&[&["subscriptions", command, "mail.welcome"], more].concat()).remove(0)
        };
        let listed = umbel.json(&["subscriptions", "list"]);
        let one = &listed[0];
        assert_eq!(without_ages(&listed), without_ages(&[of("show", &[])]));
        assert_eq!((&one["lag_events"], &one["owners"], &one["owned"]), (&json!(10), &json!(1), &json!(1)));
        assert_eq!(
            (&one["members"], &one["dead_letters"], &one["paused"]),
            (&json!(1), &json!(6), &json!(false))
        );
        assert!(one["lag_seconds"].as_u64().unwrap() > 0, "{one}");
        assert_eq!((&one["replay"], &one["held_up"]), (&Value::Null, &json!([])));
        let table = umbel.command_output(&["subscriptions", "list"]).stdout;
        assert!(table.contains("mail.welcome") && table.contains("running"), "{table}");
        let shown = umbel.command_output(&["subscriptions", "show", "mail.welcome"]).stdout;
        assert!(shown.contains("10 events") && shown.contains("checkpoint"), "{shown}");

        of("pause", &["--reason", "moving"]);
        assert_eq!(of("show", &[])["paused"], true);
        of("resume", &[]);
        assert_eq!(of("show", &[])["paused"], false);
        for command in [
            &["reset", "mail.welcome", "--origin"][..],
            &["delete", "mail.welcome", "--running"],
            &["rename", "mail.welcome", "mail.greeting", "--running"],
        ] {
            let exit = umbel.command_output(&[&["subscriptions"], command].concat());
            assert!(exit.code == Some(2) && exit.stderr.contains("--yes"), "{exit:?}");
        }
        for command in
            [&["rename", "mail.welcome", "mail.greeting", "--yes"][..], &["delete", "mail.welcome", "--yes"]]
        {
            let runs = umbel.command_output(&[&["subscriptions"], command].concat());
            assert!(runs.code == Some(1) && runs.stderr.contains("runs on 1 node"), "{runs:?}");
        }
        assert_eq!(of("rename", &["mail.greeting", "--yes", "--running"])["events"], 6);
        let renamed = umbel.json(&["subscriptions", "show", "mail.greeting"]).remove(0);
        assert_eq!((&renamed["dead_letters"], &renamed["owned"]), (&json!(6), &json!(0)));
        assert_eq!(renamed["partitions"][0]["checkpoint"], 60);
        let back = ["subscriptions", "rename", "mail.greeting", "mail.greeting", "--yes"];
        let taken = umbel.command_output(&back);
        assert!(taken.code == Some(1) && taken.stderr.contains("mail.greeting already"), "{taken:?}");
        umbel.json(&["subscriptions", "rename", "mail.greeting", "mail.welcome", "--yes"]);
        let beyond = ["subscriptions", "reset", "mail.welcome", "--after", "99999", "--yes"];
        let refused = umbel.command_output(&beyond);
        assert!(refused.code == Some(1) && refused.stderr.contains("the log ends at"), "{refused:?}");
        assert!(refused.stderr.contains("--current"), "{refused:?}");
        let mistyped = umbel.command_output(&["dead-letters", "retry", "--subscription", "mail.welcom"]);
        assert!(mistyped.code == Some(1) && mistyped.stderr.contains("mail.welcom"), "{mistyped:?}");
        assert_eq!(of("reset", &["--after", "20", "--yes"])["events"], 6);
        let reset = of("show", &[]);
        assert_eq!((&reset["partitions"][0]["checkpoint"], &reset["owned"]), (&json!(20), &json!(0)));
        assert_eq!(
            reset["replay"],
            json!({"from": 20, "reached": 20, "to": 60}),
            "nobody runs: it is stored"
        );
        for command in [&["list"][..], &["show", "mail.welcome"]] {
            let told = umbel.command_output(&[&["subscriptions"], command].concat()).stdout;
            assert!(told.contains("0 of 40"), "{told}");
        }
        of("delete", &["--yes"]);
        assert_eq!(umbel.json(&["subscriptions", "list"]).len(), 0);
        for command in ["show", "pause"] {
            let missing = umbel.command_output(&["subscriptions", command, "mail.welcome"]);
            assert!(missing.code == Some(1) && missing.stderr.contains("subscriptions list"), "{missing:?}");
        }
        let audit = umbel.command_output(&["audit"]).stdout;
        for act in [
            "paused subscription",
            "renamed subscription mail.welcome to mail.greeting",
            "moving",
            "6 dead letters discarded",
            "deleted subscription",
        ] {
            assert!(audit.contains(act), "{act} in {audit}");
        }
        assert_eq!(umbel.json(&["store", "verify"]).len(), 0);
    }
}

/// UX-08: Dead letters are found by what is known of them, tried again and discarded in chunks, and edited; all are meant only if said so.
#[test]
fn dead_letters_are_looked_after() {
    for store in Store::durable() {
        let umbel = filled(store);
        let list = |filters: &[&str]| -> Vec<u64> {
            let letters = umbel.json(&[&["dead-letters", "list"], filters].concat());
            letters.iter().map(|letter| letter["place"].as_u64().unwrap()).collect()
        };
        let asked = || -> Vec<u64> {
            let mut letters = umbel.json(&["dead-letters", "list"]);
            letters.retain(|letter| letter["retry"] == true);
            letters.iter().map(|letter| letter["place"].as_u64().unwrap()).collect()
        };
        assert_eq!(list(&[]), [3, 5, 7, 9, 11, 13]);
        assert_eq!(list(&["--failed"]), [3, 7, 13]);
        assert_eq!(list(&["--error", "connection"]), [3, 7]);
        assert_eq!(list(&["--key", "ada", "--through", "5", "--subscription", "mail.welcome"]), [3, 5]);
        assert_eq!(list(&["--event", "test.other"]), [0; 0]);
        assert_eq!(list(&["--limit", "2"]), [3, 5]);
        assert_eq!(
            umbel.json(&["dead-letters", "list", "--failed", "--count"]),
            [json!({"dead_letters": 3})]
        );
        let table = umbel.command_output(&["dead-letters", "list", "--limit", "1"]).stdout;
        assert!(table.contains("connection refused") && table.ends_with("1 of 6 dead letters\n"), "{table}");
        let table = umbel.command_output(&["dead-letters", "list", "--failed"]).stdout;
        assert!(table.ends_with("3 of 3 dead letters\n"), "{table}");

        let many = |command: &str, more: &[&str]| -> Value {
            umbel.json(&[&["dead-letters", command], more].concat()).remove(0)
        };
        let dry = many("retry", &["--failed", "--dry-run"]);
        assert_eq!(dry, json!({"matching": 3, "letters": 0, "dry_run": true}));
        assert_eq!(asked(), [0; 0]);
        let done = many("retry", &["--key", "ada", "--place", "5"]);
        assert_eq!((&done["matching"], &done["letters"]), (&json!(1), &json!(2)));
        assert_eq!(asked(), [3, 5]);
        let done = many("retry", &["--all", "--chunk", "1", "--reason", "it is back"]);
        assert_eq!((&done["matching"], &done["letters"]), (&json!(6), &json!(4)));
        assert_eq!(asked(), [3, 5, 7, 9, 11, 13]);

        let done = many("retry", &["--cancel", "--key", "ada", "--reason", "not yet", "--chunk", "2"]);
        assert_eq!(done, json!({"matching": 3, "letters": 3, "dry_run": false}));
        assert_eq!((list(&["--asked"]), asked()), (vec![7, 9, 13], vec![7, 9, 13]));
        let dry = many("retry", &["--cancel", "--dry-run"]);
        assert_eq!((&dry["matching"], asked().len()), (&json!(3), 3));
        let refused = umbel.command_output(&["dead-letters", "retry", "--cancel", "--place", "3"]);
        assert!(refused.code == Some(1) && refused.stderr.contains("list --asked"), "{refused:?}");
        assert!(
            umbel.command_output(&["audit"]).stdout.contains("took back that 2 dead letters were asked for")
        );
        many("retry", &["--key", "ada"]);

        let edit = ["dead-letters", "edit", "mail.welcome", "13", "--data", r#"{"address": "s3cret"}"#];
        assert_eq!(umbel.json(&edit)[0]["events"], 1);
        let show = || umbel.json(&["dead-letters", "show", "mail.welcome", "13"]).remove(0);
        let shown = show();
        assert_eq!(shown["edited"], json!({"address": "s3cret"}));
        assert_eq!(shown["event"]["position"], 13);
        let told = umbel.command_output(&["dead-letters", "show", "mail.welcome", "13"]).stdout;
        assert!(told.contains("s3cret") && told.contains("no such address"), "{told}");
        umbel.json(&["dead-letters", "edit", "mail.welcome", "13", "--original"]);
        assert!(show().get("edited").is_none());
        let refused = umbel.command_output(&["dead-letters", "edit", "mail.welcome", "13", "--data", "{"]);
        assert!(refused.code == Some(1) && refused.stderr.contains("JSON"), "{refused:?}");
        assert!(!umbel.command_output(&["audit", "--json"]).stdout.contains("s3cret"));

        for command in [&["retry"][..], &["retry", "--cancel"], &["discard", "--yes"]] {
            let unsaid = umbel.command_output(&[&["dead-letters"], command].concat());
            assert!(unsaid.code == Some(2) && unsaid.stderr.contains("--all"), "{unsaid:?}");
            let both = umbel.command_output(&[&["dead-letters"], command, &["--all", "--failed"]].concat());
            assert!(both.code == Some(2) && both.stderr.contains("--all"), "{both:?}");
        }
        for command in [&["retry"][..], &["retry", "--dry-run"], &["discard", "--yes"]] {
            let none = umbel.command_output(&[&["dead-letters"], command, &["--place", "4"]].concat());
            assert!(
                none.code == Some(1) && none.stderr.contains("no dead letter like that is at 4"),
                "{none:?}"
            );
        }
        assert_eq!(list(&[]).len(), 6, "nothing was done");
        let exit = umbel.command_output(&["dead-letters", "discard", "--place", "3"]);
        assert!(exit.code == Some(2) && exit.stderr.contains("--yes"), "{exit:?}");
        assert_eq!(many("discard", &["--key", "ada", "--dry-run"])["matching"], 3);
        assert_eq!(many("discard", &["--key", "ada", "--chunk", "2", "--yes"])["letters"], 3);
        assert_eq!(list(&[]), [7, 9, 13]);
        let missing = umbel.command_output(&["dead-letters", "show", "mail.welcome", "3"]);
        assert!(missing.code == Some(1) && missing.stderr.contains("dead-letters list"), "{missing:?}");
        assert_eq!(umbel.json(&["store", "verify"]).len(), 0);
    }
}

/// UX-08: However many letters are meant, and however many are before them under their keys, each act is about no more than the settings
/// allow, and the audit says of each how many it was about.
#[test]
fn many_dead_letters_are_looked_after_in_chunks() {
    for store in Store::durable() {
        let mut umbel = filled(store);
        umbel.set("UMBEL__STORE__LETTERS_ACT_MAX", "2");
        let many = |command: &[&str]| umbel.json(&[&["dead-letters"], command].concat()).remove(0);
        let recorded = |name: &str| -> Vec<Value> {
            let audit = umbel.json(&["audit"]);
            let of_name = |event: &&Value| event["type"] == format!("{name}/1");
            audit.iter().filter(of_name).map(|event| event["data"]["events"].clone()).collect()
        };
        // The last of three of its key.
        let done = many(&["retry", "--place", "11", "--chunk", "10000"]);
        assert_eq!((&done["matching"], &done["letters"]), (&json!(1), &json!(3)));
        assert_eq!(recorded("umbel.letters_retried"), [2, 1]);
        let done = many(&["discard", "--all", "--yes"]);
        assert_eq!((&done["matching"], &done["letters"]), (&json!(6), &json!(6)));
        assert_eq!(recorded("umbel.letters_discarded"), [2, 2, 2]);
        assert_eq!(umbel.json(&["store", "verify"]).len(), 0);
    }
}
