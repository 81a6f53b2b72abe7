//! Claims from the shell: who holds what, and how it moves with a log from store to store.

use std::fs;

use serde_json::{Value, json};

use super::lines::{line, log, text, within};
use crate::support::{Store, Umbel};

/// A claim as a line of an export.
fn claim(value: &str, owner: &str) -> Value {
    json!({"claim": {"scope": "test.name", "value": value, "owner": owner}})
}

/// How an export of everything begins.
fn begin() -> Value {
    json!({"export": {"from": 1}})
}

/// How one ends, with so many claims.
fn end(last_position: u64, claims: usize) -> Value {
    json!({"end": {"last_position": last_position, "claims": claims}})
}

#[track_caller]
fn initialised(store: Store) -> Umbel {
    let umbel = Umbel::new(store);
    umbel.json(&["store", "init"]);
    umbel
}

#[track_caller]
fn import(umbel: &Umbel, lines: &[Value]) -> Value {
    let exit = umbel.command_fed(&["events", "import", "--json"], &text(lines));
    assert_eq!(exit.code, Some(0), "{exit:?}");
    serde_json::from_str(&exit.stdout).unwrap()
}

fn parsed(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// OP-15: who was registered in one store is registered in the other, of either kind: the names and addresses stay taken, for their owners,
/// who may change them, and others do not get them.
#[test]
fn names_stay_taken_where_a_log_is_imported() {
    let [sqlite, postgres] = Store::durable();
    let [to_sqlite, to_postgres] = Store::durable();
    for (from, to) in [(sqlite, to_postgres), (postgres, to_sqlite)] {
        let (umbel, other) = (Umbel::new(from), initialised(to));
        let running = umbel.run();
        let token = running.client().register("ada").token().to_owned();
        running.client().with_token(&token).publish("First", &[]);
        let exported = umbel.command_output(&["events", "export"]);
        assert!(exported.code == Some(0) && exported.stderr.is_empty(), "{exported:?}");
        let file = other.dir().join("log.jsonl");
        fs::write(&file, &exported.stdout).unwrap();
        for events in ["imported", "skipped"] {
            let counts = &other.json(&["events", "import", "log.jsonl"])[0];
            let there = umbel.events().len();
            assert_eq!((&counts[events], &counts["claims"]), (&there.into(), &3.into()), "{counts}");
        }
        assert_eq!(other.json(&["claims", "list"]), umbel.json(&["claims", "list"]));

        let running = other.run();
        let register = |name: &str, address: &str| {
            let user = json!({"user": {"username": name, "email": address, "password": "correct horse"}});
            running.client().post("/api/users", &user)
        };
        for (name, address) in [("ada", "other@example.org"), ("other", "ada@example.org")] {
            let refused = register(name, address);
            assert_eq!(refused.status, 409, "{name}: {refused:?}");
        }
        running.client().register("eve");
        let known = json!({"user": {"email": "ada@example.org", "password": "correct horse"}});
        let known = running.client().post("/api/users/login", &known);
        let ada = running.client().with_token(known.body["user"]["token"].as_str().unwrap());
        let renamed = ada.put("/api/user", &json!({"user": {"username": "lovelace"}}));
        assert_eq!(renamed.status, 200, "{renamed:?}");
        let free = register("ada", "other@example.org");
        assert_eq!(free.status, 201, "given up by its owner: {free:?}");
    }
}

/// OP-14: an operator sees who holds a name.
#[test]
fn claims_are_listed_with_their_owners() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        let none = umbel.command_output(&["claims", "list"]);
        assert!(none.code != Some(0), "there is no store: {none:?}");
        let running = umbel.run();
        running.client().register("ada");
        let owner = umbel.events()[0]["stream"].clone();
        let of_names = umbel.json(&["claims", "list", "--scope", "accounts.username"]);
        let expected = json!({"scope": "accounts.username", "value": "ada", "owner": owner});
        assert_eq!(of_names, std::slice::from_ref(&expected));
        let all = umbel.json(&["claims", "list"]);
        assert!(all.len() == 2 && all.contains(&expected), "{all:?}");
        assert_eq!(umbel.json(&["claims", "list", "--limit", "1"]), all[..1]);
        let table = umbel.command_output(&["claims", "list"]).stdout;
        assert!(table.starts_with("scope") && table.contains("ada"), "{table}");
        let none = umbel.command_output(&["claims", "list", "--scope", "none"]);
        assert!(none.stdout.is_empty() && none.stderr == "there is no claim like that\n", "{none:?}");
    }
}

/// OP-15: a file that has claims is continued behind its events, and has the claims of now behind these, also when it was torn among them.
#[test]
fn an_export_that_goes_on_has_the_claims_of_now() {
    for store in Store::durable() {
        let umbel = initialised(store);
        let many: Vec<_> = (0..1_500).map(|number| claim(&format!("{number:04}"), "odd")).collect();
        let lines = [&[begin()], &log(20)[..], &many, &[end(20, 1_500)]].concat();
        import(&umbel, &lines);
        let told = &umbel.json(&["events", "export", "log.jsonl"])[0];
        let counts = ["events", "claims", "claims_moved"].map(|key| told[key].as_u64().unwrap());
        assert_eq!(counts, [20, 1_500, 0], "{told}");
        let file = umbel.dir().join("log.jsonl");
        let whole = fs::read_to_string(&file).unwrap();
        assert_eq!(parsed(&whole), lines);
        let events = text(&[&[begin()], &log(20)[..]].concat()).len();
        for left in [whole.len(), whole.len() - 1, whole.len() - 100, whole.len() / 2, events + 5, events, 7]
        {
            fs::write(&file, &whole[..left]).unwrap();
            umbel.json(&["events", "export", "log.jsonl"]);
            assert!(fs::read_to_string(&file).unwrap() == whole, "torn after {left} bytes");
        }
        let exit = umbel.command_fed(
            &["events", "import", "--into-existing"],
            &text(&[line(21, "later", 1), claim("0000a", "later"), end(21, 1)]),
        );
        assert_eq!(exit.code, Some(0), "{exit:?}");
        umbel.json(&["events", "export", "log.jsonl"]);
        let mut more = many.clone();
        more.insert(1, claim("0000a", "later"));
        more.push(end(21, 1_501));
        let lines = parsed(&fs::read_to_string(&file).unwrap());
        assert_eq!(lines[21]["stream"], "later");
        assert_eq!(lines[22..], more);
    }
}

/// OP-15: a part of a log has no claims, says so, and takes none away from an export of everything. Claims of processes stay with these.
#[test]
fn a_part_of_a_log_has_no_claims() {
    let umbel = initialised(Store::Sqlite);
    let process = json!({"claim": {"scope": "$process_managers", "value": "shop.shipping/1", "owner": "x"}});
    import(&umbel, &[line(1, "a-1", 1), claim("ada", "a-1"), process, end(1, 2)]);
    umbel.json(&["events", "export", "log.jsonl"]);
    let whole = fs::read_to_string(umbel.dir().join("log.jsonl")).unwrap();
    assert_eq!(parsed(&whole), [begin(), line(1, "a-1", 1), claim("ada", "a-1"), end(1, 1)]);
    for (condition, file) in [(["--since", "2020-01-31"], "since.jsonl"), (["--category", "a"], "part.jsonl")]
    {
        let part = umbel.command_output(&[&["events", "export", "-"], &condition[..]].concat());
        assert_eq!(within(&part.stdout), [line(1, "a-1", 1)], "{part:?}");
        assert!(part.code == Some(0) && part.stderr.contains("without claims"), "{part:?}");
        let refused = umbel.command_output(&[&["events", "export", "log.jsonl"], &condition[..]].concat());
        assert!(refused.code == Some(1) && refused.stderr.contains("export of everything"), "{refused:?}");
        let told = umbel.command_output(&[&["events", "export", file], &condition[..]].concat());
        assert!(told.stdout.contains("without claims"), "{told:?}");
    }
    assert_eq!(fs::read_to_string(umbel.dir().join("log.jsonl")).unwrap(), whole);
    let told = &umbel.json(&["events", "export", "part.jsonl", "--category", "a"])[0];
    assert!(told["claims"].is_null(), "{told}");

    let other = initialised(Store::Sqlite);
    let part = fs::read_to_string(umbel.dir().join("part.jsonl")).unwrap();
    let exit = other.command_fed(&["events", "import"], &part);
    assert!(exit.code == Some(0) && exit.stdout.contains("no claims"), "{exit:?}");
}

/// OP-15: a claim that another owner holds is named with both, and left to him; all behind it is taken, and the same import again says the same.
#[test]
fn what_others_hold_is_left_to_them() {
    for store in Store::durable() {
        let umbel = initialised(store);
        import(&umbel, &[line(901, "b-1", 1), claim("ada", "b-1"), end(1, 1)]);
        let lines = [line(1, "a-1", 1), claim("ada", "a-1"), claim("eve", "a-1"), end(1, 2)];
        let foreign = umbel.command_fed(&["events", "import"], &text(&lines));
        assert!(foreign.code == Some(1) && foreign.stderr.contains("--into-existing"), "{foreign:?}");
        let foreign = umbel.command_fed(&["events", "import"], &text(&lines[1..]));
        assert!(foreign.code == Some(1) && foreign.stderr.contains("line 1: the log holds"), "{foreign:?}");
        assert_eq!(umbel.json(&["claims", "list"]), [claim("ada", "b-1")["claim"].clone()]);
        for imported in [1, 0] {
            let exit = umbel.command_fed(&["events", "import", "--into-existing", "--json"], &text(&lines));
            assert_eq!(exit.code, Some(1), "{exit:?}");
            for part in ["line 2", r#"test.name "ada""#, "b-1 here", "a-1 there", "left 1 claim to others"] {
                assert!(exit.stderr.contains(part), "{part} in {exit:?}");
            }
            let counts: Value = serde_json::from_str(&exit.stdout).unwrap();
            assert_eq!(counts["imported"], imported, "{counts}");
            assert_eq!((&counts["claims"], &counts["claims_held_by_others"]), (&1.into(), &1.into()));
        }
        let held = [claim("ada", "b-1"), claim("eve", "a-1")].map(|line| line["claim"].clone());
        assert_eq!(umbel.json(&["claims", "list"]), held);
        let wrong =
            umbel.command_fed(&["events", "import"], &text(&[line(1, "a-1", 1), json!({"claim": 7})]));
        assert!(wrong.code == Some(1) && wrong.stderr.contains("line 2: it is no claim"), "{wrong:?}");
    }
}

/// OP-15: an import that was killed with -9 among the claims is done again, and all of them are taken.
#[test]
fn a_killed_import_takes_its_claims_when_it_is_done_again() {
    let many: Vec<_> = (0..40_000).map(|number| claim(&format!("{number:05}"), "a-1")).collect();
    for store in Store::durable() {
        let umbel = initialised(store);
        fs::write(
            umbel.dir().join("log.jsonl"),
            text(&[&[line(1, "a-1", 1)][..], &many, &[end(1, 40_000)]].concat()),
        )
        .unwrap();
        let some = || umbel.command_output(&["claims", "list", "--limit", "1", "--json"]).stdout;
        umbel.command_killed(&["events", "import", "log.jsonl"], |_| (!some().is_empty()).then_some(()));
        let counts = &umbel.json(&["events", "import", "log.jsonl"])[0];
        assert_eq!((&counts["skipped"], &counts["claims"]), (&1.into(), &many.len().into()), "{counts}");
        let held: Vec<_> = many.iter().map(|line| line["claim"].clone()).collect();
        assert!(umbel.json(&["claims", "list"]) == held);
    }
}

/// OP-15: lines that end among the claims, as those of an export do that was killed, are taken, but not for whole; the export goes on, and
/// then they are.
#[test]
fn an_export_that_was_killed_among_its_claims_is_not_taken_for_whole() {
    let many: Vec<_> = (0..40_000).map(|number| claim(&format!("{number:05}"), "a-1")).collect();
    let lines = [&[begin(), line(1, "a-1", 1)][..], &many, &[end(1, many.len())]].concat();
    let umbel = initialised(Store::Sqlite);
    import(&umbel, &lines);
    let file = umbel.dir().join("log.jsonl");
    let size = || fs::metadata(&file).map_or(0, |about| about.len());
    umbel.command_killed(&["events", "export", "log.jsonl"], |_| (size() > 100_000).then_some(()));
    let killed = fs::read_to_string(&file).unwrap();
    assert!(killed.len() < text(&lines).len(), "it was through");
    let whole_lines = &killed[..=killed.rfind('\n').unwrap()];
    let other = initialised(Store::Sqlite);
    let exit = other.command_fed(&["events", "import"], whole_lines);
    assert!(exit.code == Some(1) && exit.stderr.contains("line 1 has no end"), "{exit:?}");
    let held = other.json(&["claims", "list"]).len();
    assert_eq!(held, whole_lines.lines().count() - 2, "what is there is taken");

    umbel.json(&["events", "export", "log.jsonl"]);
    let whole = fs::read_to_string(&file).unwrap();
    assert!(parsed(&whole) == lines);
    let exit = other.command_fed(&["events", "import"], &whole);
    assert_eq!(exit.code, Some(0), "{exit:?}");
    assert!(other.json(&["claims", "list"]) == umbel.json(&["claims", "list"]));
}
