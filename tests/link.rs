//! Conduit's apps in different processes, which carry each other's messages.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::json;

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

/// LK-01: given an app that no process runs, then what needs it is answered 503, and everything else goes on; it is there as soon as a process
/// runs it.
#[test]
fn an_app_is_there_as_soon_as_a_process_runs_it() {
    let mut umbel = Umbel::new(Store::postgres());
    let [accounts] = umbel.run_apart(["accounts,gateway"]);
    let client = accounts.client();
    let ada = client.register("ada");
    let tags = client.get("/api/tags");
    assert_eq!(tags.status, 503, "{tags:?}");
    let mut rest = umbel.start(&["--only", "articles,social,gateway"]);
    rest.await_ready();
    assert_eq!(client.get("/api/tags").status, 200);
    let slug = ada.publish("From afar", &["far"]);
    let article = rest.client().get(&format!("/api/articles/{slug}"));
    assert_eq!(article.body["article"]["author"]["username"], "ada");
}
