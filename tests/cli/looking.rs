//! Looking at a log: filters, windows, single events, lists.

use serde_json::Value;
use umbel_core::{
    Json, StreamName, Timestamp, Version,
    schedule::FAILED_QUEUE,
    store::{Append, OutboxEntry, Snapshot},
};
use uuid::Uuid;

use super::lines::{ended, line, log, within};
use crate::support::{Store, Umbel, with_store};

fn positions(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["position"].as_u64().unwrap()).collect()
}

#[test]
fn the_log_is_selected_and_cut() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        umbel.json(&["store", "init"]);
        let lines = log(40);
        assert_eq!(umbel.command_fed(&["events", "import"], &ended(&lines)).code, Some(0));
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

/// OP-11: given a stream whose beginning was truncated, when its snapshot is to be removed, which alone holds what was there, then that
/// is said and needs a yes; of a whole stream it needs none.
#[test]
fn the_last_that_is_left_of_a_state_is_not_removed_without_a_yes() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        umbel.json(&["store", "init"]);
        assert_eq!(umbel.command_fed(&["events", "import"], &ended(&log(40))).code, Some(0));
        for stream in ["even-0", "odd"] {
            keep_snapshot(&umbel, stream);
        }
        umbel.json(&["streams", "truncate", "odd", "--before", "3", "--yes"]);
        let refused = umbel.command_output(&["snapshots", "delete", "odd"]);
        assert!(refused.code == Some(2) && refused.stderr.contains("begins at version 3"), "{refused:?}");
        assert!(refused.stderr.contains("--yes"), "{refused:?}");
        assert_eq!(umbel.json(&["snapshots", "list"]).len(), 2);
        assert_eq!(umbel.json(&["snapshots", "delete", "even-0"])[0]["deleted"], true);
        assert_eq!(umbel.json(&["snapshots", "delete", "odd", "--yes"])[0]["deleted"], true);
        assert_eq!(umbel.json(&["snapshots", "list"]).len(), 0);
    }
}

fn keep_snapshot(umbel: &Umbel, stream: &str) {
    let snapshot = Snapshot {
        stream: StreamName::new(stream).unwrap(),
        version: Version::new(5),
        state: "till".to_owned(),
        schema: 1,
        taken_at: Timestamp::from_micros(1),
        data: Json::encode(&5).unwrap(),
    };
    with_store(&umbel.place(), async |bus| assert!(bus.store().save_snapshot(snapshot).await.unwrap()));
}

/// By version streams are listed as many as are asked for, too, however many that is.
#[test]
fn many_streams_are_listed_by_version() {
    let umbel = Umbel::new(Store::Sqlite);
    umbel.json(&["store", "init"]);
    let lines: Vec<_> = (1..=1_100).map(|number| line(number, &format!("s-{number}"), 1)).collect();
    assert_eq!(umbel.command_fed(&["events", "import"], &ended(&lines)).code, Some(0));
    for (limit, listed) in [("1050", 1_050), ("5000", 1_101)] {
        let streams = umbel.json(&["streams", "list", "--sort", "version", "--limit", limit]);
        assert_eq!(streams.len(), listed);
    }
    assert_eq!(umbel.json(&["streams", "list", "--sort", "version"]).len(), 1_101);
}

#[test]
fn streams_are_listed_and_shown() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        umbel.json(&["store", "init"]);
        assert_eq!(umbel.command_fed(&["events", "import"], &ended(&log(40))).code, Some(0));
        let list = |arguments: &[&str]| -> Vec<String> {
            let streams = umbel.json(&[&["streams", "list"], arguments].concat());
            streams.iter().map(|stream| stream["stream"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(list(&[]), ["$all", "even-0", "even-1", "odd"]);
        assert_eq!(list(&["--search", "even-"]), ["even-0", "even-1"]);
        assert_eq!(list(&["--category", "even"]), ["even-0", "even-1"]);
        assert_eq!(list(&["--category", "odd", "--sort", "version"]), ["odd"]);
        assert_eq!(list(&["--desc", "--limit", "1", "--offset", "1"]), ["even-1"]);
        assert_eq!(list(&["--sort", "version", "--desc", "--limit", "2"]), ["$all", "odd"]);
        let told = umbel.command_output(&["streams", "list"]).stdout;
        assert!(told.ends_with("4 of 4 streams, the system's own ($all, $audit) included\n"), "{told}");
        for part in [["--search", "even-"], ["--category", "even"]] {
            let told = umbel.command_output(&[&["streams", "list"], &part[..]].concat()).stdout;
            assert!(told.ends_with("2 of 2 streams\n"), "{told}");
        }
        let told = umbel.command_output(&["store", "status"]).stdout;
        assert!(told.contains("streams   3, besides the system's own\n"), "{told}");

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

/// OP-10: given work that waits, then lists without a name tell where it does.
#[test]
fn queues_are_listed_without_a_name() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        umbel.json(&["store", "init"]);
        let entry = |id, queue: &str, due_at| OutboxEntry {
            id: Uuid::from_u128(id),
            queue: queue.into(),
            body: Json::parse("{}").unwrap(),
            due_at: Some(Timestamp::from_micros(due_at)),
        };
        let queues = ["mail", "mail", "schedule.articles", "schedule.social", FAILED_QUEUE];
        let outbox = (1..).zip(queues).map(|(id, queue)| entry(id, queue, 1_000_000)).collect();
        with_store(&umbel.place(), async |bus| {
            bus.store().append(Append { outbox, ..Append::default() }).await.unwrap();
        });
        let told = |list: &[&str], name: &str| -> Vec<(Value, u64)> {
            let rows = umbel.json(list);
            assert!(rows.iter().all(|row| row["first_due_at"] == "1970-01-01T00:00:01.000000Z"), "{rows:?}");
            rows.iter().map(|row| (row[name].clone(), row["waiting"].as_u64().unwrap())).collect()
        };
        let all = ["mail", "schedule.articles", "schedule.social", FAILED_QUEUE].map(Value::from);
        let counts = [2, 1, 1, 1];
        assert_eq!(told(&["outbox", "list"], "queue"), all.iter().cloned().zip(counts).collect::<Vec<_>>());
        assert_eq!(told(&["outbox", "list", "--limit", "1"], "queue"), [(all[0].clone(), 2)]);
        let apps = [(Value::from("articles"), 1), (Value::from("social"), 1), (Value::Null, 1)];
        assert_eq!(told(&["schedule", "list"], "app"), apps);
        assert_eq!(told(&["schedule", "list", "--limit", "2"], "app"), apps[..2]);
        let words = umbel.command_output(&["schedule", "list"]).stdout;
        assert!(
            words.contains("articles") && words.contains("--failed") && !words.contains("mail"),
            "{words}"
        );
        assert_eq!(umbel.json(&["outbox", "list", "mail"]).len(), 2);
    }
}

/// Given a number that is none, or beyond what is allowed, then it is said in one line what is.
#[test]
fn what_numbers_are_allowed_is_said() {
    let umbel = Umbel::new(Store::Sqlite);
    for (line, allowed) in [
        ("events show 0", "it must be a position, a number from 1 on, or a UUID"),
        ("events tail --last x", "it must be a number from 1 to 100000"),
        ("events tail --last 0", "it must be a number from 1 to 100000"),
        ("events tail --from 0", "it must be a number from 1 on"),
        ("streams list --limit x", "it must be a whole number"),
        ("bench read --rounds 0", "it must be a number from 1 to 1000"),
    ] {
        let exit = umbel.command_output(&line.split(' ').collect::<Vec<_>>());
        assert_eq!((exit.code, exit.stdout.as_str()), (Some(2), ""), "{line}: {exit:?}");
        let told = exit.stderr.lines().next().unwrap();
        assert!(told.starts_with("error: ") && told.ends_with(allowed), "{line}: {told}");
    }
}

/// Given nothing to print, then one line on standard error says so, and standard output stays empty.
#[test]
fn silence_is_explained() {
    let umbel = Umbel::new(Store::Sqlite);
    umbel.json(&["store", "init"]);
    let silent = |line: &str, why: &str| {
        for json in ["", " --json"] {
            let line = format!("{line}{json}");
            let exit = umbel.command_output(&line.split(' ').collect::<Vec<_>>());
            assert_eq!((exit.code, exit.stdout.as_str()), (Some(0), ""), "{line}: {exit:?}");
            assert!(exit.stderr.lines().count() == 1 && exit.stderr.contains(why), "{line}: {exit:?}");
        }
    };
    for line in ["events tail", "events tail --backward", "events tail --last 3"] {
        silent(line, "the log holds no event yet");
    }
    for (line, why) in [
        ("audit", "nothing was removed or moved yet"),
        ("outbox list", "nothing waits in any queue"),
        ("outbox list mail", "umbel outbox list"),
        ("schedule list", "nothing is planned"),
        ("schedule list articles", "umbel schedule list"),
        ("schedule list --failed", "nothing was given up\n"),
        ("snapshots list", "there is no snapshot\n"),
        ("claims list", "there is no claim\n"),
        ("process-managers list", "there is no instance: "),
        ("process-managers list a.b", "there is no instance like that: "),
        ("notices list", "there is no kept notice\n"),
        ("notices list --topic a", "there is no kept notice like that\n"),
        ("projections list", "there is no projection"),
        ("subscriptions list", "there is no subscription: one is there once its app has run\n"),
        ("dead-letters list", "there is no dead letter\n"),
        ("dead-letters list --asked", "there is no dead letter like that\n"),
        ("streams list --search none", "there is no stream like that\n"),
    ] {
        silent(line, why);
    }
    assert_eq!(umbel.command_fed(&["events", "import"], &ended(&log(40))).code, Some(0));
    for line in ["events tail --category none", "events tail --type a.b --backward", "events tail --since 7d"]
    {
        silent(line, "no event of the log, which ends at position 40, matches");
    }
    let exported = umbel.command_output(&["events", "export", "--category", "none"]);
    assert!(within(&exported.stdout).is_empty() && exported.stderr == "no event matches\n", "{exported:?}");
    let beyond = umbel.command_output(&["streams", "show", "odd", "--from", "1000"]);
    assert!(beyond.code == Some(0) && beyond.stderr == "it has no event there\n", "{beyond:?}");
    let told = umbel.command_output(&["events", "tail", "--last", "1"]);
    assert!(told.stderr.is_empty(), "{told:?}");
}
