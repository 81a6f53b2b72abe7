//! Conduit's apps in different processes, which carry each other's messages.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::{Value, json};

use crate::support::{Client, Running, Store, Umbel, eventually};

/// Clients that register users at the same time.
const CLIENTS: usize = 4;

/// What became of registrations.
#[derive(Default)]
struct Registered {
    acknowledged: Mutex<BTreeSet<String>>,
    /// How many were told to try again.
    put_off: AtomicUsize,
    stop: AtomicBool,
}

impl Registered {
    /// Registers users until it is told to stop. Each is one that is new, so no answer depends on another one.
    fn go_on(&self, client: &Client, who: usize) {
        for number in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let name = format!("user-{who}-{number}");
            let user = json!({"user": {"username": name, "email": format!("{name}@example.org"), "password": "correct horse"}});
            let answer = client.post("/api/users", &user);
            match answer.status {
                201 => drop(self.acknowledged.lock().unwrap().insert(name)),
                // Not available, or nobody knows: each with the reason in the form of the API's errors.
                503 | 504 => {
                    assert!(answer.body["errors"]["server"].is_array(), "{answer:?}");
                    self.put_off.fetch_add(1, Ordering::Relaxed);
                    thread::yield_now();
                }
                _ => panic!("{answer:?}"),
            }
        }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    #[track_caller]
    fn await_more(&self, more: usize) {
        let before = self.count();
        eventually("more registrations", || (self.count() >= before + more).then_some(()));
    }
}

/// LK-12: given the owner of accounts in a process of its own, when that is killed under load and started again, then those who register at
/// another process's gateway get typed errors meanwhile, and it goes on by itself; whoever was told that he is registered is.
#[test]
fn the_process_of_an_owner_may_be_killed_under_load() {
    let mut umbel = Umbel::new(Store::postgres());
    let [accounts, rest] = umbel.run_apart(["accounts,gateway", "articles,social,gateway"]);
    let (client, registered) = (rest.client(), Registered::default());
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|who| {
                scope.spawn({
                    let (client, registered) = (&client, &registered);
                    move || registered.go_on(client, who)
                })
            })
            .collect();
        registered.await_more(10);
        accounts.kill();
        eventually("somebody to be put off", || {
            (registered.put_off.load(Ordering::Relaxed) > 0).then_some(())
        });
        let mut again: Running = umbel.start(&["--only", "accounts,gateway"]);
        again.await_ready();
        registered.await_more(10);
        registered.stop.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().unwrap());

        let acknowledged = registered.acknowledged.lock().unwrap();
        for name in acknowledged.iter() {
            let profile = client.get(&format!("/api/profiles/{name}"));
            assert_eq!(
                (profile.status, &profile.body["profile"]["username"]),
                (200, &json!(name)),
                "{profile:?}"
            );
        }
    });
}

/// Two that carry each other's messages, with a socket for tools: the first runs accounts.
fn apart() -> (Umbel, [Running; 2]) {
    let mut umbel = Umbel::new(Store::postgres());
    umbel.set("UMBEL__CONTROL__SOCKET", "run/umbel-{pid}.sock");
    let running = umbel.run_apart(["accounts,gateway", "articles,social,gateway"]);
    (umbel, running)
}

/// What the gateway says of being ready, once it says so with this status.
fn readiness(running: &Running, status: u16) -> Value {
    let client = running.client();
    eventually("another readiness", || {
        client
            .try_get("/health/ready")
            .ok()
            .filter(|answer| answer.status == status)
            .map(|answer| answer.body)
    })
}

/// How many lines of its log have all of these words.
fn lines(running: &Running, words: &[&str]) -> usize {
    running.output().lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
}

/// A status, and what was said of when to try again.
fn put_off(running: &Running) -> (u16, Option<String>) {
    let heard = running.client().heard("GET", "/api/tags", "https://example.org");
    (heard.status, heard.header("retry-after").map(str::to_owned))
}

/// LK-01: given an app that no process runs, then what needs it is answered 503, and everything else goes on; it is there as soon as a process
/// runs it. LK-15: until then the gateway lives, is not ready, and says what is not answered.
#[test]
fn an_app_is_there_as_soon_as_a_process_runs_it() {
    let mut umbel = Umbel::new(Store::postgres());
    umbel.link();
    let accounts = umbel.start(&["--only", "accounts,gateway"]);
    accounts.await_live();
    let client = accounts.client();
    let ada = client.register("ada");
    assert_eq!(put_off(&accounts), (503, None), "nobody knows of anybody who would come");
    let missing = readiness(&accounts, 503);
    let unanswered = missing["unanswered"].as_array().unwrap();
    assert!(unanswered.contains(&json!("articles.list_tags")), "{missing}");
    assert!(!missing.to_string().contains("accounts."), "{missing}");
    let mut rest = umbel.start(&["--only", "articles,social,gateway"]);
    rest.await_ready();
    readiness(&accounts, 200);
    assert_eq!(client.get("/api/tags").status, 200);
    let slug = ada.publish("From afar", &["far"]);
    let article = rest.client().get(&format!("/api/articles/{slug}"));
    assert_eq!(article.body["article"]["author"]["username"], "ada");
}

/// LK-14: each process shows the other one, whether it is reached, and what it is counted on for; LK-15, LK-17: when one stops in order, then the
/// other one is not ready, and its clients are told when to try again; LK-18: without a line of its log for each of them. It is ready again
/// when the first is back.
#[test]
fn it_shows_when_a_process_stops_and_comes_back() {
    let (umbel, [accounts, mut rest]) = apart();
    let seen = umbel.json(&["peers"]);
    assert_eq!(seen.len(), 2, "{seen:?}");
    let of_accounts = |seen: &[Value]| {
        let own = |one: &&Value| one["process"] == json!(accounts.id());
        seen.iter().find(own).unwrap_or_else(|| panic!("{seen:?}"))["peers"].clone()
    };
    let peers = of_accounts(&seen);
    assert_eq!((peers.as_array().unwrap().len(), &peers[0]["reached"]), (1, &json!("connected")), "{peers}");
    let counted_on = peers[0]["counted_on"].as_array().unwrap();
    assert!(counted_on.contains(&json!("articles.publish")), "{counted_on:?}");
    let shown = umbel.command_output(&["peers"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stdout.contains("connected") && shown.stdout.contains("articles, social"), "{shown:?}");

    rest.terminate();
    eventually("nobody to answer", || {
        let answer = put_off(&accounts);
        assert!([(200, None), (503, Some("1".into()))].contains(&answer), "{answer:?}");
        (answer.0 == 503).then_some(())
    });
    rest.wait();
    let missing = readiness(&accounts, 503);
    assert!(missing["unanswered"].as_array().unwrap().contains(&json!("articles.list_tags")), "{missing}");
    assert_eq!(accounts.client().get("/health/live").status, 200);
    for _ in 0..20 {
        assert_eq!(put_off(&accounts), (503, Some("1".into())));
    }
    eventually("it to be gone", || (of_accounts(&umbel.json(&["peers"])) == json!([])).then_some(()));
    // That it is gone, or, for a message of its last moments, that it is not reached.
    eventually("the log to say so", || {
        (lines(&accounts, &["WARN", "another process is"]) == 1).then_some(())
    });
    assert_eq!(lines(&accounts, &["ERROR"]), 0, "{}", accounts.output());

    let mut again = umbel.start(&["--only", "articles,social,gateway"]);
    again.await_ready();
    readiness(&accounts, 200);
    assert_eq!(put_off(&accounts), (200, None));
}

/// LK-18: given a process that is killed, however often it is asked, then the log of the one that asks has a warning, and no error.
#[test]
fn a_process_that_is_away_is_told_once() {
    let (umbel, [accounts, rest]) = apart();
    rest.kill();
    let mut away = 0;
    eventually("the other one to be gone for good", || {
        away += usize::from(put_off(&accounts).0 == 503);
        umbel.json(&["peers"]).iter().all(|one| one["peers"] == json!([])).then_some(())
    });
    assert!(away >= 10, "{away} were put off");
    assert_eq!(lines(&accounts, &["WARN", "another process is not reached"]), 1, "{}", accounts.output());
    assert_eq!(lines(&accounts, &["ERROR"]), 0, "{}", accounts.output());
}

/// LK-16: given two secrets, then both processes say so at once, as an error that names both and what to set; clients are not told to try again.
#[test]
fn another_secret_is_an_error_at_once() {
    let mut umbel = Umbel::new(Store::postgres());
    umbel.set("UMBEL__CONTROL__SOCKET", "run/umbel-{pid}.sock");
    umbel.link();
    let accounts = umbel.start(&["--only", "accounts,gateway"]);
    umbel.set("UMBEL__LINK__SECRET", "a secret that the other one does not know");
    let rest = umbel.start(&["--only", "articles,social,gateway"]);
    let words = ["ERROR", "do not talk to each other", "UMBEL__LINK__SECRET"];
    for running in [&accounts, &rest] {
        eventually("both to say so", || (lines(running, &words) > 0).then_some(()));
    }
    let seen = umbel.json(&["peers"]);
    for one in &seen {
        let (node, peer) = (one["node"].as_str().unwrap(), &one["peers"][0]);
        assert_eq!(peer["reached"], "refused", "{seen:?}");
        let both = [&words[..], &[node, peer["node"].as_str().unwrap()]].concat();
        assert!([&accounts, &rest].iter().any(|running| lines(running, &both) == 1), "{node} in {both:?}");
    }
    accounts.await_live();
    assert_eq!(put_off(&accounts), (503, None));
    readiness(&accounts, 503);
}
