//! The binary as an operator meets it: its tools, its messages, its exit codes.

mod asking;
mod claims;
mod lines;
mod looking;
mod pooler;
mod process_managers;
mod projections;
mod removal;
mod settings;
mod store;
mod subscriptions;
mod tenants;
mod transfer;
mod upkeep;

use std::{fs, net::TcpListener};

use serde_json::Value;
use umbel_persistence::{StoreSettings, floor::Scratch};

use crate::support::{Store, StorePlace, Umbel};

/// The log from the shell: one JSON object per line with the agreed keys; a stream by name.
#[test]
fn the_log_is_readable_from_the_shell() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        let running = umbel.run();
        let ada = running.client().register("ada");
        ada.publish("First", &["tag"]);

        let events = umbel.events();
        for event in &events {
            for key in ["position", "stream", "version", "id", "type", "recorded_at", "data", "metadata"] {
                assert!(event.get(key).is_some(), "{key} in {event}");
            }
            assert!(event["metadata"]["correlation_id"].is_string(), "{event}");
        }
        let last = events.last().unwrap();
        let from =
            umbel.command_output(&["events", "tail", "--from", &last["position"].to_string(), "--json"]);
        assert_eq!(from.stdout.lines().count(), 1, "{from:?}");

        let stream = last["stream"].as_str().unwrap();
        let shown = umbel.command_output(&["streams", "show", stream, "--json"]);
        assert_eq!(shown.code, Some(0), "{shown:?}");
        let first: Value = serde_json::from_str(shown.stdout.lines().next().unwrap()).unwrap();
        assert_eq!(first["stream"], stream);
        assert!(umbel.command_output(&["streams", "show", stream]).stdout.contains(stream));

        let unknown = umbel.command_output(&["streams", "show", "no-such"]);
        assert_eq!(unknown.code, Some(1), "{unknown:?}");
        assert!(unknown.stderr.contains("no-such"), "{unknown:?}");
    }
}

/// A wrong setting names the key, where it comes from and the nearest known key; exit code 3.
#[test]
fn a_wrong_setting_is_named() {
    let mut umbel = Umbel::new(Store::Sqlite);
    fs::create_dir(umbel.dir().join("config")).unwrap();
    let file = umbel.dir().join("config/test.toml");
    fs::write(&file, "[gateway]\nadress = \"127.0.0.1:1\"\n").unwrap();
    let exit = umbel.command_output(&["run"]);
    assert_eq!(exit.code, Some(3), "{exit:?}");
    for part in ["gateway.adress", "test.toml", "gateway.address"] {
        assert!(exit.stderr.contains(part), "{part} in {exit:?}");
    }
    fs::remove_file(file).unwrap();

    umbel.set("UMBEL__GATEWAY__ADDRESS", "localhost:4000");
    let exit = umbel.command_output(&["run"]);
    assert_eq!(exit.code, Some(3), "{exit:?}");
    for part in ["gateway.address", "127.0.0.1:4000", "names are not looked up"] {
        assert!(exit.stderr.contains(part), "{part} in {exit:?}");
    }
    umbel.unset("UMBEL__GATEWAY__ADDRESS");

    umbel.set("UMBEL__STORE__POLL_INTERVAL_MS", "often");
    let exit = umbel.command_output(&["run"]);
    assert_eq!(exit.code, Some(3), "{exit:?}");
    for part in ["store.poll_interval_ms", "UMBEL__STORE__POLL_INTERVAL_MS"] {
        assert!(exit.stderr.contains(part), "{part} in {exit:?}");
    }
}

/// OP-08: a value that is refused is told with its key, where it comes from and what would do, also a secret, which is not told, and of a choice
/// the words.
#[test]
fn a_wrong_value_is_told_with_what_would_do() {
    let umbel = Umbel::new(Store::Sqlite);
    for (key, value, parts) in [
        ("telemetry.format", "xml", &["auto", "pretty", "json"][..]),
        ("telemetry.level", "loud", &["loud", "debug"]),
        ("supervision.strategy", "none", &["one_for_one", "rest_for_one", "one_for_all"]),
        ("subscriptions.on_failure", "ignore", &["stop", "backoff", "park", "skip"]),
        ("gateway.jwt_secret", "hush", &["4 bytes", "32"]),
        ("link.secret", "hush", &["4 bytes", "32"]),
    ] {
        let exit = umbel.command_output(&["run", "--set", &format!("{key}={value}")]);
        assert_eq!(exit.code, Some(3), "{exit:?}");
        for part in [key, "the command line"].iter().chain(parts) {
            assert!(exit.stderr.contains(part), "{part} in {exit:?}");
        }
        assert!(!exit.stderr.contains("variant") && !exit.stderr.contains("hush"), "{exit:?}");
    }
}

/// Outside development there is no secret by default: the start is refused before anything is made, and says what to
/// set.
#[test]
fn production_needs_a_secret() {
    let mut umbel = Umbel::new(Store::Sqlite);
    umbel.set("UMBEL_ENV", "production");
    for secret in ["", "too short"] {
        umbel.set("UMBEL__GATEWAY__JWT_SECRET", secret);
        let exit = umbel.command_output(&["run"]);
        assert_eq!(exit.code, Some(3), "{exit:?}");
        assert!(exit.stderr.contains("UMBEL__GATEWAY__JWT_SECRET"), "{exit:?}");
    }
    assert!(!umbel.dir().join("umbel.db").exists(), "nothing was started");
}

/// In development the secret is made once, readable by its owner only, and kept.
#[test]
fn development_makes_its_secret_once() {
    use std::os::unix::fs::PermissionsExt;
    let mut umbel = Umbel::new(Store::Sqlite);
    umbel.set("UMBEL_ENV", "development");
    umbel.unset("UMBEL__GATEWAY__JWT_SECRET");
    let running = umbel.run();
    let ada = running.client().register("ada");
    let secret = umbel.dir().join("data/jwt.secret");
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&secret).unwrap();
    running.kill();
    let running = umbel.run();
    assert_eq!(fs::read(&secret).unwrap(), before);
    let token = ada.token().to_owned();
    assert_eq!(running.client().with_token(&token).get("/api/user").status, 200);
}

/// A port in use, an unreachable database, a damaged file: one clear message, exit code 4, nothing lost.
#[test]
fn what_cannot_start_says_why() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut umbel = Umbel::new(Store::Sqlite);
    umbel.set("UMBEL__GATEWAY__ADDRESS", &address);
    let exit = umbel.command_output(&["run"]);
    assert_eq!(exit.code, Some(4), "{exit:?}");
    assert!(exit.stderr.contains(&address), "{exit:?}");

    let mut umbel = Umbel::new(Store::Sqlite);
    umbel.set("UMBEL__STORE__URL", "postgres://ada:s3cret@127.0.0.1:1/nowhere");
    let exit = umbel.command_output(&["run"]);
    assert_eq!(exit.code, Some(4), "{exit:?}");
    assert!(exit.stderr.contains("127.0.0.1") && !exit.stderr.contains("s3cret"), "{exit:?}");

    let umbel = Umbel::new(Store::Sqlite);
    let file = umbel.dir().join("umbel.db");
    fs::write(&file, "this is not a database, and long enough to be read as one".repeat(20)).unwrap();
    let before = fs::read(&file).unwrap();
    for command in [&["run"][..], &["events", "tail"]] {
        let exit = umbel.command_output(command);
        assert_eq!(exit.code, Some(4), "{exit:?}");
        assert!(exit.stderr.contains("umbel.db"), "{exit:?}");
    }
    assert_eq!(fs::read(&file).unwrap(), before, "a damaged file is left as it is");
}

/// Unknown commands and apps are refused with what there is; exit code 2.
#[test]
fn wrong_usage_is_refused() {
    let umbel = Umbel::new(Store::Sqlite);
    let exit = umbel.command_output(&["rum"]);
    assert_eq!(exit.code, Some(2), "{exit:?}");
    assert!(exit.stderr.contains("run"), "{exit:?}");
    let exit = umbel.command_output(&["run", "--only", "acounts"]);
    assert_eq!(exit.code, Some(2), "{exit:?}");
    assert!(exit.stderr.contains("accounts"), "{exit:?}");
    let exit = umbel.command_output(&["events", "tail"]);
    assert_ne!(exit.code, Some(0), "there is no log to read: {exit:?}");
    assert!(!umbel.dir().join("umbel.db").exists(), "reading makes no new store");
}

/// A part of the umbrella runs alone, and what it does not run it does not answer.
#[test]
fn runs_a_part() {
    let mut umbel = Umbel::new(Store::Sqlite);
    umbel.set("UMBEL__GATEWAY__READY_IN_PART", "true");
    let mut part = umbel.start(&["--only", "accounts,gateway"]);
    part.await_ready();
    let ada = part.client().register("ada");
    let article = serde_json::json!({"article": {"title": "t", "description": "d", "body": "b"}});
    let answer = ada.post("/api/articles", &article);
    assert_eq!(answer.status, 503, "{answer:?}");
}

/// The bench prints one object, measures its floors in the same run, and leaves nothing behind.
#[test]
fn bench_reports_itself_and_cleans_up() {
    let group_commit = "floor group commit";
    for (store, floors) in
        Store::durable().into_iter().zip([&[group_commit][..], &[group_commit, "floor single row"]])
    {
        let umbel = Umbel::new(store);
        let exit =
            umbel.command_output(&["bench", "append", "--events", "600", "--concurrency", "8", "--json"]);
        assert_eq!(exit.code, Some(0), "{exit:?}");
        let report: Value = serde_json::from_str(&exit.stdout).unwrap();
        for key in ["workload", "store", "concurrency", "events", "rounds"] {
            assert!(report.get(key).is_some(), "{key} in {report}");
        }
        let named = |list: &str, key: &str, name: &str| {
            let found = report[list].as_array().unwrap().iter().find(|one| one[key] == name);
            found.unwrap_or_else(|| panic!("{name} in {report}")).clone()
        };
        for name in floors.iter().chain(&["umbel"]) {
            assert!(named("rows", "name", name)["per_second"].as_f64().unwrap() > 0.0, "{report}");
        }
        for floor in floors {
            let ratio = named("findings", "what", &format!("umbel / {floor}"));
            assert!(ratio["value"].as_f64().unwrap() > 0.0, "{report}");
        }
        assert!(!umbel.dir().join("umbel.db").exists(), "the configured store is not touched");
    }
}

/// The bench of subscriptions runs real ones on each store: from the origin, as apps do, live, and live across two adapters, beside their floors.
#[test]
fn bench_measures_subscriptions() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        let few = ["bench", "subscribe", "--events", "1000", "--appends", "5", "--rounds", "1"];
        let reports = umbel.json(&few);
        let rows = |report: &Value| -> Vec<String> {
            let measured = report["rows"].as_array().unwrap().iter();
            let measured = measured.filter(|row| row["per_second"].as_f64().is_some_and(|rate| rate > 0.0));
            measured.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
        };
        let [catch_up, apps, live, across] = &reports[..] else { panic!("{reports:?}") };
        let expected = ["umbel", "decoding", "projection", "floor bare query", "floor decoded query"];
        assert_eq!(rows(catch_up), expected, "{catch_up}");
        let expected =
            ["handler of an app", "projection, counts", "projection, a document each", "floor decoded query"];
        assert_eq!(rows(apps), expected, "{apps}");
        assert_eq!(rows(live), ["umbel", "floor group commit"], "{live}");
        assert_eq!(rows(across), ["across"], "{across}");
    }
}

/// The bench of growth exports with the tool itself, and tells what that took.
#[test]
fn bench_measures_an_export_as_a_process() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        let reports = umbel.json(&["bench", "growth", "--events", "1000", "--appends", "5", "--rounds", "1"]);
        let findings = reports[0]["findings"].as_array().unwrap();
        let took = findings.iter().find(|one| one["what"] == "the most an export took").unwrap();
        assert!(took["value"].as_f64().unwrap() > 1.0, "{took}");
        assert_eq!(took["unit"], "MiB");
    }
}

/// The bench of reading reads each kind of selection beside its floors.
#[test]
fn bench_measures_reads() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        let reports = umbel.json(&["bench", "read", "--events", "20000", "--rounds", "1"]);
        for (report, workload) in reports.iter().zip(["W3 all", "W3 one", "W3 type", "W3 types"]) {
            assert_eq!(report["workload"], workload, "{report}");
            let rows = report["rows"].as_array().unwrap();
            assert!(
                rows.len() == 3 && rows.iter().all(|row| row["per_second"].as_f64() > Some(0.0)),
                "{report}"
            );
        }
        assert_eq!(reports.len(), 4);
    }
}

/// The bench of HTTP runs the whole umbrella and its floor as processes, uses every kind of request, and touches nothing else.
#[test]
fn bench_measures_http() {
    let few = ["--articles", "20", "--concurrency", "2", "--requests", "20", "--writes", "45", "--lags", "3"];
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        let reports = umbel.json(&[&["bench", "http", "--rounds", "1"], &few[..]].concat());
        let rows: Vec<Vec<_>> = reports
            .iter()
            .map(|report| {
                let rows = report["rows"].as_array().unwrap().iter();
                rows.map(|row| {
                    let measured = ["per_second", "p50_ms", "p99_ms"].map(|key| row[key].as_f64().unwrap());
                    assert!(measured.iter().all(|figure| *figure > 0.0), "{row}");
                    row["name"].as_str().unwrap()
                })
                .collect()
            })
            .collect();
        let page = ["umbel", "floor with the bus", "floor without the bus"];
        let lags = ["append to visible", "under load"];
        assert_eq!(rows, [&page[..], &page, &page, &page, &page, &lags]);
        assert!(reports[0]["bytes"].as_u64() > reports[1]["bytes"].as_u64(), "a page of many is larger");
        assert!(!umbel.dir().join("umbel.db").exists(), "the configured store is not touched");
    }
}

/// What a bench that was killed with -9 has left behind, the next one removes.
#[test]
fn a_killed_bench_is_cleaned_up_after() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        let StorePlace { url, schema } = umbel.place();
        let is_sqlite = url.starts_with("sqlite:");
        let settings = StoreSettings { url, schema, ..StoreSettings::default() };
        let found = || runtime.block_on(Scratch::all_beside(&settings)).unwrap();
        let name = umbel.command_killed(&["bench", "append", "--events", "10000000"], |process| {
            let is_its = |owner: &String| owner.contains(&format!("process={process} "));
            found().into_iter().find(|one| one.owner.as_ref().is_some_and(is_its)).map(|one| one.name)
        });
        assert!(found().iter().any(|one| one.name == name));
        let exit = umbel.command_output(&["bench", "append", "--events", "600", "--concurrency", "8"]);
        assert_eq!(exit.code, Some(0), "{exit:?}");
        // On a server that others test on, one of theirs may have been faster.
        assert!(!is_sqlite || exit.stderr.contains(&format!("removed {name}")), "{exit:?}");
        assert!(found().iter().all(|one| one.name != name));
    }
}

/// Where no database answers, a bench says so, with the exit code of that, and speaks of nothing left behind.
#[test]
fn a_bench_without_a_database_leaves_nothing_behind() {
    let umbel = Umbel::new(Store::Sqlite);
    for workload in ["append", "read", "command", "http"] {
        let exit =
            umbel.command_output(&["bench", workload, "--set", "store.url=postgres://ada@127.0.0.1:1/d"]);
        assert_eq!(exit.code, Some(4), "{exit:?}");
        assert!(exit.stderr.contains("127.0.0.1:1") && !exit.stderr.contains("left behind"), "{exit:?}");
    }
}
