//! `umbel store`: from nothing to a store and back.

use std::fs;

use umbel_core::{Json, StreamName, Timestamp, Version, store::Snapshot};

use super::lines::{ended, log};
use crate::support::{Running, Store, Umbel, with_store};

/// OP-01: a store is made, and made again, removed, and removed again; pending migrations, when listed, are exit code 1.
#[test]
fn a_store_is_made_and_removed_and_both_again() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        let run = |arguments: &[&str]| umbel.command_output(arguments);
        let pending = run(&["store", "migrations"]);
        assert_eq!(pending.code, Some(1), "{pending:?}");
        assert!(
            pending.stdout.contains("pending") && pending.stderr.contains("umbel store init"),
            "{pending:?}"
        );
        for looking in [&["store", "status"][..], &["store", "migrate"], &["store", "verify"]] {
            let exit = run(looking);
            assert_eq!(exit.code, Some(4), "{exit:?}");
            assert!(exit.stderr.contains("umbel store init"), "{exit:?}");
        }
        assert_eq!(umbel.json(&["store", "drop", "--yes"])[0]["dropped"], false, "looking has made nothing");

        let applied = umbel.json(&["store", "init"]);
        assert!(applied.iter().all(|migration| migration["applied"] == true), "{applied:?}");
        assert_eq!(umbel.json(&["store", "init"]).len(), 0);
        assert_eq!(umbel.json(&["store", "migrate"]).len(), 0);
        assert_eq!(umbel.json(&["store", "migrations"]), applied);
        let status = &umbel.json(&["store", "status"])[0];
        assert_eq!((&status["head"], &status["streams"]), (&0.into(), &0.into()), "{status}");
        assert_eq!(Some(&status["schema"]), applied.last().map(|migration| &migration["number"]), "{status}");
        assert!(status["size_bytes"].as_u64().unwrap() > 0, "{status}");
        let told = run(&["store", "status"]);
        assert!(told.stdout.contains(status["location"].as_str().unwrap()), "{told:?}");
        let healthy = run(&["store", "verify"]);
        assert_eq!((healthy.code, &*healthy.stdout), (Some(0), "nothing is wrong\n"), "{healthy:?}");

        let unconfirmed = run(&["store", "drop"]);
        assert_eq!(unconfirmed.code, Some(2), "{unconfirmed:?}");
        assert!(unconfirmed.stderr.contains("--yes"), "{unconfirmed:?}");
        assert_eq!(umbel.json(&["store", "drop", "--yes"])[0]["dropped"], true);
        assert_eq!(umbel.json(&["store", "drop", "--yes"])[0]["dropped"], false);
        assert_eq!(run(&["store", "migrations"]).code, Some(1));
        let left = fs::read_dir(umbel.dir()).unwrap().count();
        assert_eq!(left, 0, "the file is gone with what SQLite put beside it");
    }
}

/// Where a file is not, or was made, is told from the root on: the folder that a relative path begins in is easily another one.
#[test]
fn a_relative_place_is_told_whole() {
    let umbel = Umbel::new(Store::Sqlite);
    let run = |arguments: &[&str]| {
        let there = ["--set", "store.url=sqlite:data/here.db", "--set", "telemetry.level=info"];
        umbel.command_output(&[arguments, &there].concat())
    };
    let whole = umbel.dir().canonicalize().unwrap().join("data/here.db").display().to_string();
    for looking in [&["store", "status"][..], &["store", "migrate"], &["store", "migrations"]] {
        let exit = run(looking);
        assert!(exit.stderr.contains(&format!("no store at {whole}")), "{exit:?}");
    }
    let (made, again) = (run(&["store", "init"]), run(&["store", "init"]));
    let told = format!("made a store at {whole}");
    assert!(made.stderr.contains(&told) && !again.stderr.contains(&told), "{made:?} {again:?}");
}

/// OP-03: of several that migrate at once, one does, and the others wait and find nothing left to do.
#[test]
fn several_may_make_a_store_at_once() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        let exits = umbel.commands_at_once(&[&["store", "init"][..]; 4]);
        assert!(exits.iter().all(|exit| exit.code == Some(0)), "{exits:?}");
        assert_eq!(umbel.json(&["store", "migrate"]).len(), 0);
    }
}

/// What is not Umbel's is refused and stays.
#[test]
fn another_programs_file_stays() {
    let umbel = Umbel::new(Store::Sqlite);
    let file = umbel.dir().join("umbel.db");
    fs::write(&file, "a diary, and no database at all").unwrap();
    for command in [&["store", "drop", "--yes"][..], &["store", "init"]] {
        let exit = umbel.command_output(command);
        assert_eq!(exit.code, Some(4), "{exit:?}");
        assert!(exit.stderr.contains("umbel.db"), "{exit:?}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"a diary, and no database at all");
}

/// OP-13: given an umbrella over a file, when another one starts over it, then that one is warned, also when the former second one was
/// killed; tools beside it are not, nor is who comes when nobody is left.
#[test]
fn a_second_umbrella_over_one_file_is_warned() {
    let umbel = Umbel::new(Store::Sqlite);
    let is_warned = |running: &Running| {
        let told = running.output();
        told.contains("another umbrella") && told.contains("umbel.db") && told.contains("PostgreSQL")
    };
    let first = umbel.run();
    for tool in [&["events", "tail"][..], &["store", "init"], &["store", "verify"]] {
        let exit = umbel.command_output(tool);
        assert!(exit.code == Some(0) && !exit.stderr.contains("another umbrella"), "{exit:?}");
    }
    let second = umbel.run();
    assert!(is_warned(&second) && !is_warned(&first), "{}", second.output());
    first.kill();
    let third = umbel.run();
    assert!(is_warned(&third), "the second one is left: {}", third.output());
    second.kill();
    third.kill();
    let last = umbel.run();
    assert!(!last.output().contains("another umbrella"), "{}", last.output());
    last.kill();
    assert_eq!(umbel.json(&["store", "drop", "--yes"])[0]["dropped"], true);
    let left = fs::read_dir(umbel.dir()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.filter(|name| name.to_string_lossy().starts_with("umbel.db")).count(), 0);
}

/// OP-24: given what is wrong with a store, when it is verified, then what mends it is told with each rule, for people and machines: what is
/// made of events can be made again, and events are only in a backup.
#[test]
fn what_is_wrong_is_told_with_what_mends_it() {
    let umbel = Umbel::new(Store::Sqlite);
    umbel.json(&["store", "init"]);
    assert_eq!(umbel.command_fed(&["events", "import"], &ended(&log(40))).code, Some(0));
    let snapshot = Snapshot {
        stream: StreamName::new("even-0").unwrap(),
        version: Version::new(5),
        state: "till".to_owned(),
        schema: 1,
        taken_at: Timestamp::from_micros(1),
        data: Json::encode(&"what a till holds").unwrap(),
    };
    with_store(&umbel.place(), async |bus| assert!(bus.store().save_snapshot(snapshot).await.unwrap()));
    assert_eq!(umbel.command_output(&["store", "verify"]).code, Some(0));

    let path = umbel.dir().join("umbel.db");
    let mut bytes = fs::read(&path).unwrap();
    for (sound, damaged) in
        [(&b"\"what a till holds\""[..], &b"!what a till holds\""[..]), (b"{\"n\":3,", b"{\"n\":!,")]
    {
        let at = bytes.windows(sound.len()).position(|part| part == sound).unwrap();
        bytes[at..at + damaged.len()].copy_from_slice(damaged);
    }
    fs::write(&path, bytes).unwrap();
    let told = umbel.command_output(&["store", "verify"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    for part in ["snapshots: remove the snapshot with", "payloads: restore a backup", "2 findings"] {
        assert!(told.stderr.contains(part), "{part} in {told:?}");
    }
    let lines = umbel.command_output(&["store", "verify", "--json"]).stdout;
    let findings: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [snapshot, payload] = &findings[..] else { panic!("{findings:?}") };
    assert!(snapshot["remedy"].as_str().unwrap().contains("umbel snapshots delete"), "{snapshot}");
    assert_eq!(
        (&payload["rule"], payload["what"].as_str()),
        (&"payloads".into(), Some("position 3 has data that is no JSON"))
    );

    umbel.json(&["snapshots", "delete", "even-0"]);
    let left = umbel.command_output(&["store", "verify"]);
    assert!(left.stderr.contains("1 finding") && !left.stderr.contains("snapshots"), "{left:?}");
}
