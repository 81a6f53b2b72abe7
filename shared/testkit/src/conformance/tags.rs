//! Tags: events are found by them, and appends may depend on what there is with them.

use std::sync::Arc;

use umbel_core::{
    ExpectedVersion::{Any, NoStream},
    NewEvent, RecordedEvent, Tag, TagItem, TagQuery, Tags,
    document::Direction::{Backward, Forward},
    store::{
        Append, AppendCondition, AppendError, Appended, FindEvent, InvalidAppend, ReadAll, Removal, Selector,
        VerifyStore,
    },
    tags::{QUERY_MAX, QueryError, TagError},
};

use super::{
    Events, StoreUnderTest, archive, command, concurrency::race, delete, exact, link, position, positions,
    read_log, read_log_matching, read_whole_stream, selectors::check_selection, stream, truncate,
};

/// One event of the log of [`subscribe`]: stream, type, tags.
type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Courses and their students. Position n is row n - 1.
const ROWS: [Row; 7] = [
    ("course-1", "course.opened/1", &[("course", "1")]),
    ("course-2", "course.opened/1", &[("course", "2")]),
    ("student-a", "course.joined/1", &[("course", "1"), ("student", "a")]),
    ("student-b", "course.joined/2", &[("course", "1"), ("student", "b")]),
    ("student-a", "course.joined/1", &[("course", "2"), ("student", "a")]),
    ("student-a", "course.left/1", &[("student", "a"), ("course", "1")]),
    ("student-c", "student.named/1", &[]),
];

fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(name, value)| Tag::of(name, value)).collect()
}

async fn subscribe<S: StoreUnderTest>(store: &S, events: &Events) {
    for (name, event_type, pairs) in ROWS {
        let event = NewEvent { tags: tags(pairs), ..events.typed(event_type) };
        store.append(Append::to_stream(stream(name), Any, vec![event])).await.unwrap();
    }
}

fn query(pairs: &[(&str, &str)]) -> TagQuery {
    TagQuery::tagged(tags(pairs))
}

fn joined(pairs: &[(&str, &str)]) -> TagItem {
    TagItem::tagged(tags(pairs)).named(&["course.joined"])
}

/// Queries with the positions that they find in the log of [`subscribe`].
fn queries() -> Vec<(Selector, Vec<u64>)> {
    let course = |number| query(&[("course", number)]);
    let by_name = Selector { tags: Some(course("1")), ..Selector::names(["course.joined", "student.named"]) };
    let by_category = Selector { tags: Some(course("1")), ..Selector::categories(["course"]) };
    vec![
        (Selector::tagged(course("1")), vec![1, 3, 4, 6]),
        (Selector::tagged(course("3")), vec![]),
        (Selector::tagged(query(&[("student", "a"), ("course", "1")])), vec![3, 6]),
        (Selector::tagged(query(&[("student", "b"), ("course", "2")])), vec![]),
        (Selector::tagged(course("2").or(tags(&[("student", "a")]))), vec![2, 3, 5, 6]),
        (Selector::tagged(TagQuery::of([joined(&[("course", "1")])])), vec![3, 4]),
        (
            Selector::tagged(TagQuery::of([joined(&[("student", "a")]), joined(&[("course", "1")])])),
            vec![3, 4, 5],
        ),
        (Selector::tagged(TagQuery::of([joined(&[("student", "a"), ("course", "2")])])), vec![5]),
        (Selector::tagged(TagQuery::of([joined(&[("course", "1")]).named(&["none"])])), vec![]),
        (by_name, vec![3, 4]),
        (by_category, vec![1]),
    ]
}

fn conditioned(append: Append, query: TagQuery, after: u64) -> Append {
    Append { conditions: vec![AppendCondition::new(query, position(after))], ..append }
}

fn failed(at: u64, after: u64) -> Result<Appended, AppendError> {
    Err(AppendError::ConditionFailed { position: position(at), after: position(after) })
}

/// UX-17: an event keeps its tags on every way to it, in the archive, too.
pub async fn an_event_keeps_its_tags<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    subscribe(&store, &events).await;
    let log = read_log(&store).await;
    let expected: Vec<_> = ROWS.iter().map(|(.., pairs)| tags(pairs)).collect();
    let found = |log: &[RecordedEvent]| log.iter().map(|event| event.tags.clone()).collect::<Vec<_>>();
    assert_eq!(found(&log), expected);
    store.ask(link("list", NoStream, &[log[3].id, log[6].id])).await.unwrap();
    for archived in [false, true] {
        if archived {
            store.ask(events.perform(archive(4))).await.unwrap();
        }
        assert_eq!(found(&read_log_matching(&store, &Selector::all(), 2).await)[..7], expected);
        let of_stream = read_whole_stream(&store, &stream("student-a")).await;
        assert_eq!(found(&of_stream), [expected[2].clone(), expected[4].clone(), expected[5].clone()]);
        let listed = read_whole_stream(&store, &stream("list")).await;
        assert_eq!(found(&listed), [expected[3].clone(), expected[6].clone()]);
        let one = store.ask(FindEvent { id: log[3].id }).await.unwrap().unwrap();
        assert_eq!(one.tags, expected[3]);
    }
}

/// UX-17, RD-04: a query by tags finds what any of its items is about, either way, page by page, before and after archiving.
pub async fn a_query_by_tags_finds<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    subscribe(&store, &events).await;
    for (selector, expected) in queries() {
        check_selection(&store, &selector, &expected).await;
    }
    store.ask(events.perform(archive(3))).await.unwrap();
    for (selector, expected) in queries() {
        check_selection(&store, &selector, &expected).await;
    }
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]));
}

/// UX-17, LD-05: what is removed for good is not found any more, nor does it make a condition fail; what is softly removed does.
pub async fn removed_events_are_not_found_by_tags<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    subscribe(&store, &events).await;
    store.ask(events.perform(archive(3))).await.unwrap();
    store.ask(events.perform(truncate("student-a", 2, Removal::Hard))).await.unwrap();
    store.ask(events.perform(delete("student-b", Removal::Hard))).await.unwrap();
    store.ask(events.perform(delete("course-2", Removal::Soft))).await.unwrap();
    for (selector, mut expected) in queries() {
        expected.retain(|position| ![3, 4].contains(position));
        check_selection(&store, &selector, &expected).await;
    }
    assert_eq!(store.ask(VerifyStore).await, Ok(vec![]));
    let joined = || TagQuery::of([joined(&[("course", "1")])]);
    store.append(conditioned(events.append("s", Any, 1), joined(), 0)).await.unwrap();
    let refused = conditioned(events.append("s", Any, 1), query(&[("course", "2")]), 0);
    assert_eq!(store.append(refused).await, failed(2, 0));
}

/// UX-17: an append is refused when an event that its condition is about stands behind the condition's position, and says which;
/// events before that, of other names or with other tags do not matter. All of its conditions must hold.
pub async fn a_condition_refuses_what_was_not_known<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    subscribe(&store, &events).await;
    let attempt = |query, after| conditioned(events.append("s", Any, 1), query, after);
    let course = || query(&[("course", "1")]);
    for (query, after, at) in [
        (course(), 0, 1),
        (course(), 1, 3),
        (course(), 5, 6),
        (query(&[("course", "1"), ("student", "a")]), 3, 6),
        (TagQuery::of([joined(&[("course", "1")])]), 3, 4),
        (query(&[("course", "3")]).or(tags(&[("student", "b")])), 3, 4),
        (query(&[("student", "b")]).or(tags(&[("course", "2")])), 2, 4),
    ] {
        assert_eq!(store.append(attempt(query, after)).await, failed(at, after));
    }
    let mut both = attempt(query(&[("course", "3")]), 0);
    both.conditions.push(AppendCondition::new(course(), position(5)));
    assert_eq!(store.append(both).await, failed(6, 5));
    assert_eq!(read_log(&store).await.len(), ROWS.len(), "what is refused leaves nothing behind");
    for (query, after) in [
        (course(), 6),
        (query(&[("course", "3")]), 0),
        (TagQuery::of([joined(&[("course", "1")])]), 4),
        (query(&[("course", "1"), ("student", "b")]), 4),
        (course(), 1000),
    ] {
        store.append(attempt(query, after)).await.unwrap();
    }
    // An archived event still counts.
    store.ask(events.perform(archive(6))).await.unwrap();
    assert_eq!(store.append(attempt(course(), 5)).await, failed(6, 5));
}

/// UX-02, UX-06, UX-17: what was stored before is recognised, though its own events make its condition fail by now.
pub async fn a_conditioned_append_comes_again<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let tagged = || NewEvent { tags: tags(&[("course", "1")]), ..events.one() };
    let exactly = Append::to_stream(stream("s"), exact(0), vec![tagged()]);
    let exactly = conditioned(exactly, query(&[("course", "1")]), 0);
    let first = store.append(exactly.clone()).await.unwrap();
    assert_eq!(store.append(exactly).await, Ok(first.again()));
    let commanded = Append::to_stream(stream("s"), Any, vec![tagged()]);
    let commanded =
        Append { command: Some(command(1, "7")), ..conditioned(commanded, query(&[("course", "1")]), 1) };
    store.append(commanded.clone()).await.unwrap();
    let again = store.append(commanded).await.unwrap();
    assert_eq!((again.repeated.unwrap().as_str(), again.last_position), ("7", Some(position(2))));
    assert_eq!(read_log(&store).await.len(), 2);
}

/// UX-17: of many appends at once with the same condition, each of which breaks it for the others, exactly one is stored; the others
/// learn which. Appends with other tags are not refused, nor are those without a condition.
pub async fn one_of_the_racing_conditions_wins<S: StoreUnderTest>(store: S) {
    let (store, events) = (Arc::new(store), Events::default());
    let mut after = 0;
    for round in 0..4 {
        let attempt = |number: usize| {
            let course = ["1", "2", "3"][number % 3];
            let event = NewEvent { tags: tags(&[("course", course)]), ..events.one() };
            let append = Append::to_stream(stream(&format!("s-{}", number % 7)), Any, vec![event]);
            conditioned(append, query(&[("course", course)]), after)
        };
        let mut appends: Vec<_> = (0..60).map(attempt).collect();
        appends.extend((0..20).map(|_| events.append("free", Any, 1)));
        let outcomes = race(&store, appends).await;
        let (conditioned, free) = outcomes.split_at(60);
        assert!(free.iter().all(Result::is_ok), "{free:?}");
        for course in 0..3 {
            let of_course = || conditioned.iter().skip(course).step_by(3);
            let won: Vec<_> = of_course().filter_map(|outcome| outcome.as_ref().ok()).collect();
            assert_eq!(won.len(), 1, "round {round}, course {course}: {won:?}");
            for error in of_course().filter_map(|outcome| outcome.as_ref().err()) {
                let position = won[0].last_position.unwrap();
                assert_eq!(*error, AppendError::ConditionFailed { position, after: super::position(after) });
            }
        }
        let log = read_log(&*store).await;
        after = log.last().unwrap().position.get();
        assert_eq!(log.len(), (round + 1) * 23);
    }
}

/// UX-17: where the first tag of a query is on many events and the others on few, these are found all the same, page by page.
pub async fn rare_tags_are_found_among_many<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let mut expected = Vec::new();
    for part in 0..12_u64 {
        let mut many = events.many(1000);
        for (event, number) in many.iter_mut().zip(part * 1000 + 1..) {
            event.tags = tags(&[("all", "1")]);
            if number % 2500 == 0 {
                event.tags = tags(&[("all", "1"), ("rare", "1")]);
                expected.push(number);
            }
        }
        store.append(Append::to_stream(stream("s"), Any, many)).await.unwrap();
    }
    let selector = Selector::tagged(query(&[("all", "1"), ("rare", "1")]).or(tags(&[("none", "1")])));
    check_selection(&store, &selector, &expected).await;
    let both = query(&[("all", "1"), ("rare", "1")]);
    assert_eq!(store.append(conditioned(events.append("t", Any, 1), both, 2500)).await, failed(5000, 2500));
    for direction in [Forward, Backward] {
        let request =
            ReadAll { from: None, direction, limit: 3, selector: Selector::tagged(query(&[("all", "1")])) };
        let page = positions(&store.read_all(request).await.unwrap().events);
        assert_eq!(page, if direction == Forward { [1, 2, 3] } else { [12_000, 11_999, 11_998] });
    }
}

/// UX-17: tags and conditions that no store keeps or answers are refused as such, before any store sees them.
pub async fn wrong_tags_are_refused<S: StoreUnderTest>(store: S) {
    let events = Events::default();
    let one = events.one();
    let id = one.id;
    let append = |tags| Append::to_stream(stream("s"), Any, vec![NewEvent { tags, ..one.clone() }]);
    let many: Tags = (0..17).map(|number| Tag::of("t", number)).collect();
    let form = |text: &str| InvalidAppend::Tag { id, reason: TagError::Form(text.into()) };
    let empty = Append {
        conditions: vec![AppendCondition::new(TagQuery::default(), position(0))],
        ..append(Tags::none())
    };
    let untagged = conditioned(append(Tags::none()), TagQuery::tagged(Tags::none()), 0);
    let conditions = vec![AppendCondition::new(query(&[("a", "1")]), position(0)); QUERY_MAX + 1];
    for (append, error) in [
        (append(many), InvalidAppend::TooManyTags { id, count: 17, limit: 16 }),
        (append(Tags::of("", "1")), form(":1")),
        (append(Tags::of("t", "")), form("t:")),
        (empty, InvalidAppend::Condition(QueryError::Empty)),
        (untagged, InvalidAppend::Condition(QueryError::NoTag)),
        (
            Append { conditions, ..append(Tags::none()) },
            InvalidAppend::TooManyConditions { count: QUERY_MAX + 1 },
        ),
    ] {
        assert_eq!(store.append(append).await, Err(error.into()));
    }
    for wrong in ["\n", "\0", &"x".repeat(249)] {
        let refused = store.append(append(Tags::of("t", wrong))).await;
        let is_right = matches!(
            refused,
            Err(AppendError::Invalid(InvalidAppend::Tag { reason: TagError::Name(_), .. }))
        );
        assert!(is_right, "{refused:?}");
    }
    let only = Append {
        conditions: vec![AppendCondition::new(query(&[("a", "1")]), position(0))],
        ..Append::default()
    };
    assert_eq!(store.append(only).await, Err(InvalidAppend::Empty.into()));
    store.append(append(Tags::of("täg", "a: b, c").and("t", "x".repeat(248)))).await.unwrap();
    assert_eq!(read_log(&store).await.len(), 1);
}
