//! Recovery: whatever dies, nothing acknowledged is lost and everything comes back by itself.

mod backup;
mod load;
mod read_models;

use std::{fs::File, path::Path};

use actix::System;
use contracts::{Published, accounts, articles, comments};
use serde_json::json;
use umbel_core::{Event, EventSet, Lineage, RecordedEvent};
use umbel_host::{DispatchOptions, Foundation};
use umbel_settings::{LoadOptions, Settings};
use umbel_testkit::{conformance::check_log, postgres::Server};

use self::{
    load::{Acknowledged, FOLLOWED, Load},
    read_models::{behind, check_read_models, is_of_conduit},
};
use crate::support::{
    Client, Dice, PATIENCE, Store, StorePlace, Umbel, WriterProcess, Writing, eventually, judge, seed,
    with_store,
};

/// Every article is there or gone as was acknowledged, everything that Conduit has was written, and the log is contiguous with unique
/// ids.
#[track_caller]
fn check(umbel: &Umbel, client: &Client, Acknowledged { articles, .. }: &Acknowledged) {
    for (slug, is_there) in articles {
        // What was stored in the last moment before a crash is projected after it.
        eventually(&format!("{slug} to be served, {is_there}"), || {
            let status = client.get(&format!("/api/articles/{slug}")).status;
            (status == if *is_there { 200 } else { 404 }).then_some(())
        });
    }
    let events: Vec<RecordedEvent> =
        { umbel.events().into_iter() }.map(|event| serde_json::from_value(event).unwrap()).collect();
    assert_eq!(check_log(&events), Ok(()));
    let is_there = |name: &str| events.iter().any(|event| *event.event_type.name == *name);
    let conduits = Published::KINDS.iter().map(Lineage::name).filter(|name| is_of_conduit(name));
    let missing: Vec<_> = conduits.filter(|name| !is_there(name)).collect();
    assert_eq!(missing, [""; 0], "the load does not write these");
}

/// UX-14: kill -9 under load; after the next start everything acknowledged is there, once, and every projection is the fold of the log.
#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        let running = umbel.run();
        let ada = running.client().register(FOLLOWED);
        let load = Load::start(&ada, 4);
        load.await_rounds(6);
        running.kill();
        let acknowledged = load.stop();

        let running = umbel.run();
        check(&umbel, &running.client(), &acknowledged);
        check_read_models(&umbel);
        let login = json!({"user": {"email": "ada@example.org", "password": "correct horse"}});
        assert_eq!(running.client().post("/api/users/login", &login).status, 200);
    }
}

/// UX-15: the database is killed with -9 under load and comes back: service resumes without a restart, and everything
/// acknowledged is there, once.
#[test]
fn nothing_acknowledged_is_lost_when_the_database_dies() {
    let server = Server::start().unwrap();
    let mut umbel = Umbel::new(Store::Sqlite);
    umbel.set("UMBEL__STORE__URL", server.url());
    let mut running = umbel.run();
    let ada = running.client().register(FOLLOWED);
    let load = Load::start(&ada, 4);
    load.await_rounds(6);
    server.kill9().unwrap();
    let acknowledged = load.stop();
    assert_eq!(running.client().get("/health/ready").status, 503);
    assert_eq!(running.client().get("/health/live").status, 200);

    server.start_again().unwrap();
    running.await_ready();
    check(&umbel, &running.client(), &acknowledged);
    check_read_models(&umbel);
    ada.publish("After the outage", &[]);
}

/// UX-14, append by append: writers are killed with -9 in the midst of everything, and again; what they were told is what
/// their store holds when it is opened once more.
#[test]
fn killed_writers_leave_what_they_were_told() {
    for store in Store::durable() {
        let directory = tempfile::tempdir().unwrap();
        let dice = Dice::new(seed());
        let writings: Vec<_> =
            (0..3_u64).map(|run| endless(&store, directory.path(), dice.part(run), run)).collect();
        for writing in &writings {
            let mut writer = writing.spawn();
            assert!(writer.goes_on(ENOUGH), "it ended by itself");
            writer.kill();
        }
        judge_all(&store.place(directory.path()), &writings);
    }
}

/// UX-15, append by append: PostgreSQL is killed with -9 under two processes of writers, and again; they go on by
/// themselves when it is back, and what they were told is what it holds.
#[test]
fn writers_outlive_a_killed_database_and_were_told_the_truth() {
    let (server, directory) = (Server::start().unwrap(), tempfile::tempdir().unwrap());
    let place = StorePlace { url: server.url().to_owned(), schema: "umbel".into() };
    let dice = Dice::new(seed());
    let writings = [0, 1].map(|number| Writing {
        place: place.clone(),
        ..endless(&Store::Sqlite, directory.path(), dice.part(number), number)
    });
    let mut writers = writings.each_ref().map(Writing::spawn);
    for _ in 0..2 {
        writers.iter_mut().for_each(|writer| assert!(writer.goes_on(ENOUGH), "it ended by itself"));
        server.kill9().unwrap();
        server.start_again().unwrap();
    }
    writers.iter_mut().for_each(|writer| assert!(writer.goes_on(ENOUGH), "it ended by itself"));
    File::create(&writings[0].stop).unwrap();
    writers.into_iter().for_each(WriterProcess::join);
    judge_all(&place, &writings);
}

/// Appends that a process gets stored before something dies.
const ENOUGH: u64 = 60;

/// Writers that write until they are told to stop, or killed.
fn endless(store: &Store, directory: &Path, mut dice: Dice, number: u64) -> Writing {
    Writing {
        place: store.place(directory),
        journal: directory.join(format!("journal-{number}")),
        seed: dice.any(),
        tasks: 6,
        appends: u64::MAX,
        stop: directory.join("stop"),
    }
}

#[track_caller]
fn judge_all(place: &StorePlace, writings: &[Writing]) {
    let judged = with_store(place, async |bus| judge(&bus, writings.iter().map(|one| &one.journal)).await);
    let accepted = judged.unwrap_or_else(|broken| panic!("{broken}"));
    println!("{accepted}");
    assert!(accepted.stored > 0 && accepted.refused > 0, "{accepted}");
}

/// UX-13: SIGTERM under load drains: exit code 0, everything acknowledged is in the log, and every projection and subscription has written
/// how far it has come: to the last event that concerns it.
#[test]
fn sigterm_drains() {
    for store in Store::durable() {
        let umbel = Umbel::new(store);
        let mut running = umbel.run();
        let ada = running.client().register(FOLLOWED);
        let load = Load::start(&ada, 4);
        load.await_rounds(3);
        running.terminate();
        let exit = running.wait();
        assert_eq!(exit.code, Some(0), "{}", exit.stdout);
        let acknowledged = load.stop();
        // What follows from a deletion comes by itself, perhaps last of all, and nobody waited for it.
        let is_waited_for = |event: &str| event != comments::DiscussionClosed::NAME;
        assert_eq!(behind(&umbel, is_waited_for), [""; 0]);

        let running = umbel.run();
        check(&umbel, &running.client(), &acknowledged);
    }
}

/// Invariant 9, UX-10: each actor of the umbrella is made to panic in turn - bus, store, every component of every app -
/// and each time the next requests are answered, with everything acknowledged still there.
#[test]
fn every_actor_comes_back_from_a_panic() {
    System::new().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("store.url=sqlite:{}", dir.path().join("umbel.db").display());
        let overrides = [&*url, "supervision.max_restarts=1000", "supervision.backoff_min_ms=1"];
        let split = |pair: &str| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        let settings = Settings::load(&LoadOptions {
            environment: Some("test".into()),
            overrides: overrides.iter().filter_map(|pair| split(pair)).collect(),
            ..LoadOptions::default()
        })
        .unwrap();
        let foundation = Foundation::from_settings(settings).unwrap();
        let bus = foundation.bus.clone();
        let policy = foundation.settings.section("supervision").unwrap();
        let store = umbel_persistence::group(&foundation.settings.section("store").unwrap(), &bus, policy);
        let supervisor = foundation
            .umbrella("umbel")
            .with(store)
            .with_app(&::accounts::app(&foundation.settings.section("accounts").unwrap()).unwrap())
            .with_app(&::articles::app())
            .start();
        supervisor.tree().wait_until_up(PATIENCE).await.unwrap();

        let strong = || DispatchOptions::default().strong().deadline(PATIENCE);
        let register = |name: &str| accounts::Register {
            username: name.to_owned(),
            email: format!("{name}@example.org"),
            password: contracts::Password::new("correct horse"),
        };
        let author = bus.dispatch_with(register(FOLLOWED), strong()).await.unwrap().reply;
        let targets = bus.fault_targets();
        for part in [
            "bus",
            "umbel/umbel.tree",
            "store/writer",
            "store/reader",
            "accounts/account",
            "articles/article",
        ] {
            assert!(targets.iter().any(|target| target == part), "{part} takes faults: {targets:?}");
        }
        for (number, target) in targets.iter().enumerate() {
            assert!(bus.inject_panic(target).await, "{target} panics when told to");

            let name = format!("user{number}");
            let registered = bus.dispatch_with(register(&name), strong()).await;
            let user = registered.unwrap_or_else(|error| panic!("after a panic of {target}: {error}")).reply;
            let article = articles::Publish {
                author_id: author.id,
                title: format!("After {number}"),
                description: "d".into(),
                body: "b".into(),
                tags: vec![],
            };
            let published = bus.dispatch_with(article, strong()).await;
            published.unwrap_or_else(|error| panic!("after a panic of {target}: {error}"));
            let found = bus.ask_within(accounts::GetUser { user_id: user.id }, PATIENCE).await;
            assert_eq!(found.unwrap().unwrap().username, name, "after a panic of {target}");
            let list = articles::ListArticles { limit: 1, ..Default::default() };
            let list = bus.ask_within(list, PATIENCE).await.unwrap();
            assert_eq!(list.total, number as u64 + 1, "after a panic of {target}");
        }
        supervisor.tree().wait_until_up(PATIENCE).await.unwrap();
        let restarts = supervisor.tree().snapshot().to_string();
        assert!(restarts.contains("a test asked"), "the tree knows the causes:\n{restarts}");
        supervisor.shut_down().await;
    });
}
