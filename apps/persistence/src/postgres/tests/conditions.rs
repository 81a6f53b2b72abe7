//! Conditions of appends, with other writers at work: what was taken for granted is verified under the lock.

use umbel_core::{
    ExpectedVersion::Any,
    Position, TagItem, TagQuery, Tags, Timestamp,
    store::{Append, AppendCondition, AppendError},
};

use super::support::{adapter, append, schema, to, whole_log};
use crate::Log;

fn query(course: u32) -> TagQuery {
    TagQuery::of([TagItem::tagged(Tags::of("course", course)).named(&["test.happened"])])
}

/// An event of a course, on condition that there was none behind a position.
fn join(name: &str, course: u32, after: u64) -> Append {
    let mut append = to(name, Any);
    append.streams[0].events[0].tags = Tags::of("course", course).and("student", name);
    append.conditions.push(AppendCondition::new(query(course), Position::new(after)));
    append
}

fn failed(position: u64, after: u64) -> AppendError {
    AppendError::ConditionFailed { position: Position::new(position), after: Position::new(after) }
}

/// UX-17: given a writer that guesses, when another one stored what its condition is about, then it is told so, whether or not it could
/// know; the append beside it in its group is stored.
#[tokio::test]
async fn what_another_writer_stored_is_seen() {
    let schema = schema();
    let (one, other) = (adapter(&schema).await, adapter(&schema).await);
    append(&one, join("a", 1, 0)).await.unwrap();
    append(&other, join("b", 2, 0)).await.unwrap();
    append(&other, join("b", 1, 1)).await.unwrap();
    let group = vec![join("a", 1, 1), join("a", 2, 2), to("a", Any), join("a", 1, 3), join("a", 1, 3)];
    let outcomes = one.append(group, Timestamp::from_micros(1)).await;
    let outcomes: Vec<_> = outcomes
        .into_iter()
        .map(|outcome| outcome.map(|appended| appended.last_position.unwrap().get()))
        .collect();
    assert_eq!(outcomes, [Err(failed(3, 1)), Ok(4), Ok(5), Ok(6), Err(failed(6, 3))]);
    assert_eq!(append(&other, join("b", 1, 3)).await.unwrap_err(), failed(6, 3));
    assert_eq!(whole_log(&one).await.len(), 6);
}

/// UX-17: a condition that rests on the whole log is met by what is far behind its end, and by what came last; by a writer that guesses and
/// by one that has to look again.
#[tokio::test]
async fn what_is_far_behind_the_end_is_seen() {
    let schema = schema();
    let (one, other) = (adapter(&schema).await, adapter(&schema).await);
    append(&one, join("a", 1, 0)).await.unwrap();
    for _ in 0..100 {
        append(&one, to("free", Any)).await.unwrap();
    }
    assert_eq!(append(&one, join("a", 1, 0)).await.unwrap_err(), failed(1, 0));
    append(&one, join("a", 2, 0)).await.unwrap();
    assert_eq!(append(&other, join("a", 2, 0)).await.unwrap_err(), failed(102, 0));
    let group = vec![join("b", 1, 1), join("b", 1, 0), join("b", 2, 1), join("b", 3, 0)];
    let outcomes = other.append(group, Timestamp::from_micros(1)).await;
    let outcomes: Vec<_> = outcomes.into_iter().map(|outcome| outcome.map(drop)).collect();
    assert_eq!(outcomes, [Ok(()), Err(failed(1, 0)), Err(failed(102, 1)), Ok(())]);
    assert_eq!(whole_log(&one).await.len(), 104);
}

/// UX-17: a position beyond the log demands nothing of what comes up to it, in a group as one after the other.
#[tokio::test]
async fn a_position_beyond_the_log_is_taken_as_it_is() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    append(&adapter, to("a", Any)).await.unwrap();
    let group = vec![join("a", 1, 3), join("a", 1, 3), join("a", 1, 3), join("a", 1, 3)];
    let outcomes = adapter.append(group, Timestamp::from_micros(1)).await;
    let outcomes: Vec<_> = outcomes.into_iter().map(|outcome| outcome.map(drop)).collect();
    assert_eq!(outcomes, [Ok(()), Ok(()), Ok(()), Err(failed(4, 3))]);
}

/// UX-17: of the appends of two processes that race with the same condition one wins each round; those of other courses, and those
/// without a condition, are not held up by it.
#[tokio::test]
async fn one_of_two_adapters_wins() {
    let schema = schema();
    let adapters = [adapter(&schema).await, adapter(&schema).await];
    let mut after = 0;
    for round in 0..30 {
        let attempts = (0..8).map(|number| {
            let name = ["a", "b", "c"][number % 3];
            let group = vec![
                to("free", Any),
                join(name, 1, after),
                join(name, 10 + u32::try_from(number).unwrap(), after),
            ];
            adapters[number % 2].append(group, Timestamp::from_micros(1))
        });
        let outcomes = futures_util::future::join_all(attempts).await;
        let won = outcomes.iter().filter(|outcomes| outcomes[1].is_ok()).count();
        assert_eq!(won, 1, "round {round}: {outcomes:?}");
        assert!(outcomes.iter().all(|outcomes| outcomes[0].is_ok() && outcomes[2].is_ok()), "{outcomes:?}");
        after = whole_log(&adapters[0]).await.last().unwrap().position.get();
    }
    assert_eq!(after, 30 * (8 + 1 + 8));
}

/// UX-02, UX-17: with claims, documents or a command beside it, a conditioned append is one atom, too.
#[tokio::test]
async fn a_failed_condition_leaves_nothing_behind() {
    let schema = schema();
    let adapter = adapter(&schema).await;
    append(&adapter, join("a", 1, 0)).await.unwrap();
    let claims = || umbel_core::store::Claims {
        owner: "a".into(),
        take: vec![umbel_core::store::ClaimName::new("test", "x")],
        release: Vec::new(),
        from: None,
    };
    let refused = Append { claims: claims(), ..join("a", 1, 0) };
    assert_eq!(append(&adapter, refused).await.unwrap_err(), failed(1, 0));
    let claims = umbel_core::store::Claims { owner: "b".into(), ..claims() };
    append(&adapter, Append { claims, ..to("b", Any) }).await.unwrap();
    assert_eq!(whole_log(&adapter).await.len(), 2);
}
