//! Acts of upkeep from the shell: checked as those of an app are, recorded with who and why, also beside a running umbrella.

use serde_json::Value;

use super::lines::{ended, log, personal};
use crate::support::{Store, Umbel};

#[track_caller]
fn filled(store: Store) -> Umbel {
    let mut umbel = Umbel::new(store);
    umbel.set("USER", "grace");
    umbel.json(&["store", "init"]);
    assert_eq!(umbel.command_fed(&["events", "import"], &ended(&log(70))).code, Some(0));
    umbel
}

/// Every act leaves a record with who did it and why, and what can be read afterwards is what it says.
#[test]
fn acts_are_done_and_recorded() {
    for store in Store::durable() {
        let umbel = filled(store);
        let sealed = ended(&[personal(71, "account-1", 1, "account-1")]);
        assert_eq!(umbel.command_fed(&["events", "import", "--into-existing"], &sealed).code, Some(0));
        let versions = |stream: &str| -> Vec<u64> {
            let lines = umbel.json(&["streams", "show", stream]);
            lines[1..].iter().map(|event| event["version"].as_u64().unwrap()).collect()
        };
        umbel.json(&["streams", "truncate", "even-0", "--before", "19", "--reason", "old", "--yes"]);
        assert_eq!(versions("even-0"), [19, 20]);
        umbel.json(&["streams", "delete", "odd", "--yes"]);
        assert_eq!(umbel.json(&["streams", "show", "odd"]).len(), 1, "only about the stream, and no events");
        let ada = umbel.events()[0]["id"].as_str().unwrap().to_owned();
        let linked = &umbel.json(&["streams", "link", "best", &ada])[0];
        assert_eq!(linked["version"], 1, "{linked}");
        let archived = &umbel.json(&["store", "archive", "--through", "50", "--chunk", "20"])[0];
        assert_eq!((&archived["events"], &archived["archived_to"]), (&50.into(), &50.into()));
        let archived = &umbel.json(&["store", "archive", "--before", "2026-01-31T12:08:00Z"])[0];
        assert_eq!((&archived["events"], &archived["archived_to"]), (&5.into(), &55.into()));
        umbel.json(&["store", "forget", "account-1", "--reason", "asked for it", "--yes"]);
        assert_eq!(umbel.events().len(), 78, "nothing is gone, and each act is recorded");

        let acts = umbel.json(&["audit"]);
        let names: Vec<_> = acts.iter().map(|act| act["data"]["act"].as_str().unwrap()).collect();
        let archive = ["archive"; 4];
        assert_eq!(
            names,
            [&["truncate_stream", "delete_stream"], &archive[..], &["forget_subject"]].concat()
        );
        assert!(acts.iter().all(|act| act["metadata"]["by"] == "grace"), "{acts:?}");
        assert_eq!(acts[0]["metadata"]["reason"], "old");
        assert_eq!(umbel.json(&["audit", "--last", "1"]), acts[6..]);
        assert_eq!(umbel.json(&["events", "tail", "--category", "$audit"]), acts);
        let told = umbel.command_output(&["audit"]).stdout;
        assert!(told.contains("forgot account-1") && told.contains("asked for it"), "{told}");
        assert_eq!(umbel.json(&["store", "verify"]).len(), 0);
    }
}

/// OP-21: given a subject of whom nothing was sealed, when it is to be forgotten, then that is said and nothing done, unless it is
/// insisted on; of another one it is said whether it had a key or was forgotten before.
#[test]
fn who_is_not_known_is_not_forgotten_by_mistake() {
    for store in Store::durable() {
        let umbel = filled(store);
        let sealed = ended(&[personal(71, "account-1", 1, "ada")]);
        assert_eq!(umbel.command_fed(&["events", "import", "--into-existing"], &sealed).code, Some(0));
        let forget = |arguments: &[&str]| {
            umbel.command_output(&[&["store", "forget"], arguments, &["--yes"]].concat())
        };
        let mistaken = forget(&["adda"]);
        assert_eq!(mistaken.code, Some(1), "{mistaken:?}");
        assert!(mistaken.stderr.contains("nothing of adda was ever sealed here"), "{mistaken:?}");
        assert_eq!(umbel.json(&["audit"]).len(), 0, "nothing was done");

        for (arguments, words) in
            [(&["ada"][..], "its key is gone"), (&["grace", "--unknown"], "had no key here")]
        {
            let told = forget(arguments);
            assert!(told.code == Some(0) && told.stdout.contains(words), "{told:?}");
            let again = forget(arguments);
            assert!(again.code == Some(0) && again.stdout.contains("was forgotten before"), "{again:?}");
            let again = umbel.json(&[&["store", "forget"], arguments, &["--yes"]].concat());
            assert_eq!(again[0]["before"], "forgotten", "{again:?}");
        }
        let name = &umbel.events()[70]["data"]["name"];
        assert_eq!(name, &serde_json::json!({"$forgotten": true}));
    }
}

/// What an app could not do, nobody does from the shell.
#[test]
fn acts_are_checked() {
    for store in Store::durable() {
        let umbel = filled(store);
        let refused = |arguments: &[&str], part: &str| {
            let exit = umbel.command_output(&[arguments, &["--yes"]].concat());
            assert_eq!(exit.code, Some(1), "{exit:?}");
            assert!(exit.stderr.contains(part), "{part} in {exit:?}");
        };
        refused(&["streams", "delete", "even-0", "--hard"], "store.allow_hard_removal");
        refused(&["streams", "truncate", "even-0", "--before", "3", "--hard"], "store.allow_hard_removal");
        refused(&["streams", "delete", "even-0", "--expected", "3"], "version 20");
        refused(&["streams", "delete", "nobody"], "umbel streams list");
        refused(&["streams", "truncate", "even-0", "--before", "22"], "ends at 20");
        let beyond = umbel.command_output(&["store", "archive", "--through", "71"]);
        assert!(beyond.code == Some(1) && beyond.stderr.contains("ends at 70"), "{beyond:?}");
        for unconfirmed in
            [&["streams", "delete", "even-0"][..], &["store", "forget", "account-1", "--unknown"]]
        {
            let exit = umbel.command_output(unconfirmed);
            assert_eq!(exit.code, Some(2), "{exit:?}");
        }
        assert_eq!(umbel.events().len(), 70);
        assert!(umbel.command_output(&["audit"]).stderr.contains("nothing"));

        let hard = ["--hard", "--yes", "--set", "store.allow_hard_removal=true"];
        let gone: &Value =
            &umbel.json(&[&["streams", "delete", "even-0", "--expected", "20"], &hard[..]].concat())[0];
        assert_eq!(gone["events"], 20, "{gone}");
        assert_eq!(umbel.events().len(), 51);
        assert_eq!(umbel.json(&["store", "verify"]).len(), 0, "what is missing is what the audit says");
    }
}

/// An operator works beside a running umbrella, which notices.
#[test]
fn a_running_umbrella_notices() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        let running = umbel.run();
        let ada = running.client().register("ada");
        let stream = umbel.events()[0]["stream"].as_str().unwrap().to_owned();
        umbel.json(&["streams", "delete", &stream, "--yes"]);
        let bio = serde_json::json!({"user": {"bio": "too late"}});
        let answer = ada.put("/api/user", &bio);
        assert!(answer.status >= 400, "the stream takes no more events: {answer:?}");
        running.client().register("grace");
        assert_eq!(umbel.json(&["audit"]).len(), 1);
        assert_eq!(umbel.json(&["store", "verify"]).len(), 0);
    }
}
