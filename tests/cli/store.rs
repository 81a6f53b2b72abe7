//! `umbel store`: from nothing to a store and back.

use crate::support::{Running, Store, Umbel};

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
        let left = std::fs::read_dir(umbel.dir()).unwrap().count();
        assert_eq!(left, 0, "the file is gone with what SQLite put beside it");
    }
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
    std::fs::write(&file, "a diary, and no database at all").unwrap();
    for command in [&["store", "drop", "--yes"][..], &["store", "init"]] {
        let exit = umbel.command_output(command);
        assert_eq!(exit.code, Some(4), "{exit:?}");
        assert!(exit.stderr.contains("umbel.db"), "{exit:?}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"a diary, and no database at all");
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
    let left = std::fs::read_dir(umbel.dir()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.filter(|name| name.to_string_lossy().starts_with("umbel.db")).count(), 0);
}
