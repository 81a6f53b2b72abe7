//! `umbel events export` and `import`: a log moves from store to store, also when that is interrupted.

use std::fs;

use serde_json::Value;
use umbel_testkit::postgres::{Server, execute};

use super::lines::{ended, line, log, text, within};
use crate::support::{Store, Umbel, eventually};

/// A store with these events, and the text that `export` writes of it.
#[track_caller]
fn filled(store: Store, lines: &[Value]) -> Umbel {
    let umbel = Umbel::new(store);
    umbel.json(&["store", "init"]);
    let exit = umbel.command_fed(&["events", "import"], &ended(lines));
    assert_eq!(exit.code, Some(0), "{exit:?}");
    umbel
}

#[track_caller]
fn exported(umbel: &Umbel) -> Vec<Value> {
    let exit = umbel.command_output(&["events", "export"]);
    assert_eq!(exit.code, Some(0), "{exit:?}");
    within(&exit.stdout)
}

/// What was exported and imported is the same log: ids, versions, order, times, data, metadata. Doing it again adds nothing.
#[test]
fn a_log_moves_from_store_to_store() {
    let lines = log(1500);
    for store in Store::durable() {
        let umbel = filled(store, &lines);
        assert_eq!(exported(&umbel), lines);
        let status = &umbel.json(&["store", "status"])[0];
        assert_eq!((&status["head"], &status["streams"]), (&1500.into(), &3.into()));
        fs::write(umbel.dir().join("log.jsonl"), ended(&lines)).unwrap();
        let again = &umbel.json(&["events", "import", "log.jsonl"])[0];
        assert_eq!((&again["imported"], &again["skipped"]), (&0.into(), &1500.into()), "{again}");
        let tagged = umbel.json(&["events", "tail", "--tag", "fifth:1", "--tag", "third:1"]);
        let found: Vec<_> = tagged.iter().map(|event| event["position"].as_u64().unwrap()).collect();
        let expected: Vec<_> = (1..=1500).filter(|position| position % 15 == 0).collect();
        assert_eq!(found, expected, "they are found by the tags that came along");
        assert_eq!(umbel.json(&["store", "verify"]).len(), 0);
    }
}

/// An import that was interrupted within what was one append, and in the middle of a line, goes on where it ended.
#[test]
fn an_interrupted_import_goes_on() {
    let lines = log(1200);
    for (store, whole) in Store::durable().into_iter().zip([600, 603]) {
        let umbel = Umbel::new(store);
        umbel.json(&["store", "init"]);
        let torn = format!("{}{{\"position\":{}", text(&lines[..whole]), whole + 1);
        let exit = umbel.command_fed(&["events", "import"], &torn);
        assert_eq!(exit.code, Some(1), "{exit:?}");
        assert!(exit.stderr.contains("has no end"), "{exit:?}");
        let rest = umbel.command_fed(&["events", "import", "--json"], &ended(&lines));
        let counts: Value = serde_json::from_str(&rest.stdout).unwrap();
        assert_eq!(
            (&counts["imported"], &counts["skipped"]),
            (&(1200 - whole).into(), &whole.into()),
            "{rest:?}"
        );
        assert_eq!(exported(&umbel), lines);
    }
}

/// Each event is counted once, by whom it was appended: also when a file has everything twice, and when several imports of the
/// same log race.
#[test]
fn each_event_is_counted_by_whom_it_was_appended() {
    // One stream, and a length that makes the second half's batches begin elsewhere.
    let lines: Vec<_> = (1..=1_501).map(|number| line(number, "one", number)).collect();
    let twice = ended(&[&lines[..], &lines].concat());
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        umbel.json(&["store", "init"]);
        fs::write(umbel.dir().join("twice.jsonl"), &twice).unwrap();
        let counts = &umbel.json(&["events", "import", "twice.jsonl"])[0];
        assert_eq!((&counts["imported"], &counts["skipped"]), (&1_501.into(), &1_501.into()), "{counts}");
        assert_eq!(exported(&umbel), lines);
    }
    let lines = log(1500);
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        umbel.json(&["store", "init"]);
        fs::write(umbel.dir().join("log.jsonl"), ended(&lines)).unwrap();
        let exits = umbel.commands_at_once(&[&["events", "import", "log.jsonl", "--json"][..]; 3]);
        let counts = exits.iter().map(|exit| {
            let counts: Value = serde_json::from_str(&exit.stdout).unwrap_or_else(|_| panic!("{exit:?}"));
            [counts["imported"].as_u64().unwrap(), counts["skipped"].as_u64().unwrap()]
        });
        let counts: Vec<_> = counts.collect();
        assert!(counts.iter().all(|[imported, skipped]| imported + skipped == 1500), "{counts:?}");
        assert_eq!(counts.iter().map(|[imported, _]| imported).sum::<u64>(), 1500, "{counts:?}");
        assert_eq!(exported(&umbel).len(), 1500);
    }
}

/// A conflict names the line, and what stands before it is there.
#[test]
fn what_does_not_fit_is_named_by_its_line() {
    let umbel = filled(Store::Sqlite, &[line(901, "cart-1", 1)]);
    let conflict = [line(1, "cart-2", 1), line(2, "cart-2", 2), line(3, "cart-1", 1), line(4, "cart-1", 2)];
    let foreign = umbel.command_fed(&["events", "import"], &ended(&conflict));
    assert!(foreign.code == Some(1) && foreign.stderr.contains("--into-existing"), "{foreign:?}");
    assert_eq!(umbel.events().len(), 1, "two logs become one only if that is meant");
    let exit = umbel.command_fed(&["events", "import", "--into-existing"], &ended(&conflict));
    assert_eq!(exit.code, Some(1), "{exit:?}");
    for part in ["line 3", "cart-1", "version 1"] {
        assert!(exit.stderr.contains(part), "{part} in {exit:?}");
    }
    assert_eq!(umbel.json(&["events", "tail", "--category", "cart"]).len(), 3);

    let exit = umbel.command_fed(&["events", "import"], &ended(&[line(901, "cart-9", 1)]));
    assert_eq!(exit.code, Some(1), "the event is in the log, elsewhere: {exit:?}");
    assert!(exit.stderr.contains("line 1") && exit.stderr.contains("cart-1"), "{exit:?}");
    let exit = umbel.command_fed(&["events", "import"], "no event\n");
    assert!(exit.code == Some(1) && exit.stderr.contains("line 1"), "{exit:?}");
    let exit = umbel.command_fed(&["events", "import"], &ended(&[line(5, "cart-5", 0)]));
    assert!(exit.code == Some(1) && exit.stderr.contains("line 1: its version is 0"), "{exit:?}");
    let exit = umbel.command_output(&["events", "import", "."]);
    assert!(exit.code == Some(1) && exit.stderr.contains("is a directory"), "{exit:?}");
    let exit = umbel.command_output(&["events", "import", "nowhere.jsonl"]);
    assert!(exit.code == Some(1) && exit.stderr.contains("nowhere.jsonl"), "{exit:?}");
}

/// A file that holds the beginning of an export is continued; what was torn off is cut away.
#[test]
fn an_interrupted_export_goes_on() {
    let lines = log(300);
    let umbel = filled(Store::Sqlite, &lines);
    let file = umbel.dir().join("log.jsonl");
    let export = || {
        let exit = umbel.command_output(&["events", "export", "log.jsonl"]);
        assert_eq!(exit.code, Some(0), "{exit:?}");
        fs::read(&file).unwrap()
    };
    let whole = export();
    assert_eq!(within(str::from_utf8(&whole).unwrap()), lines);
    assert!(export() == whole, "nothing is new");
    for left in [0, 7, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &whole[..left]).unwrap();
        assert!(export() == whole, "torn after {left} bytes");
    }
    let more = umbel.command_fed(&["events", "import", "--into-existing"], &ended(&[line(301, "later", 1)]));
    assert_eq!(more.code, Some(0), "{more:?}");
    let last = whole.iter().rposition(|byte| *byte == b'{').unwrap();
    let events = &whole[..whole[..last].iter().rposition(|byte| *byte == b'\n').unwrap()];
    assert!(export().starts_with(events) && export().len() > whole.len());

    fs::write(&file, "something else\n").unwrap();
    let exit = umbel.command_output(&["events", "export", "log.jsonl"]);
    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "something else\n");
}

/// OP-15: lines without an end, as those of an export that was killed between two of them or of an older program, are imported, but not taken
/// for whole; the same export goes on, and then they are.
#[test]
fn an_export_without_an_end_is_not_taken_for_whole() {
    let lines = log(300);
    let umbel = filled(Store::Sqlite, &lines);
    for conditions in [&[][..], &["--category", "even"]] {
        let export = || umbel.json(&[&["events", "export", "log.jsonl"], conditions].concat());
        export();
        let file = umbel.dir().join("log.jsonl");
        let whole = fs::read_to_string(&file).unwrap();
        let events = within(&whole);
        let begin = whole.lines().next().unwrap();
        let cut_off: String = whole.split_inclusive('\n').take(41).collect();
        for (cut_off, imported) in [(&cut_off, 40), (&text(&events[..30]), 30), (&format!("{begin}\n"), 0)] {
            let other = Umbel::new(Store::Sqlite);
            other.json(&["store", "init"]);
            let exit = other.command_fed(&["events", "import", "--json"], cut_off);
            assert!(exit.code == Some(1) && exit.stderr.contains("line 1 has no end"), "{exit:?}");
            let counts: Value = serde_json::from_str(&exit.stdout).unwrap();
            assert_eq!((&counts["imported"], &counts["cut_off"]), (&imported.into(), &true.into()));
            let exit = other.command_fed(&["events", "import", "--json"], &whole);
            let counts: Value = serde_json::from_str(&exit.stdout).unwrap();
            assert_eq!((exit.code, &counts["cut_off"]), (Some(0), &false.into()), "{exit:?}");
            assert_eq!(other.events().len(), events.len());
        }
        fs::write(&file, &cut_off).unwrap();
        export();
        assert!(fs::read_to_string(&file).unwrap() == whole);
        fs::remove_file(&file).unwrap();
    }
}

/// OP-15: of several exports in a file each has its own end, or the file is not taken for whole.
#[test]
fn each_export_of_a_file_is_whole() {
    let umbel = filled(Store::Sqlite, &log(300));
    let export = |from: &str, until: usize| {
        let exit = umbel.command_output(&["events", "export", "--from", from]);
        exit.stdout.lines().take(until).map(|line| format!("{line}\n")).collect::<String>()
    };
    let (whole, cut_off, again) = (export("1", 400), export("1", 41), export("1", 400));
    for (file, told) in [
        (format!("{whole}{again}"), None),
        (format!("{cut_off}{again}"), Some("line 1 has no end before the next one begins at line 42")),
        (format!("{whole}{cut_off}"), Some("line 303 has no end")),
    ] {
        let other = Umbel::new(Store::Sqlite);
        other.json(&["store", "init"]);
        let exit = other.command_fed(&["events", "import", "--json"], &file);
        let counts: Value = serde_json::from_str(&exit.stdout).unwrap();
        assert_eq!((&counts["imported"], &counts["cut_off"]), (&300.into(), &told.is_some().into()));
        assert_eq!(exit.code, Some(told.is_some().into()), "{exit:?}");
        assert!(exit.stderr.contains(told.unwrap_or_default()), "{exit:?}");
    }
}

/// OP-15: an import that is told to stop ends what it has begun, says how far it came, and goes on there; also where its input does not end.
#[test]
fn an_interrupted_import_says_how_far_it_came() {
    let lines = log(1_000);
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        umbel.json(&["store", "init"]);
        let head = || umbel.json(&["store", "status"])[0]["head"].as_u64().unwrap();
        let some = text(&lines[..700]);
        let mut import = umbel.command_begun(&["events", "import"]);
        import.feed(&some);
        eventually("some of it to be there", || (head() > 0).then_some(()));
        import.interrupt();
        let exit = import.wait();
        assert_eq!(exit.code, Some(1), "{exit:?}");
        let imported = head();
        assert!(imported < 700, "what has begun is ended, and no more: {imported}");
        let told = format!("interrupted behind line {imported}, with {imported} events imported");
        assert!(exit.stderr.contains(&told) && exit.stderr.contains("goes on there"), "{exit:?}");
        let rest = umbel.command_fed(&["events", "import", "--json"], &ended(&lines));
        let counts: Value = serde_json::from_str(&rest.stdout).unwrap();
        let expected = (Value::from(1_000 - imported), Value::from(imported));
        assert_eq!((&counts["imported"], &counts["skipped"]), (&expected.0, &expected.1), "{rest:?}");
        assert_eq!(exported(&umbel), lines);
    }
}

/// OP-06: to a tool a role that is not let in is no outage that it bears: it ends at once and says what to do.
#[test]
fn an_import_that_is_not_let_in_any_more_ends() {
    let server = Server::start().unwrap();
    let mut umbel = Umbel::new(Store::Sqlite);
    umbel.set("UMBEL__STORE__URL", server.url());
    umbel.json(&["store", "init"]);
    let lines = log(1_100);
    let mut import = umbel.command_begun(&["events", "import", "--patience", "3600"]);
    import.feed(&text(&lines[..600]));
    let head = || umbel.json(&["store", "status"])[0]["head"].as_u64().unwrap();
    eventually("what is read at once to be there", || (head() == 512).then_some(()));
    let shut = "ALTER ROLE umbel NOLOGIN;
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'umbel'";
    execute(&server.superuser_url(), shut).unwrap();
    import.feed(&text(&lines[600..]));
    let ended = import.wait();
    let refused = umbel.command_output(&["events", "tail", "--follow"]);
    for (exit, code) in [(ended, 1), (refused, 4)] {
        assert_eq!(exit.code, Some(code), "{exit:?}");
        assert!(exit.stderr.contains("let the role log in"), "{exit:?}");
    }
}

/// OP-15: a file is continued under its own conditions, in whatever order they are given, and not under others, which would leave holes.
#[test]
fn an_export_goes_on_under_its_own_conditions_only() {
    let umbel = filled(Store::Sqlite, &log(30));
    let file = umbel.dir().join("log.jsonl");
    let export = |conditions: &str| {
        let line = format!("events export log.jsonl {conditions}");
        umbel.command_output(&line.split_whitespace().collect::<Vec<_>>())
    };
    let conditions = [
        ("", "everything"),
        ("--from 3", "--from 3"),
        ("--category even,odd", "--from 1 --category even --category odd"),
        ("--category even", "--from 1 --category even"),
        ("--type test.odd --until 2027-01-31", "--from 1 --type test.odd --until 2027-01-31T00:00:00"),
        ("--tag third:1 --tag fifth:1", "--from 1 --tag fifth:1 --tag third:1"),
    ];
    for (own, told) in conditions {
        assert_eq!(export(own).code, Some(0));
        let whole = fs::read_to_string(&file).unwrap();
        let killed = &whole[..whole.rfind("{\"end\"").unwrap()];
        for content in [&whole, killed] {
            for (other, _) in conditions.iter().filter(|(other, _)| *other != own) {
                fs::write(&file, content).unwrap();
                let refused = export(other);
                assert_eq!(refused.code, Some(1), "{own} and {other}: {refused:?}");
                assert!(refused.stderr.contains(&format!("is an export of {told}")), "{refused:?}");
                assert_eq!(fs::read_to_string(&file).unwrap(), content, "left as it is");
            }
            assert_eq!(export(own).code, Some(0));
            assert_eq!(fs::read_to_string(&file).unwrap(), whole);
        }
        fs::remove_file(&file).unwrap();
    }
    for (one, same) in [("--category odd,even", "--category even --category odd,odd"), ("--from 1", "")] {
        assert_eq!([export(one).code, export(same).code], [Some(0); 2]);
        fs::remove_file(&file).unwrap();
    }
    fs::write(&file, text(&log(3))).unwrap();
    let before = export("");
    assert!(
        before.code == Some(1) && before.stderr.contains("does not say what it is an export of"),
        "{before:?}"
    );
}

/// OP-15: an export whose reader is gone before the end has failed.
#[test]
fn an_export_that_nobody_reads_to_its_end_fails() {
    let umbel = filled(Store::Sqlite, &log(3_000));
    let exit = umbel.command_unread(&["events", "export", "-"]);
    assert!(exit.code == Some(1) && exit.stderr.contains("the export is not whole"), "{exit:?}");
}

/// The file of another store is not continued, however many events it has: positions of one log mean nothing in another.
#[test]
fn the_export_of_another_store_is_not_continued() {
    let (umbel, other) = (filled(Store::Sqlite, &log(100)), Umbel::new(Store::Sqlite));
    other.json(&["store", "init"]);
    let lines: Vec<_> = (0..300).map(|number| line(5_000 + number, "else", number + 1)).collect();
    assert_eq!(other.command_fed(&["events", "import"], &ended(&lines)).code, Some(0));
    let file = umbel.dir().join("log.jsonl");
    let foreign = other.command_output(&["events", "export"]).stdout;
    let end = foreign.rfind("{\"end\"").unwrap();
    for content in [&foreign[..], &foreign[..end], &foreign[..end - 9]] {
        fs::write(&file, content).unwrap();
        let exit = umbel.command_output(&["events", "export", "log.jsonl"]);
        assert_eq!(exit.code, Some(1), "{exit:?}");
        assert!(exit.stderr.contains("another store") && exit.stderr.contains("log.jsonl"), "{exit:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), content, "left as it is");
    }
    fs::remove_file(&file).unwrap();
    let told = &umbel.json(&["events", "export", "log.jsonl"])[0];
    assert_eq!((&told["file"], &told["events"]), (&"log.jsonl".into(), &100.into()));
    let told = &umbel.json(&["events", "export", "log.jsonl"])[0];
    assert_eq!(told["events"], 0, "the same store has nothing new");
    let piped = umbel.command_output(&["events", "export", "-", "--json"]);
    assert_eq!(within(&piped.stdout).len(), 100);
    assert!(piped.stderr.contains(r#""events":100"#), "{piped:?}");
    let piped = umbel.command_output(&["events", "export", "/dev/stdout"]);
    assert!(piped.code == Some(1) && piped.stderr.contains("write - for standard output"), "{piped:?}");
    let directory = umbel.command_output(&["events", "export", "."]);
    assert!(directory.code == Some(1) && directory.stderr.contains("directory"), "{directory:?}");
}

/// The records of upkeep tell of the other log; they are left out, and everything around them comes along.
#[test]
fn records_of_upkeep_do_not_come_along() {
    let umbel = filled(Store::Sqlite, &[line(1, "cart-1", 1), line(2, "cart-2", 1)]);
    umbel.json(&["streams", "truncate", "cart-1", "--before", "2", "--yes"]);
    let export = umbel.command_output(&["events", "export"]).stdout;
    assert_eq!(within(&export).len(), 3);
    let other = Umbel::new(Store::Sqlite);
    other.json(&["store", "init"]);
    let exit = other.command_fed(&["events", "import", "--json"], &export);
    let counts: Value = serde_json::from_str(&exit.stdout).unwrap();
    assert_eq!((&counts["imported"], &counts["audit_records"]), (&2.into(), &1.into()), "{exit:?}");
    assert_eq!(other.events().len(), 2);
}

/// A stream of which events are missing is refused where they are, with what to do: a condition left them out, or they are links.
#[test]
fn a_stream_with_holes_is_refused_with_what_is_missing() {
    let lines = [line(1, "a-1", 1), line(3, "a-1", 2), line(2, "a-1", 3), line(4, "b-1", 1)];
    for store in Store::durable() {
        let umbel = filled(store, &lines);
        let imported = |export: &[&str]| {
            let export = umbel.command_output(&[&["events", "export", "-"], export].concat());
            assert_eq!(export.code, Some(0), "{export:?}");
            let other = Umbel::new(Store::Sqlite);
            other.json(&["store", "init"]);
            let exit = other.command_fed(&["events", "import"], &export.stdout);
            let of_a = other.events().iter().filter(|event| event["stream"] == "a-1").count();
            (exit, of_a)
        };
        let (refused, taken) = imported(&["--type", "test.even"]);
        assert!(refused.code == Some(1) && taken == 0, "{refused:?}");
        for part in ["line 2", "a-1", "its versions 1 to 2 are neither", "--category"] {
            assert!(refused.stderr.contains(part), "{part} in {refused:?}");
        }
        let (whole, taken) = imported(&["--category", "a"]);
        assert!(whole.code == Some(0) && taken == 3, "{whole:?}");

        umbel.json(&["streams", "link", "mixed", lines[3]["id"].as_str().unwrap()]);
        let more =
            umbel.command_fed(&["events", "import", "--into-existing"], &ended(&[line(5, "mixed", 2)]));
        assert_eq!(more.code, Some(0), "{more:?}");
        let (refused, taken) = imported(&[]);
        assert!(refused.code == Some(1) && taken == 3, "what stands before it is there: {refused:?}");
        for part in ["line 6", "mixed", "its version 1 is neither", "a link"] {
            assert!(refused.stderr.contains(part), "{part} in {refused:?}");
        }
    }
}
