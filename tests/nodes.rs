//! Several processes on one PostgreSQL: equal nodes over one log.

use std::{
    collections::HashSet,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use umbel_bus::Bus;
use umbel_core::{
    EventId, ExpectedVersion, Metadata, NewEvent, RecordedEvent, StreamName, TagQuery, Tags, Version,
    document::Direction,
    store::{Append, AppendCondition, AppendError, ReadAll, ReadStream, Selector},
};
use umbel_testkit::conformance::check_log;

use crate::support::{Answer, Store, StorePlace, Umbel, with_store};

/// Writers in each process.
const WRITERS: usize = 16;
/// Versions they race for.
const VERSIONS: u64 = 60;
const STREAM: &str = "race-1";

/// Two processes serve the same data: what one takes, the other shows; a name taken on one is taken on both.
#[test]
fn two_processes_serve_the_same_data() {
    let Store::Postgres(schema) = Store::postgres() else { unreachable!("it was asked for") };
    let mut second = Umbel::new(Store::Sqlite);
    second.set("UMBEL__STORE__URL", schema.url());
    second.set("UMBEL__STORE__SCHEMA", schema.name());
    let first = Umbel::new(Store::Postgres(schema));
    let (one, two) = (first.run(), second.run());

    let ada = one.client().register("ada");
    let slug = ada.publish("From the first", &["a"]);
    let taken = json!({"user": {"username": "ada", "email": "x@example.org", "password": "correct horse"}});
    assert_eq!(two.client().post("/api/users", &taken).status, 409);
    let bob = two.client().register("bob");
    bob.publish("From the second", &["b"]);

    for node in [&one, &two] {
        let list = node.client().get("/api/articles");
        assert_eq!((list.status, &list.body["articlesCount"]), (200, &json!(2)), "{list:?}");
        let article = node.client().get(&format!("/api/articles/{slug}"));
        assert_eq!(article.body["article"]["author"]["username"], "ada");
    }
    // Each node has made a secret of its own here, so tokens are good on their own node only; data is shared.
    check_events(&first);
}

/// CD-11: two processes on one store are one Conduit behind either gateway. What each keeps in memory is never older than what the other
/// has answered: what was done on one can be undone on the other and done again. When one is killed, the other goes on.
#[test]
fn two_gateways_are_one_conduit() {
    let umbel = Umbel::new(Store::postgres());
    let [one, two] = umbel.run_two();
    let (ada, bob) = (one.client().register("ada"), two.client().register("bob"));
    let (ada_there, bob_there) = (two.client().with_token(ada.token()), bob);
    let bob = one.client().with_token(bob_there.token());
    let mut slug = ada.publish("On Engines", &[]);
    let nodes = [(&ada, &bob), (&ada_there, &bob_there)];
    for round in 0..6 {
        let ((ada, bob), (ada_there, bob_there)) = (nodes[round % 2], nodes[(round + 1) % 2]);
        let title =
            json!({"article": {"title": format!("On Engines, {round}"), "body": format!("Take {round}.")}});
        let edited = ada.put(&format!("/api/articles/{slug}"), &title);
        assert_eq!(edited.status, 200, "{edited:?}");
        edited.body["article"]["slug"].as_str().unwrap().clone_into(&mut slug);
        let (article, favorite) = (format!("/api/articles/{slug}"), format!("/api/articles/{slug}/favorite"));
        assert_eq!(ada_there.get(&article).body, edited.body);

        let following = |answer: Answer| answer.body["profile"]["following"].clone();
        assert_eq!(following(bob.post_nothing("/api/profiles/ada/follow")), true);
        assert_eq!(following(bob_there.get("/api/profiles/ada")), true);
        assert_eq!(bob_there.get("/api/articles/feed").body["articles"][0]["slug"], slug);
        assert_eq!(following(bob_there.delete("/api/profiles/ada/follow")), false);
        assert_eq!(bob.get("/api/articles/feed").body["articlesCount"], 0);

        let liked = |answer: Answer| {
            let article = &answer.body["article"];
            (article["favorited"].clone(), article["favoritesCount"].clone())
        };
        assert_eq!(liked(bob.post_nothing(&favorite)), (json!(true), json!(1)));
        assert_eq!(liked(bob_there.post_nothing(&favorite)), (json!(true), json!(1)), "no second time");
        assert_eq!(liked(bob_there.delete(&favorite)), (json!(false), json!(0)));
        assert_eq!(liked(bob.get(&article)), (json!(false), json!(0)));
    }
    two.kill();
    let last = ada.publish("After the other", &[]);
    assert_eq!(bob.get("/api/articles").body["articles"][0]["slug"], last);
    assert_eq!(ada.delete(&format!("/api/articles/{slug}")).status, 204);
    assert_eq!(bob.get(&format!("/api/articles/{slug}")).status, 404);
    check_events(&umbel);
}

/// Positions are contiguous, whoever wrote.
fn check_events(umbel: &Umbel) {
    let positions: Vec<_> = umbel.events().iter().map(|event| event["position"].as_u64().unwrap()).collect();
    assert_eq!(positions, (1..=positions.len() as u64).collect::<Vec<_>>());
}

/// AP-04 across processes, UX-03: 2 x 16 writers race for each version of one stream; each has exactly one winner, and
/// the log has neither gap nor swap.
#[test]
fn one_winner_per_version_across_processes() {
    let store = Store::postgres();
    let place = store.place(Path::new("."));
    assert_eq!(wins_of_two(&place, "nodes::racing_writers"), VERSIONS, "each version has one winner");

    with_store(&place, async |bus| {
        let request =
            ReadAll { from: None, direction: Direction::Forward, limit: 4096, selector: Selector::all() };
        let page = bus.store().read_all(request).await.unwrap();
        assert_eq!(page.events.len() as u64, VERSIONS);
        check_log(&page.events).unwrap();
    });
}

/// UX-17 across processes: 2 x 16 writers race for the seats of one course, each in a stream of its own; what they decide on is found by a
/// tag alone. Each seat has exactly one winner.
#[test]
fn one_winner_per_condition_across_processes() {
    let store = Store::postgres();
    let place = store.place(Path::new("."));
    assert_eq!(wins_of_two(&place, "nodes::racing_conditions"), VERSIONS, "each seat has one winner");

    with_store(&place, async |bus| {
        let page = bus.store().read_all(seats()).await.unwrap();
        let taken: Vec<_> = page.events.iter().map(seat).collect();
        assert_eq!(taken, (1..=VERSIONS).collect::<Vec<_>>());
        let processes: HashSet<_> = page
            .events
            .iter()
            .map(|event| event.data.decode::<Value>().unwrap()["process"].as_u64())
            .collect();
        assert_eq!(processes.len(), 2, "both had a part in it");
    });
}

/// What two processes won together.
fn wins_of_two(place: &StorePlace, part: &str) -> u64 {
    let writers: Vec<_> = (0..2).map(|_| spawn_writers(place, part)).collect();
    let wins = |writer: Child| {
        let output = writer.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let wins = text.lines().find_map(|line| line.split_once("wins=")).expect("a writer reports its wins");
        wins.1.trim().parse::<u64>().unwrap()
    };
    writers.into_iter().map(wins).sum()
}

/// Runs a part of a test as a process of its own.
fn spawn_writers(place: &StorePlace, part: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([part, "--exact", "--ignored", "--nocapture"])
        .env("UMBEL_TEST_RACE", serde_json::to_string(place).unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The process that [`one_winner_per_condition_across_processes`] starts twice.
#[test]
#[ignore = "a part of another test, run by it as a process"]
fn racing_conditions() {
    let place = std::env::var("UMBEL_TEST_RACE").expect("started by its test");
    with_store(&serde_json::from_str(&place).unwrap(), async |bus| {
        let writers = (0..WRITERS).map(|writer| actix::spawn(take_seats(bus.clone(), writer)));
        let mut wins = 0;
        for writer in writers.collect::<Vec<_>>() {
            wins += writer.await.unwrap();
        }
        println!("\nwins={wins}");
    });
}

fn course() -> TagQuery {
    TagQuery::tagged(Tags::of("course", "c1"))
}

/// The seats that are taken.
fn seats() -> ReadAll {
    let selector = Selector::tagged(course());
    ReadAll { from: None, direction: Direction::Forward, limit: 4096, selector }
}

fn seat(event: &RecordedEvent) -> u64 {
    event.data.decode::<Value>().unwrap()["seat"].as_u64().unwrap()
}

/// Takes the next seat behind those it has read until there are enough; counts how often it was first.
async fn take_seats(bus: Bus, writer: usize) -> u64 {
    let stream = StreamName::new(format!("guest-{writer}-{}", std::process::id())).unwrap();
    let mut wins = 0;
    loop {
        let page = bus.store().read_all(seats()).await.unwrap();
        let taken = page.events.last().map_or(0, seat);
        if taken >= VERSIONS {
            return wins;
        }
        let event = NewEvent {
            id: EventId(umbel_bus::edge::fresh_id()),
            event_type: "race.seated/1".parse().unwrap(),
            data: umbel_core::Payload::json(&json!({"seat": taken + 1, "process": std::process::id()}))
                .unwrap(),
            subject: None,
            tags: Tags::of("course", "c1"),
            metadata: Metadata::default(),
        };
        let condition = AppendCondition { query: course(), after: page.scanned_to };
        let append = Append::to_stream(stream.clone(), ExpectedVersion::Any, vec![event]);
        match bus.store().append(Append { conditions: vec![condition], ..append }).await {
            Ok(_) => wins += 1,
            Err(AppendError::ConditionFailed { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// The process that [`one_winner_per_version_across_processes`] starts twice.
#[test]
#[ignore = "a part of another test, run by it as a process"]
fn racing_writers() {
    let place = std::env::var("UMBEL_TEST_RACE").expect("started by its test");
    with_store(&serde_json::from_str(&place).unwrap(), async |bus| {
        let writers = (0..WRITERS).map(|writer| actix::spawn(race(bus.clone(), writer)));
        let mut wins = 0;
        for writer in writers.collect::<Vec<_>>() {
            wins += writer.await.unwrap();
        }
        println!("\nwins={wins}");
    });
}

/// Appends with the exact version it has read until the stream is long enough; counts how often it was first.
async fn race(bus: Bus, writer: usize) -> u64 {
    let stream = StreamName::new(STREAM).unwrap();
    let mut wins = 0;
    loop {
        let request =
            ReadStream { stream: stream.clone(), from: None, direction: Direction::Backward, limit: 1 };
        let page = bus.store().read_stream(request).await;
        let version = page.map_or(Version::START, |page| page.version);
        if version.get() >= VERSIONS {
            return wins;
        }
        let event = NewEvent {
            id: EventId(umbel_bus::edge::fresh_id()),
            event_type: "race.won/1".parse().unwrap(),
            data: umbel_core::Payload::json(&json!({"writer": writer, "process": std::process::id()}))
                .unwrap(),
            subject: None,
            tags: Tags::none(),
            metadata: Metadata::default(),
        };
        let append = Append::to_stream(stream.clone(), ExpectedVersion::Exact(version), vec![event]);
        match bus.store().append(append).await {
            Ok(appended) => {
                assert_eq!(appended.versions, [version.next()]);
                wins += 1;
            }
            Err(AppendError::WrongExpectedVersion { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
