//! The restart decision, as a table and against a model.

use std::time::Duration;

use proptest::prelude::*;

use super::{Decider, Ending, Jitter, Verdict};
use crate::policy::{Backoff, Intensity, Restart, Strategy as Who};

const MS: fn(u64) -> Duration = Duration::from_millis;
const BACKOFF: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_millis(1_000) };
const FULL: Jitter = Jitter(u32::MAX);

fn decider(strategy: Who, max_restarts: u32, children: &[Restart]) -> Decider {
    let intensity = Intensity { max_restarts, within: MS(5_000) };
    Decider::new(strategy, intensity, BACKOFF, children.to_vec())
}

fn restart(stop: &[usize], start: &[usize], after_ms: u64) -> Verdict {
    Verdict::Restart { stop: stop.to_vec(), start: start.to_vec(), after: MS(after_ms) }
}

#[test]
fn the_kind_says_who_comes_back() {
    use Ending::{Done, Failed};
    use Restart::{Independent, Permanent, Temporary, Transient};
    let cases = [
        (Independent, Failed, true),
        (Independent, Done, true),
        (Permanent, Failed, true),
        (Permanent, Done, true),
        (Transient, Failed, true),
        (Transient, Done, false),
        (Temporary, Failed, false),
        (Temporary, Done, false),
    ];
    for strategy in [Who::OneForOne, Who::RestForOne, Who::OneForAll] {
        for (kind, ending, comes_back) in cases {
            let verdict = decider(strategy, 1, &[kind]).judge(&[0], ending, MS(0), FULL);
            let expected = if comes_back { restart(&[0], &[0], 100) } else { Verdict::StayDown };
            assert_eq!(verdict, expected, "{strategy:?}, {kind:?}, {ending:?}");
        }
    }
}

#[test]
fn the_strategy_says_who_goes_along() {
    let children = [Restart::Permanent, Restart::Transient, Restart::Permanent, Restart::Temporary];
    let cases: [(Who, usize, &[usize], &[usize]); 6] = [
        (Who::OneForOne, 0, &[0], &[0]),
        (Who::OneForOne, 2, &[2], &[2]),
        (Who::RestForOne, 0, &[3, 2, 1, 0], &[0, 1, 2]),
        (Who::RestForOne, 1, &[3, 2, 1], &[1, 2]),
        (Who::OneForAll, 0, &[3, 2, 1, 0], &[0, 1, 2]),
        (Who::OneForAll, 2, &[3, 2, 1, 0], &[0, 1, 2]),
    ];
    for (strategy, failed, stop, start) in cases {
        let verdict = decider(strategy, 1, &children).judge(&[failed], Ending::Failed, MS(0), FULL);
        assert_eq!(verdict, restart(stop, start, 100), "{strategy:?} after child {failed}");
    }
}

#[test]
fn a_temporary_child_that_ends_takes_nobody_along() {
    for strategy in [Who::RestForOne, Who::OneForAll] {
        let children = [Restart::Temporary, Restart::Permanent];
        let verdict = decider(strategy, 0, &children).judge(&[0], Ending::Failed, MS(0), FULL);
        assert_eq!(verdict, Verdict::StayDown, "{strategy:?}");
    }
}

#[test]
fn an_independent_child_waits_by_its_own_failures_and_takes_nobody_along() {
    for strategy in [Who::OneForOne, Who::RestForOne, Who::OneForAll] {
        let children = [Restart::Permanent, Restart::Independent, Restart::Independent, Restart::Permanent];
        let mut decider = decider(strategy, 1, &children);
        let mut judge = |ended: &[usize], at_ms| decider.judge(ended, Ending::Failed, MS(at_ms), FULL);
        let waits = [100, 200, 400, 800, 1_000, 1_000];
        for (at_ms, wait_ms) in (0..).zip(waits) {
            assert_eq!(judge(&[1], at_ms), restart(&[1], &[1], wait_ms), "{strategy:?}");
        }
        assert_eq!(judge(&[2], 10), restart(&[2], &[2], 100), "it has not failed before");
        assert_eq!(judge(&[2, 1], 20), restart(&[2, 1], &[1, 2], 1_000), "the longer wait is for both");
        assert_eq!(judge(&[1], 9_000), restart(&[1], &[1], 100), "quiet for a period: the wait starts over");
        assert!(matches!(judge(&[0, 1], 9_001), Verdict::Restart { .. }), "with another it is as the other");
        assert_eq!(judge(&[3], 9_002), Verdict::Escalate, "the others still count");
        assert_eq!(judge(&[1], 9_003), restart(&[1], &[1], 200));
    }
}

#[test]
fn children_that_lost_their_thread_together_count_once() {
    let mut decider = decider(Who::OneForOne, 1, &[Restart::Permanent; 3]);
    assert_eq!(decider.judge(&[0, 2], Ending::Failed, MS(0), FULL), restart(&[2, 0], &[0, 2], 100));
    assert_eq!(decider.judge(&[1], Ending::Failed, MS(1), FULL), Verdict::Escalate);
}

#[test]
fn the_intensity_is_a_sliding_period() {
    let mut decider = decider(Who::OneForOne, 2, &[Restart::Permanent]);
    let mut judge = |at_ms| decider.judge(&[0], Ending::Failed, MS(at_ms), FULL);
    assert_eq!(judge(0), restart(&[0], &[0], 100));
    assert_eq!(judge(4_000), restart(&[0], &[0], 200));
    assert_eq!(judge(5_000), Verdict::Escalate, "0 is within the last 5000 ms still");
    assert_eq!(judge(5_001), restart(&[0], &[0], 200), "0 no longer counts, 4000 does");
    assert_eq!(judge(20_000), restart(&[0], &[0], 100), "quiet for a period: the wait starts over");
}

#[test]
fn what_no_restart_helps_escalates_at_once() {
    for kind in [Restart::Permanent, Restart::Transient, Restart::Temporary, Restart::Independent] {
        let mut decider = decider(Who::OneForOne, 9, &[kind]);
        assert_eq!(decider.judge(&[0], Ending::Incurable, MS(0), FULL), Verdict::Escalate, "{kind:?}");
    }
}

#[test]
fn without_restarts_the_first_failure_escalates() {
    let mut decider = decider(Who::OneForAll, 0, &[Restart::Permanent]);
    assert_eq!(decider.judge(&[0], Ending::Failed, MS(0), FULL), Verdict::Escalate);
}

#[test]
fn the_wait_doubles_up_to_its_cap() {
    let none = Jitter(0);
    let cases = [
        (1, none, 100),
        (1, FULL, 100),
        (2, none, 100),
        (2, FULL, 200),
        (3, none, 200),
        (3, FULL, 400),
        (4, FULL, 800),
        (5, none, 500),
        (5, FULL, 1_000),
        (40, FULL, 1_000),
        (usize::MAX, FULL, 1_000),
    ];
    for (nth, jitter, wait_ms) in cases {
        assert_eq!(BACKOFF.wait(nth, jitter), MS(wait_ms), "restart {nth} with {jitter:?}");
    }
}

fn any_strategy() -> impl Strategy<Value = Who> {
    prop_oneof![Just(Who::OneForOne), Just(Who::RestForOne), Just(Who::OneForAll)]
}

fn any_kind() -> impl Strategy<Value = Restart> {
    prop_oneof![
        Just(Restart::Permanent),
        Just(Restart::Transient),
        Just(Restart::Temporary),
        Just(Restart::Independent),
    ]
}

proptest! {
    /// Whatever happens and whenever: in no period are there more restarts than the intensity allows, it escalates only when
    /// there would be, and every wait is between the bounds.
    #[test]
    fn the_intensity_is_never_exceeded(
        strategy in any_strategy(),
        kinds in prop::collection::vec(any_kind(), 1..5),
        max_restarts in 0u32..5,
        failures in prop::collection::vec((0usize..5, any::<bool>(), 0u64..3_000, any::<u32>()), 0..60),
    ) {
        let within = MS(5_000);
        let mut decider =
            Decider::new(strategy, Intensity { max_restarts, within }, BACKOFF, kinds.clone());
        let mut now = Duration::ZERO;
        let mut made: Vec<Duration> = Vec::new();
        for (child, failed, later_ms, jitter) in failures {
            now += MS(later_ms);
            let child = child % kinds.len();
            let ending = if failed { Ending::Failed } else { Ending::Done };
            let verdict = decider.judge(&[child], ending, now, Jitter(jitter));
            let recent = made.iter().filter(|then| now - **then <= within).count();
            let full = recent >= usize::try_from(max_restarts).unwrap();
            let independent = kinds[child] == Restart::Independent;
            match verdict {
                Verdict::Restart { stop, start, after } if independent => {
                    prop_assert!(after >= BACKOFF.min && after <= BACKOFF.max);
                    prop_assert_eq!((stop, start), (vec![child], vec![child]));
                }
                _ if independent => prop_assert!(false, "{verdict:?}"),
                Verdict::Restart { stop, start, after } => {
                    prop_assert!(!full, "{recent} restarts in the period already");
                    prop_assert!(after >= BACKOFF.min && after <= BACKOFF.max);
                    prop_assert!(stop.contains(&child) && start.contains(&child));
                    prop_assert!(start.is_sorted() && stop.iter().rev().is_sorted());
                    made.push(now);
                }
                Verdict::Escalate => prop_assert!(full, "only {recent} restarts in the period"),
                Verdict::StayDown => prop_assert!(
                    kinds[child] == Restart::Temporary || (kinds[child] == Restart::Transient && !failed)
                ),
            }
        }
    }
}
