//! Looking at a log: filters, windows, single events, lists.

use serde_json::Value;

use super::lines::{log, text};
use crate::support::{Store, Umbel};

fn positions(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["position"].as_u64().unwrap()).collect()
}

#[test]
fn the_log_is_selected_and_cut() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        umbel.json(&["store", "init"]);
        let lines = log(40);
        assert_eq!(umbel.command_fed(&["events", "import"], &text(&lines)).code, Some(0));
        let tail = |arguments: &[&str]| positions(&umbel.json(&[&["events", "tail"], arguments].concat()));
        let expected = |wanted: &dyn Fn(&Value) -> bool| -> Vec<u64> {
            positions(&lines.iter().filter(|line| wanted(line)).cloned().collect::<Vec<_>>())
        };
        assert_eq!(tail(&["--type", "test.even"]), expected(&|line| line["type"] == "test.even/1"));
        assert_eq!(tail(&["--type", "test.even,test.odd"]).len(), 40);
        let in_category = |line: &Value| line["stream"].as_str().unwrap().starts_with("even-");
        assert_eq!(tail(&["--category", "even"]), expected(&in_category));
        let conversation = lines[2]["metadata"]["correlation_id"].clone();
        let same = |line: &Value| line["metadata"]["correlation_id"] == conversation;
        assert_eq!(tail(&["--correlation", conversation.as_str().unwrap()]), expected(&same));
        assert_eq!(tail(&["--causation", conversation.as_str().unwrap()]), [0; 0]);
        let tagged =
            |line: &Value, tag: &str| line["tags"].as_array().is_some_and(|tags| tags.contains(&tag.into()));
        assert_eq!(tail(&["--tag", "third:1"]), expected(&|line| tagged(line, "third:1")));
        let both = |line: &Value| tagged(line, "third:1") && tagged(line, "fifth:1");
        assert_eq!(tail(&["--tag", "third:1", "--tag", "fifth:1", "--type", "test.odd"]), [15]);
        assert_eq!(tail(&["--tag", "fifth:1", "--tag", "third:1"]), expected(&both));
        let wrong = umbel.command_output(&["events", "tail", "--tag", "third"]);
        assert!(wrong.code == Some(2) && wrong.stderr.contains("write it like course:c1"), "{wrong:?}");
        let later = |line: &Value| line["recorded_at"].as_str().unwrap() >= "2026-01-31T12:03";
        assert_eq!(tail(&["--since", "2026-01-31T12:03:00Z"]), expected(&later));
        assert_eq!(tail(&["--until", "2026-01-31T12:03:00Z"]), expected(&|line| !later(line)));
        assert_eq!(tail(&["--since", "2026-02-01"]), [0; 0]);
        assert_eq!(tail(&["--last", "3"]), [38, 39, 40]);
        assert_eq!(tail(&["--last", "2", "--type", "test.odd"]), [37, 39]);
        assert_eq!(tail(&["--last", "100"]).len(), 40);
        assert_eq!(tail(&["--backward", "--limit", "3"]), [40, 39, 38]);
        assert_eq!(tail(&["--backward", "--from", "2"]), [2, 1]);
        assert_eq!(tail(&["--from", "10", "--limit", "2"]), [10, 11]);
        let table = umbel.command_output(&["events", "tail", "--last", "1"]);
        assert!(table.stdout.starts_with("position  ") && table.stdout.lines().count() == 2, "{table:?}");

        let id = lines[4]["id"].as_str().unwrap();
        assert_eq!(umbel.json(&["events", "show", id]), lines[4..5]);
        assert_eq!(umbel.json(&["events", "show", "5"]), lines[4..5]);
        assert!(umbel.command_output(&["events", "show", "5"]).stdout.contains("\"text\": \"ü\\n\""));
        assert!(
            umbel.command_output(&["events", "show", "30"]).stdout.contains("tags      fifth:1, third:1")
        );
        for missing in ["41", "0190f5e2-7cc7-7d1a-b5a5-ffffffffffff"] {
            let exit = umbel.command_output(&["events", "show", missing]);
            assert!(exit.code == Some(1) && exit.stderr.contains(missing), "{exit:?}");
        }
    }
}

#[test]
fn streams_are_listed_and_shown() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        umbel.json(&["store", "init"]);
        assert_eq!(umbel.command_fed(&["events", "import"], &text(&log(40))).code, Some(0));
        let list = |arguments: &[&str]| -> Vec<String> {
            let streams = umbel.json(&[&["streams", "list"], arguments].concat());
            streams.iter().map(|stream| stream["stream"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(list(&[]), ["$all", "even-0", "even-1", "odd"]);
        assert_eq!(list(&["--search", "even-"]), ["even-0", "even-1"]);
        assert_eq!(list(&["--desc", "--limit", "1", "--offset", "1"]), ["even-1"]);
        assert_eq!(list(&["--sort", "version", "--desc", "--limit", "2"]), ["$all", "odd"]);
        assert!(umbel.command_output(&["streams", "list"]).stdout.ends_with("4 of 4 streams\n"));

        let show = |arguments: &[&str]| -> Vec<u64> {
            let lines = umbel.json(&[&["streams", "show", "even-0"], arguments].concat());
            assert_eq!(lines[0]["stream"], "even-0");
            lines[1..].iter().map(|event| event["version"].as_u64().unwrap()).collect()
        };
        assert_eq!(show(&["--limit", "3"]), [1, 2, 3]);
        assert_eq!(show(&["--from", "2", "--limit", "2"]), [2, 3]);
        assert_eq!(show(&["--from", "2", "--backward"]), [2, 1]);
        let all = show(&[]);
        assert_eq!(show(&["--backward"]), all.into_iter().rev().collect::<Vec<_>>());

        for (command, argument) in [("snapshots", None), ("outbox", Some("mail")), ("notices", None)] {
            let arguments: Vec<_> = [command, "list"].into_iter().chain(argument).collect();
            assert_eq!(umbel.json(&arguments).len(), 0, "{command}");
        }
        assert_eq!(umbel.json(&["schedule", "list", "articles"]).len(), 0);
        assert_eq!(umbel.json(&["schedule", "list", "--failed"]).len(), 0);
        let nothing = umbel.command_output(&["schedule", "cancel", "0190f5e2-7cc7-7d1a-b5a5-ffffffffffff"]);
        assert!(nothing.code == Some(1) && nothing.stderr.contains("schedule list"), "{nothing:?}");
        assert_eq!(umbel.json(&["notices", "sweep"])[0]["swept"], 0);
        assert_eq!(umbel.json(&["snapshots", "delete", "even-0"])[0]["deleted"], false);
        let missing = umbel.command_output(&["snapshots", "show", "even-0"]);
        assert!(missing.code == Some(1) && missing.stderr.contains("even-0"), "{missing:?}");
    }
}
