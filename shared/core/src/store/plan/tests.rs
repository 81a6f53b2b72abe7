//! The writer's decision, example by example and against a one-at-a-time oracle.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{Json, Metadata, Tag, TagItem, TagQuery, Tags, store::Claims};

fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

fn event(id: u128) -> NewEvent {
    NewEvent {
        id: EventId(Uuid::from_u128(id)),
        event_type: "test.happened/1".parse().unwrap(),
        data: Json::parse("{}").unwrap().into(),
        subject: None,
        tags: Tags::none(),
        metadata: Metadata::default(),
    }
}

fn append(name: &str, expected: ExpectedVersion, ids: impl IntoIterator<Item = u128>) -> Append {
    Append::to_stream(stream(name), expected, ids.into_iter().map(event).collect())
}

fn exact(version: u64) -> ExpectedVersion {
    ExpectedVersion::Exact(Version::new(version))
}

fn view(streams: &[(&str, u64)]) -> View {
    let state = |version: u64| StreamState { key: Some(1), version: Version::new(version), deleted: false };
    View {
        streams: streams.iter().map(|(name, version)| (stream(name), state(*version))).collect(),
        ..View::default()
    }
}

fn stored(last_offset: u64, versions: &[u64]) -> Result<Planned, AppendError> {
    let versions = versions.iter().map(|&version| Version::new(version)).collect();
    Ok(Planned::Stored { last_offset: Some(last_offset), versions })
}

/// AP-01, AP-02, AP-03: every expected version against a missing, an empty, an existing and a deleted stream.
#[test]
fn expected_versions() {
    use ExpectedVersion::{Any, NoStream, StreamExists};
    let cases = [
        (None, Any, "ok"),
        (None, NoStream, "ok"),
        (None, exact(0), "ok"),
        (None, StreamExists, "stream s does not exist"),
        (None, exact(1), "stream s is at version 0, expected version 1"),
        (Some(0), NoStream, "ok"),
        (Some(0), StreamExists, "stream s does not exist"),
        (Some(3), Any, "ok"),
        (Some(3), StreamExists, "ok"),
        (Some(3), exact(3), "ok"),
        (Some(3), NoStream, "stream s exists already, at version 3"),
        (Some(3), exact(2), "stream s is at version 3, expected version 2"),
        (Some(3), exact(4), "stream s is at version 3, expected version 4"),
    ];
    for (version, expected, answer) in cases {
        let view = version.map_or_else(View::default, |version| view(&[("s", version)]));
        let append = append("s", expected, [1]);
        let outcome = plan(view, [&append]).outcomes.remove(0);
        assert_eq!(outcome.map_or_else(|error| error.to_string(), |_| "ok".into()), answer, "{version:?}");
    }
    let mut deleted = view(&[("s", 3)]);
    deleted.streams.get_mut("s").unwrap().deleted = true;
    assert_eq!(
        plan(deleted, [&append("s", Any, [1])]).outcomes,
        [Err(AppendError::StreamDeleted(stream("s")))]
    );
}

/// UX-01: one append of a group fails, its neighbours do not notice.
#[test]
fn each_append_fails_alone() {
    let group = [append("a", exact(0), [1, 2]), append("a", exact(1), [3]), append("b", exact(0), [4])];
    let plan = plan(View::default(), &group);
    let wrong = AppendError::WrongExpectedVersion {
        stream: stream("a"),
        expected: exact(1),
        actual: Version::new(2),
    };
    assert_eq!(plan.outcomes, [stored(2, &[2]), Err(wrong), stored(3, &[1])]);
    assert_eq!(plan.events.len(), 3);
}

/// An append that was decided on one before it comes behind that one, and not behind another's with the right version.
#[test]
fn an_append_comes_behind_what_it_was_decided_on() {
    let behind = |id, version, own| {
        let mut append = append("a", exact(version), [own]);
        append.streams[0].behind = Some(event(id).id);
        append
    };
    let lost = |id| Err(AppendError::NotBehind { stream: stream("a"), behind: event(id).id });
    let group =
        [append("a", exact(0), [1, 2]), behind(2, 2, 3), behind(2, 3, 4), behind(1, 3, 5), behind(3, 3, 6)];
    let outcomes = plan(View::default(), &group).outcomes;
    assert_eq!(outcomes, [stored(2, &[2]), stored(3, &[3]), lost(2), lost(1), stored(4, &[4])]);
    // The one before it was refused, as somebody else was faster.
    let group = [append("a", exact(0), [1]), behind(1, 1, 2)];
    let outcomes = plan(view(&[("a", 1)]), &group).outcomes;
    assert!(outcomes[0].is_err() && outcomes[1] == lost(1), "{outcomes:?}");
}

/// UX-04: an append to several streams is stored whole or not at all.
#[test]
fn several_streams_are_one_atom() {
    let mut both = append("a", exact(0), [1]);
    both.streams.extend(append("b", exact(7), [2]).streams);
    let plan = plan(view(&[("b", 6)]), [&both]);
    assert!(plan.is_empty());
    assert!(plan.outcomes[0].as_ref().is_err_and(|error| error.to_string().contains("stream b")));
}

/// AP-06: a reused id is refused, in the same stream and in another.
#[test]
fn a_reused_event_id_is_a_duplicate() {
    let mut view = view(&[("a", 1)]);
    let place = EventPlace { stream: stream("a"), version: Version::new(1), position: Position::new(5) };
    view.events.insert(event(1).id, place);
    for reuse in [
        append("a", exact(1), [1]),
        append("a", ExpectedVersion::Any, [1]),
        append("b", exact(0), [1]),
        append("a", exact(0), [1, 2]),
    ] {
        let outcome = plan(view.clone(), [&reuse]).outcomes.remove(0);
        assert_eq!(outcome, Err(AppendError::DuplicateEvent { id: event(1).id }), "{reuse:?}");
    }
    let group = [append("c", ExpectedVersion::Any, [9]), append("d", ExpectedVersion::Any, [9])];
    assert_eq!(plan(view, &group).outcomes[1], Err(AppendError::DuplicateEvent { id: event(9).id }));
}

/// UX-02: the same append again gets the first result; with `Any` only when the store itself tries again, and then it is this
/// append that stored it.
#[test]
fn the_same_append_again_gets_the_first_result() {
    let mut view = view(&[("a", 9)]);
    for (id, version) in [(1, 4), (2, 5)] {
        let (version, position) = (Version::new(version), Position::new(version + 20));
        view.events.insert(event(id).id, EventPlace { stream: stream("a"), version, position });
    }
    let before = Appended::now(Some(Position::new(25)), vec![Version::new(5)]);
    let again = append("a", exact(3), [1, 2]);
    assert_eq!(plan(view.clone(), [&again]).outcomes, [Ok(Planned::Before(before.clone().again()))]);

    let any = append("a", ExpectedVersion::Any, [1, 2]);
    assert!(plan(view.clone(), [&any]).outcomes[0].is_err());
    view.resolving = true;
    assert_eq!(plan(view, [&any]).outcomes, [Ok(Planned::Before(before))]);
}

/// UX-05: a claim has one owner at a time; giving it back frees it for the next append of the same group.
#[test]
fn claims() {
    let claim = |owner: &str, take: &[&str], release: &[&str]| {
        let names = |values: &[&str]| values.iter().map(|value| ClaimName::new("name", *value)).collect();
        Append {
            claims: Claims { owner: owner.into(), take: names(take), release: names(release), from: None },
            ..Append::default()
        }
    };
    let view = View { claims: [(ClaimName::new("name", "x"), "ada".to_owned())].into(), ..View::default() };
    let group = [
        claim("bob", &["x"], &[]),
        claim("bob", &[], &["x"]),
        claim("ada", &["y"], &["x"]),
        claim("bob", &["x"], &[]),
        claim("ada", &["z"], &[]),
        claim("ada", &[], &["z"]),
    ];
    let plan = plan(view, &group);
    let taken = AppendError::Claimed { claim: ClaimName::new("name", "x"), owner: "ada".into() };
    assert_eq!(plan.outcomes[0], Err(taken.clone()));
    assert_eq!(plan.outcomes[1], Err(taken));
    assert!(plan.outcomes[2..].iter().all(Result::is_ok));
    let change = |value: &str, before: Option<&str>, after: Option<&str>| ClaimChange {
        claim: ClaimName::new("name", value),
        before: before.map(Into::into),
        after: after.map(Into::into),
    };
    // z was taken and given back within the group: nothing to write.
    assert_eq!(plan.claims, [change("x", Some("ada"), Some("bob")), change("y", None, Some("ada"))]);
}

/// UX-06: a recorded command appends nothing and gets its first reply, within a group too; there with the position of
/// its first effect, so that whoever waits for that to be visible waits for the right place.
#[test]
fn a_command_is_carried_out_once() {
    let record = |reply: &str| {
        Some(CommandRecord { id: CommandId(Uuid::from_u128(7)), reply: Json::parse(reply).unwrap() })
    };
    let before = append("b", ExpectedVersion::Any, [8]);
    let first = Append { command: record("1"), ..append("a", ExpectedVersion::Any, [1]) };
    let between = append("b", ExpectedVersion::Any, [9]);
    let again = Append { command: record("2"), ..append("a", ExpectedVersion::Any, [2]) };
    let mut plan = plan(View::default(), [&before, &first, &between, &again]);
    assert_eq!((plan.events.len(), plan.commands.len()), (3, 1));
    let repeated = Appended::repeated(Some(Position::new(42)), Json::parse("1").unwrap());
    assert_eq!(plan.outcomes.remove(3).map(|planned| planned.at(Position::new(40))), Ok(repeated));
}

/// What a group makes of the outbox is what its appends make one after the other, whatever waits already: what is done is taken out
/// before anything is left, an id is left once, and one that waits stays as it is.
#[test]
fn work_of_a_group() {
    let entry = |(id, body): (u128, &str)| OutboxEntry {
        id: Uuid::from_u128(id),
        queue: "q".into(),
        body: Json::parse(body).unwrap(),
        due_at: None,
    };
    let work = |done: &[u128], left: &[(u128, &str)]| Append {
        done: done.iter().map(|id| Uuid::from_u128(*id)).collect(),
        outbox: left.iter().copied().map(entry).collect(),
        ..Append::default()
    };
    let refused = Append { streams: append("s", exact(9), [1]).streams, ..work(&[1], &[(8, "8")]) };
    let group = [
        work(&[], &[(1, "10"), (2, "20"), (3, "30"), (1, "11")]),
        work(&[1, 2, 7], &[(1, "12")]),
        refused,
        work(&[2], &[(3, "31"), (4, "40")]),
        work(&[4], &[]),
    ];
    let plan = plan(View::default(), &group);
    assert_eq!(plan.done, [1, 2, 7, 4].map(Uuid::from_u128));
    assert_eq!(plan.outbox, [&entry((3, "30")), &entry((1, "12"))]);
}

/// UX-17: a condition fails by what the log holds and by what the group itself stores before it, and by nothing else; its
/// neighbours do not notice. What stands at or before its position does not count.
#[test]
fn a_condition_sees_the_log_and_the_group() {
    let course = |number: u32| TagQuery::tagged(Tags::of("course", number));
    let tagged = |id: u128, number: u32| NewEvent { tags: Tags::of("course", number), ..event(id) };
    let conditioned = |id: u128, number: u32, after: u64| Append {
        conditions: vec![AppendCondition::new(course(number), Position::new(after))],
        ..Append::to_stream(stream("s"), ExpectedVersion::Any, vec![tagged(id, number)])
    };
    let failed = |position: u64, after: u64| {
        Err(AppendError::ConditionFailed { position: Position::new(position), after: Position::new(after) })
    };
    let view = View {
        head: Position::new(10),
        failed: [(AppendCondition::new(course(1), Position::new(4)), Position::new(6))].into(),
        ..View::default()
    };
    let group = [
        conditioned(1, 1, 4),
        conditioned(2, 2, 10),
        conditioned(3, 2, 10),
        conditioned(4, 3, 10),
        conditioned(5, 2, 11),
        conditioned(6, 2, 11),
    ];
    let plan = plan(view, &group);
    let outcomes =
        [failed(6, 4), stored(1, &[1]), failed(11, 10), stored(2, &[2]), stored(3, &[3]), failed(13, 11)];
    assert_eq!(plan.outcomes, outcomes);
    let to_verify: Vec<_> = plan.conditions.iter().map(|condition| condition.after.get()).collect();
    assert_eq!(to_verify, [10, 10, 11], "those of what is stored");
}

/// UX-02, UX-17: the same append again is recognised before its own events make its condition fail.
#[test]
fn a_condition_is_not_asked_of_what_is_stored() {
    let query = TagQuery::tagged(Tags::of("course", 1));
    let condition = AppendCondition::new(query, Position::START);
    let events = vec![NewEvent { tags: Tags::of("course", 1), ..event(1) }];
    let again =
        Append { conditions: vec![condition.clone()], ..Append::to_stream(stream("a"), exact(0), events) };
    let mut view = View { failed: [(condition, Position::new(5))].into(), ..view(&[("a", 1)]) };
    let place = EventPlace { stream: stream("a"), version: Version::new(1), position: Position::new(5) };
    view.events.insert(event(1).id, place);
    assert!(matches!(plan(view, [&again]).outcomes[..], [Ok(Planned::Before(_))]));
}

fn any_tags() -> impl Strategy<Value = Tags> {
    prop::collection::vec(0..3_u32, 0..3)
        .prop_map(|values| values.into_iter().map(|value| Tag::of("t", value)).collect())
}

fn any_condition() -> impl Strategy<Value = AppendCondition> {
    let item = (0..3_u32, any_tags(), any::<bool>()).prop_map(|(one, others, named)| {
        let item = TagItem::tagged(others.and("t", one));
        if named { item.named(&["test.happened"]) } else { item.named(&["test.other", "test.happened"]) }
    });
    (prop::collection::vec(item, 1..3), 0..12_u64)
        .prop_map(|(items, after)| AppendCondition::new(TagQuery::of(items), Position::new(after)))
}

fn any_append() -> impl Strategy<Value = Append> {
    let expected = prop_oneof![
        Just(ExpectedVersion::Any),
        Just(ExpectedVersion::NoStream),
        Just(ExpectedVersion::StreamExists),
        (0..4_u64).prop_map(exact),
    ];
    let events = prop::collection::vec((0..40_u128, any_tags()), 1..3);
    let streams = prop::collection::vec((0..3_usize, expected, events), 1..3);
    (streams, prop::collection::vec(any_condition(), 0..3)).prop_map(|(streams, conditions)| {
        let mut whole = Append { conditions, ..Append::default() };
        for (name, expected, events) in streams {
            let events = events.into_iter().map(|(id, tags)| NewEvent { tags, ..event(id) }).collect();
            let one = Append::to_stream(stream(["a", "b", "c"][name]), expected, events);
            if whole.streams.iter().all(|earlier| earlier.stream != one.streams[0].stream) {
                whole.streams.extend(one.streams);
            }
        }
        whole
    })
}

/// The conditions of an append that a log does not meet, and by what.
fn failed(append: &Append, log: &[NewEvent]) -> HashMap<AppendCondition, Position> {
    let first = |condition: &AppendCondition| {
        let behind = (1..).map(Position::new).zip(log).filter(|(position, _)| *position > condition.after);
        let mut met =
            behind.filter(|(_, event)| condition.query.is_about(&event.event_type.name, &event.tags));
        met.next().map(|(position, _)| (condition.clone(), position))
    };
    append.conditions.iter().filter_map(first).collect()
}

proptest! {
    /// Invariant 2 and 4, UX-17: however appends are grouped, versions are contiguous from what was there, every stored
    /// append is stored whole and every refused one not at all, and the outcome of a group is the outcome of its
    /// appends one after the other.
    #[test]
    fn a_group_is_its_appends_one_after_the_other(group in prop::collection::vec(any_append(), 1..12)) {
        let limits = crate::store::Limits { append_max_events: 100, payload_max_bytes: 1000, append_max_bytes: 10_000, event_max_tags: 16, json_max_depth: 127 };
        let group: Vec<_> = group.into_iter().filter(|append| append.validate(&limits).is_ok()).collect();
        let together = plan(View::default(), &group);

        let mut view = View::default();
        let (mut singly, mut log) = (Vec::new(), Vec::new());
        for append in &group {
            view.failed = failed(append, &log);
            view.head = Position::new(log.len().try_into().unwrap());
            let one = plan(view.clone(), [append]);
            log.extend(one.events.iter().map(|planned| planned.event.clone()));
            for change in &one.streams {
                let state = StreamState { key: None, version: change.to, deleted: false };
                view.streams.insert(change.stream.clone(), state);
            }
            for planned in &one.events {
                let change = &one.streams[planned.stream];
                let (stream, version) = (change.stream.clone(), planned.version);
                view.events.insert(planned.event.id, EventPlace { stream, version, position: Position::MAX });
            }
            singly.extend(one.outcomes.into_iter().map(|outcome| outcome.map(drop)));
        }
        let outcomes: Vec<_> = together.outcomes.iter().map(|outcome| outcome.as_ref().map(drop).map_err(Clone::clone)).collect();
        prop_assert_eq!(outcomes, singly);

        let mut next: HashMap<usize, Version> = HashMap::new();
        for planned in &together.events {
            let from = together.streams[planned.stream].from;
            let version = next.entry(planned.stream).or_insert(from);
            *version = version.next();
            prop_assert_eq!(planned.version, *version);
        }
        for (index, change) in together.streams.iter().enumerate() {
            prop_assert_eq!(next.get(&index), Some(&change.to));
        }
    }
}
