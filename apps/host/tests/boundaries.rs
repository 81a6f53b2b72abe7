//! Boundaries: rules over several streams hold, whoever races with whom.

use std::sync::Arc;

use futures_util::future::join_all;
use proptest::prelude::*;
use umbel_bus::{DispatchOptions, Refusal, Returning, edge};
use umbel_core::{
    CommandId, Event, EventId, ExpectedVersion, Metadata, NewEvent, RecordedEvent, StreamName,
    document::Direction,
    store::{Append, ClaimName, Claims, ReadAll, Selector},
};
use umbel_host::{App, DispatchError, HostSettings, Outcome};
use uuid::Uuid;

use crate::{
    courses::{self, COURSES_MAX, Joined, No, PANICS, join, leave, open, taken},
    stores::on_every_store,
    world::*,
};

async fn school(store: &Arc<Rigged>) -> World {
    World::with(store, &[courses::app()], settings()).await
}

async fn log(world: &World) -> Vec<RecordedEvent> {
    let selector = Selector::all();
    let request = ReadAll { from: None, direction: Direction::Forward, limit: 4096, selector };
    let page = world.bus.store().read_all(request).await.unwrap();
    assert_eq!(page.scanned_to, page.head);
    page.events
}

fn with_id(id: u128) -> DispatchOptions {
    DispatchOptions::default().command_id(CommandId(Uuid::from_u128(id)))
}

fn rejected<T>(no: No) -> Result<T, DispatchError<No>> {
    Err(DispatchError::Rejected(no))
}

/// Somebody's joining, as another program stores it.
fn foreign_join(course: &str, student: &str) -> Append {
    let joined = Joined { course: course.into(), student: student.into() };
    let event = NewEvent::of(EventId(edge::fresh_id()), &joined, Metadata::default()).unwrap();
    let stream = StreamName::of("student", student).unwrap();
    Append::to_stream(stream, ExpectedVersion::Any, vec![event])
}

/// UX-17: given rules about courses and about students, then each is kept over the streams of all students; what is decided stands in
/// the stream of its student, with its tags.
#[test]
fn rules_span_streams() {
    on_every_store(async |store| {
        let world = school(&store).await;
        for (course, room) in [("c1", 2), ("c2", 9), ("c3", 9)] {
            world.bus.dispatch(open(course, room)).await.unwrap();
        }
        let joined =
            async |course, student| world.bus.dispatch(join(course, student)).await.map(|done| done.reply);
        assert_eq!(world.bus.dispatch(open("c1", 5)).await.map(drop), rejected(No::IsThere));
        assert_eq!(joined("c9", "ada").await, rejected(No::Unknown));
        assert_eq!(joined("c1", "ada").await, Ok(1));
        assert_eq!(joined("c1", "ada").await, rejected(No::Joined));
        assert_eq!(joined("c1", "bob").await, Ok(2));
        assert_eq!(joined("c1", "eve").await, rejected(No::Full));
        assert_eq!(joined("c2", "ada").await, Ok(1));
        assert_eq!(joined("c3", "ada").await, rejected(No::TooMany));
        world.bus.dispatch(leave("c1", "ada")).await.unwrap();
        assert_eq!(joined("c3", "ada").await, Ok(1));
        assert_eq!(joined("c1", "eve").await, Ok(2));
        let nothing = world.bus.dispatch(leave("c1", "ada")).await.unwrap();
        assert_eq!((nothing.position, nothing.events), (None, Some(Vec::new())));

        let log = log(&world).await;
        let places: Vec<_> =
            log[3..].iter().map(|event| (event.stream.to_string(), event.tags.to_string())).collect();
        assert_eq!(places[0], ("student-ada".to_owned(), "course:c1, student:ada".to_owned()));
        assert_eq!(places.iter().filter(|(stream, _)| stream == "student-ada").count(), 4);
        assert_eq!(taken(&log).len(), 4);
        world.stop().await;
    });
}

/// UX-17: what a query names counts under the names that it had before, too: among what is decided on, and among what may not be added
/// meanwhile.
#[test]
fn a_name_in_a_query_means_its_former_names_too() {
    on_every_store(async |store| {
        let world = school(&store).await;
        for course in ["c1", "c2", "c3"] {
            world.bus.dispatch(open(course, 9)).await.unwrap();
        }
        let formerly = |course, student| {
            let mut append = foreign_join(course, student);
            append.streams[0].events[0].event_type.name = Joined::FORMERLY[0].into();
            append
        };
        for course in ["c1", "c2"] {
            world.bus.store().append(formerly(course, "ada")).await.unwrap();
        }
        let refused = world.bus.dispatch(join("c3", "ada")).await.map(drop);
        assert_eq!(refused, rejected(No::TooMany));
        world.bus.dispatch(join("c1", "bob")).await.unwrap();
        store.intrude_with(formerly("c2", "bob"), 1);
        let refused = world.bus.dispatch(join("c3", "bob")).await.map(drop);
        assert_eq!(refused, rejected(No::TooMany));
        world.stop().await;
    });
}

/// CM-05, CM-07, CM-08, UX-17: a boundary's command is answered as any other: with position and version, with its events where
/// they are asked for, in its conversation; a version that the caller expects is refused, as there is none.
#[test]
fn its_command_is_one_like_any_other() {
    run(async {
        let world = school(&Arc::default()).await;
        let options = DispatchOptions::default().metadata("who", "ada").correlation_id(Uuid::from_u128(7));
        let done =
            world.bus.dispatch_with(open("c1", 1), options.returning(Returning::Events)).await.unwrap();
        assert_eq!(done.events.unwrap(), ["courses.opened"]);
        assert_eq!(done.returned.unwrap().events[0].tags.to_string(), "course:c1");
        let [event] = &log(&world).await[..] else { panic!("one event") };
        assert_eq!((Some(event.position), Some(event.version)), (done.position, done.version));
        assert_eq!(event.metadata.correlation_id, Some(Uuid::from_u128(7)));
        assert!(event.metadata.causation_id.is_some());
        assert_eq!(event.metadata.custom["who"], "ada");
        let expecting = DispatchOptions::default().expecting(ExpectedVersion::NoStream);
        let refused = world.bus.dispatch_with(open("c2", 1), expecting).await.unwrap_err();
        assert_eq!(refused, DispatchError::Refused(Refusal::NoVersion));
        let nameless = world.bus.dispatch(join("c1", "")).await.unwrap_err();
        assert!(
            matches!(nameless, DispatchError::BadIdentity { command: "courses.join", .. }),
            "{nameless:?}"
        );
        world.stop().await;
    });
}

/// CM-03, UX-17: a command that a boundary decides has one owner.
#[test]
fn its_command_has_one_owner() {
    let other = App::new("other").include(courses::app());
    let twice = App::check([&courses::app(), &other]).unwrap_err();
    assert_eq!((twice.kind, twice.name), ("command", "courses.open"));
}

/// UX-06, UX-17: given the same command id many times at once, on two nodes, then there is one event and everybody has the first reply:
/// nobody is told that the student takes the course already.
#[test]
fn one_intent_is_carried_out_once() {
    on_every_store(async |store| {
        let (here, there) = (school(&store).await, school(&store).await);
        here.bus.dispatch(open("c1", 1)).await.unwrap();
        for (round, student) in (1..).zip(["ada", "bob", "eve"]) {
            let sends = (0..10).map(|number| {
                let world = if number % 2 == 0 { &here } else { &there };
                world.bus.dispatch_with(join("c1", student), with_id(round))
            });
            let outcomes: Vec<_> = join_all(sends).await.into_iter().map(Result::unwrap).collect();
            assert_eq!(outcomes.iter().filter(|outcome| !outcome.repeated).count(), 1);
            assert!(
                outcomes.iter().all(|outcome| (outcome.reply, outcome.position) == (1, outcomes[0].position))
            );
            here.bus.dispatch(leave("c1", student)).await.unwrap();
        }
        let again = there.bus.dispatch_with(join("c1", "ada"), with_id(1)).await.unwrap();
        assert!(again.repeated);
        assert_eq!(log(&here).await.len(), 7);
        here.stop().await;
        there.stop().await;
    });
}

/// MA-01, UX-17: given another writer's event that the decision rests on, then it is decided again on fresh state; given that writer
/// never rests, it is given up after the allowed attempts, and nothing is stored. What does not concern the decision does not disturb it.
#[test]
fn a_conflict_is_decided_again_a_bounded_number_of_times() {
    on_every_store(async |store| {
        let host = HostSettings { conflict_retries: 3, ..settings() };
        let world = World::with(&store, &[courses::app()], host).await;
        for course in ["c1", "c2"] {
            world.bus.dispatch(open(course, 100)).await.unwrap();
        }
        store.intrude_with(foreign_join("c2", "eve"), 1);
        let undisturbed = world.bus.dispatch(join("c1", "ada")).await.unwrap();
        assert_eq!(undisturbed.reply, 1);
        assert_eq!(log(&world).await.len(), 4, "one attempt was enough");
        store.intrude_with(foreign_join("c1", "bob"), 3);
        assert_eq!(world.bus.dispatch(join("c1", "eve")).await.unwrap().reply, 3, "three are borne");
        store.intrude_with(foreign_join("c1", "kim"), 4);
        let outcome = world.bus.dispatch(join("c1", "joe")).await;
        assert_eq!(outcome, Err(DispatchError::Conflict { attempts: 4 }));
        assert_eq!(log(&world).await.len(), 4 + 4 + 4);
        // What the domain says no to is decided on what is there now.
        assert_eq!(world.bus.dispatch(join("c1", "kim")).await, Err(DispatchError::Rejected(No::Joined)));
        world.stop().await;
    });
}

/// UX-05, UX-17: a boundary takes claims, too, and says what it means when one is somebody else's.
#[test]
fn a_claim_of_another_is_a_rejection() {
    run(async {
        let world = school(&Arc::default()).await;
        world.bus.dispatch(open("c1", 9)).await.unwrap();
        let take = vec![ClaimName::new("courses.seat", "c1/ada")];
        let claims = Claims { owner: "somebody".into(), take, release: Vec::new(), from: None };
        world.bus.store().append(Append { claims, ..Append::default() }).await.unwrap();
        assert_eq!(world.bus.dispatch(join("c1", "ada")).await, Err(DispatchError::Rejected(No::Seat)));
        world.bus.dispatch(join("c1", "bob")).await.unwrap();
        world.stop().await;
    });
}

/// MA-04, UX-17: code of the domain that panics, wherever, fails its own command and no other.
#[test]
fn a_panic_fails_its_own_command() {
    run(async {
        let world = school(&Arc::default()).await;
        world.bus.dispatch(open("c1", 9)).await.unwrap();
        for student in PANICS {
            let failed = world.bus.dispatch(join("c1", student)).await.unwrap_err();
            let is_told = matches!(&failed, DispatchError::Failed { reason } if reason.contains("courses.join panicked"));
            assert!(is_told, "{student}: {failed:?}");
        }
        assert_eq!(world.bus.dispatch(join("c1", "ada")).await.unwrap().reply, 1);
        world.stop().await;
    });
}

/// UX-02, UX-17: given the store's answer is lost, then the caller knows that it does not know, and the same id settles it.
#[test]
fn a_lost_answer_is_settled_by_sending_the_same_id_again() {
    run(async {
        let store = Arc::<Rigged>::default();
        let world = school(&store).await;
        world.bus.dispatch(open("c1", 1)).await.unwrap();
        store.faults.lose_answers(1);
        let unknown = world.bus.dispatch_with(join("c1", "ada"), with_id(1)).await.unwrap_err();
        assert_eq!(unknown, DispatchError::Timeout { command: "courses.join", outcome: Outcome::Unknown });
        let settled = world.bus.dispatch_with(join("c1", "ada"), with_id(1)).await.unwrap();
        assert_eq!((settled.reply, settled.repeated), (1, true));
        assert_eq!(log(&world).await.len(), 2);
        world.stop().await;
    });
}

/// UX-17: given more students at once, on two nodes, than a course has room for, then just as many join, and all others are told that it is
/// full.
#[test]
fn a_rush_fills_a_course_and_no_more() {
    on_every_store(async |store| {
        let host = HostSettings { conflict_retries: 1000, ..settings() };
        let nodes = [
            World::with(&store, &[courses::app()], host.clone()).await,
            World::with(&store, &[courses::app()], host).await,
        ];
        nodes[0].bus.dispatch(open("c1", 7)).await.unwrap();
        let students: Vec<_> = (0..40).map(|number| format!("s{number}")).collect();
        let rush =
            (0..).zip(&students).map(|(number, student)| nodes[number % 2].bus.dispatch(join("c1", student)));
        let outcomes = join_all(rush).await;
        let joined = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let full =
            outcomes.iter().filter(|outcome| **outcome == Err(DispatchError::Rejected(No::Full))).count();
        assert_eq!((joined, full), (7, 33), "{outcomes:?}");
        assert_eq!(taken(&log(&nodes[1]).await).len(), 7);
        for node in nodes {
            node.stop().await;
        }
    });
}

/// A student's wish: to join a course or to leave it, on which node.
#[derive(Clone, Debug)]
struct Wish {
    course: usize,
    student: usize,
    joins: bool,
    node: usize,
}

fn wishes() -> impl Strategy<Value = Vec<Vec<Wish>>> {
    let wish = (0..4_usize, 0..5_usize, prop::bool::weighted(0.75), 0..2_usize)
        .prop_map(|(course, student, joins, node)| Wish { course, student, joins, node });
    prop::collection::vec(prop::collection::vec(wish, 1..10), 2..7)
}

/// Carries out all wishes, those of one client one after the other, and looks whether a rule was broken at any time, and
/// whether everybody was told the truth.
async fn check(clients: Vec<Vec<Wish>>) {
    let store = Arc::default();
    let host = HostSettings { conflict_retries: 1000, ..settings() };
    let nodes = [
        World::with(&store, &[courses::app()], host.clone()).await,
        World::with(&store, &[courses::app()], host).await,
    ];
    for course in 0..4 {
        nodes[course % 2].bus.dispatch(open(&format!("c{course}"), 1 + course % 2)).await.unwrap();
    }
    let carry_out = async |wishes: &[Wish]| {
        let (mut joined, mut left) = (0, 0);
        for Wish { course, student, joins, node } in wishes {
            let (course, student) = (format!("c{course}"), format!("s{student}"));
            if *joins {
                match nodes[*node].bus.dispatch(join(&course, &student)).await {
                    Ok(_) => joined += 1,
                    Err(DispatchError::Rejected(No::Full | No::TooMany | No::Joined)) => {}
                    Err(error) => panic!("{error:?}"),
                }
            } else {
                let done = nodes[*node].bus.dispatch(leave(&course, &student)).await.unwrap();
                left += usize::from(done.position.is_some());
            }
        }
        (joined, left)
    };
    let counts = join_all(clients.iter().map(|wishes| carry_out(wishes))).await;
    let log = log(&nodes[0]).await;
    let taken = taken(&log);
    let (joined, left) =
        counts.iter().fold((0, 0), |(joined, left), (one, other)| (joined + one, left + other));
    assert_eq!(log.len(), 4 + joined + left, "what was acknowledged is there, and nothing else");
    assert_eq!(taken.len(), joined - left);
    assert!(taken.len() <= 5 * COURSES_MAX);
    for node in nodes {
        node.stop().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// UX-17: whoever wishes what, on two nodes at once, no course ever has more students than room, and no student too many courses.
    #[test]
    fn capacity_is_never_exceeded(clients in wishes()) {
        run(check(clients));
    }
}
