//! The watch alone: by example, and against a model that is told everything and forgets nothing.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const TTL: u64 = 100;

fn shadow(topic: &str, id: u128) -> Shadow {
    Shadow { topic: topic.into(), id: Uuid::from_u128(id) }
}

fn who(name: &str) -> Arc<SubscriberId> {
    Arc::new(SubscriberId::new(name))
}

fn skipped() -> Verdict {
    Verdict::Skipped { reason: "no".into() }
}

/// A watch with one event for these subscribers, which expires `TTL` ms after the moment returned.
fn watching(names: &[&str]) -> (Watch<&'static str>, Shadow, Instant) {
    let (mut watch, shadow, begin) = (Watch::new(2), shadow("orders", 1), Instant::now());
    let subscribers = names.iter().map(|name| who(name)).collect();
    watch.insert(shadow.clone(), "payload", subscribers, begin + Duration::from_millis(TTL)).unwrap();
    (watch, shadow, begin)
}

/// EB-09: given one completes and one skips, the event is gone; after only one of them it remains.
#[test]
fn an_event_is_done_when_all_have_spoken() {
    let (mut watch, shadow, _) = watching(&["a", "b"]);
    assert!(matches!(watch.mark(&shadow, &who("a"), Verdict::Completed), (Marked::Counted, None)));
    assert_eq!(watch.get(&shadow), Some(&"payload"));
    let (Marked::Finished, Some(finished)) = watch.mark(&shadow, &who("b"), skipped()) else { panic!() };
    assert_eq!(finished.payload, "payload");
    assert_eq!(finished.verdicts.given, [(who("a"), Verdict::Completed), (who("b"), skipped())]);
    assert!(!finished.verdicts.is_complete());
    assert_eq!((watch.get(&shadow), watch.next_wake()), (None, None), "no trace is left");
}

/// EB-10: given the same subscriber speaks twice, or a stranger, the event remains, and the answer says why.
#[test]
fn a_second_word_and_a_strangers_change_nothing() {
    let (mut watch, shadow, _) = watching(&["a", "b"]);
    watch.mark(&shadow, &who("a"), Verdict::Completed);
    for verdict in [Verdict::Completed, skipped()] {
        let (marked, finished) = watch.mark(&shadow, &who("a"), verdict);
        assert_eq!(marked, Marked::Already(Verdict::Completed));
        assert!(finished.is_none());
    }
    let same_name = SubscriberId::configured("b", &1).unwrap();
    for stranger in [&*who("c"), &same_name] {
        assert!(matches!(watch.mark(&shadow, stranger, skipped()), (Marked::Stranger, None)));
    }
    assert!(watch.get(&shadow).is_some());
}

/// EB-08: marking an unknown id is an answer and nothing else.
#[test]
fn what_is_unknown_is_said_to_be() {
    let (mut watch, _, begin) = watching(&["a"]);
    let unknown = shadow("other", 1);
    assert!(matches!(watch.mark(&unknown, &who("a"), Verdict::Completed), (Marked::Unknown, None)));
    assert!(!watch.take(&unknown, &who("a"), begin));
}

#[test]
fn events_are_bounded_and_ids_are_pending_once() {
    let (mut watch, pending, begin) = watching(&["a"]);
    assert_eq!(watch.insert(pending.clone(), "", vec![who("a")], begin), Err(Unwatched::Duplicate));
    watch.insert(shadow("other", 1), "the same id elsewhere", vec![who("a")], begin).unwrap();
    assert_eq!(watch.insert(shadow("orders", 2), "", vec![who("a")], begin), Err(Unwatched::Full));
    assert_eq!((watch.pending("orders"), watch.pending("nobody")), (1, 0));
    watch.mark(&pending, &who("a"), Verdict::Completed);
    watch.insert(pending, "again, now that it is done", vec![who("a")], begin).unwrap();
}

#[test]
fn an_event_expires_by_its_own_time() {
    let (mut watch, shadow, begin) = watching(&["a", "b"]);
    watch.mark(&shadow, &who("a"), Verdict::Completed);
    let ends = begin + Duration::from_millis(TTL);
    assert_eq!(watch.next_wake(), Some(ends));
    assert!(watch.expire(ends - Duration::from_nanos(1)).is_empty());
    let finished = watch.expire(ends).pop().unwrap();
    assert_eq!(finished.verdicts.of(&who("a")), Some(&Verdict::Completed));
    assert_eq!(finished.verdicts.of(&who("b")), Some(&Verdict::Expired));
    assert!(matches!(watch.mark(&shadow, &who("b"), Verdict::Completed), (Marked::Unknown, None)));
}

/// Given a subscriber that took an event and is lost, its lease ends before the event does, and only its own.
#[test]
fn a_lease_expires_for_its_subscriber() {
    let (mut watch, shadow, begin) = watching(&["a", "b"]);
    let lease = begin + Duration::from_millis(10);
    assert!(watch.take(&shadow, &who("a"), lease));
    assert!(!watch.take(&shadow, &who("a"), lease), "taken is taken");
    assert_eq!(watch.next_wake(), Some(lease));
    assert!(watch.expire(lease).is_empty(), "the other one may still speak");
    let late = watch.mark(&shadow, &who("a"), Verdict::Completed).0;
    assert_eq!(late, Marked::Already(Verdict::Expired));
    assert_eq!(watch.next_wake(), Some(begin + Duration::from_millis(TTL)));
    assert!(watch.mark(&shadow, &who("b"), Verdict::Completed).1.is_some());
}

#[test]
fn who_leaves_is_waited_for_no_longer() {
    let (mut watch, shadow, _) = watching(&["a", "b"]);
    assert!(watch.withdraw_from(&who("a")).is_empty());
    let finished = watch.mark(&shadow, &who("b"), Verdict::Completed).1.unwrap();
    assert_eq!(finished.verdicts.of(&who("a")), Some(&Verdict::Withdrawn));
    let (mut watch, shadow, _) = watching(&["a"]);
    assert!(watch.withdraw_topic("other").is_empty());
    let finished = watch.withdraw_topic("orders");
    assert_eq!(finished[0].verdicts.given, [(who("a"), Verdict::Withdrawn)]);
    assert!(watch.get(&shadow).is_none());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Insert { event: u8, subscribers: u8 },
    Take { event: u8, subscriber: u8, lease: u64 },
    Mark { event: u8, subscriber: u8 },
    Leave { subscriber: u8 },
    Unregister { topic: u8 },
    Advance { by: u64 },
}

/// What the model knows of an event: when it expires, and of each subscriber a lease and a verdict.
type Known = (u64, BTreeMap<u8, (Option<u64>, Option<Verdict>)>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_u8..6, 1_u8..16).prop_map(|(event, subscribers)| Step::Insert { event, subscribers }),
        3 => (0_u8..6, 0_u8..4, 1_u64..60)
            .prop_map(|(event, subscriber, lease)| Step::Take { event, subscriber, lease }),
        // Subscriber 4 is always a stranger.
        6 => (0_u8..6, 0_u8..5).prop_map(|(event, subscriber)| Step::Mark { event, subscriber }),
        1 => (0_u8..4).prop_map(|subscriber| Step::Leave { subscriber }),
        1 => (0_u8..2).prop_map(|topic| Step::Unregister { topic }),
        3 => (0_u64..50).prop_map(|by| Step::Advance { by }),
    ];
    prop::collection::vec(step, 0..80)
}

/// What is said of an event that is done.
type Done = (Shadow, Vec<(Arc<SubscriberId>, Verdict)>);

/// Events 0 to 2 are of topic 0, the others of topic 1.
fn shadow_of(event: u8) -> Shadow {
    shadow(["t0", "t1"][usize::from(event / 3)], event.into())
}

fn name(subscriber: u8) -> Arc<SubscriberId> {
    who(["s0", "s1", "s2", "s3", "s4"][usize::from(subscriber)])
}

/// Takes the events that are done out of the model, with their verdicts.
fn done(model: &mut BTreeMap<u8, Known>) -> Vec<Done> {
    let is_done = |(_, states): &Known| states.values().all(|(_, verdict)| verdict.is_some());
    let (done, open) = std::mem::take(model).into_iter().partition(|(_, known)| is_done(known));
    *model = open;
    let all = BTreeMap::into_iter(done).map(|(event, (_, states))| {
        let verdicts = states.into_iter().filter_map(|(who, (_, verdict))| Some((name(who), verdict?)));
        (shadow_of(event), verdicts.collect())
    });
    all.collect()
}

/// Gives a verdict in the model to all without one who are meant.
fn judge(
    model: &mut BTreeMap<u8, Known>,
    verdict: &Verdict,
    meant: impl Fn(u8, u64, u8, Option<u64>) -> bool,
) {
    for (event, (expires, states)) in model {
        for (who, (lease, known)) in states {
            if known.is_none() && meant(*event, *expires, *who, *lease) {
                *known = Some(verdict.clone());
            }
        }
    }
}

proptest! {
    /// Whatever is said in whatever order: an event is pending exactly as long as somebody has still to
    /// speak, each verdict is the first one, they are handed back once, and when all time is over nothing is
    /// left.
    #[test]
    fn the_watch_agrees_with_the_model(steps in steps()) {
        let begin = Instant::now();
        let moment = |ms: u64| begin + Duration::from_millis(ms);
        let (mut watch, mut model, mut now) = (Watch::new(5), BTreeMap::<u8, Known>::new(), 0);
        for step in steps {
            let finished: Vec<Finished<()>> = match step {
                Step::Insert { event, subscribers } => {
                    let ids: Vec<u8> = (0..4).filter(|bit| subscribers & (1 << bit) != 0).collect();
                    let expected = if model.contains_key(&event) {
                        Err(Unwatched::Duplicate)
                    } else if model.len() == 5 {
                        Err(Unwatched::Full)
                    } else {
                        model.insert(event, (now + TTL, ids.iter().map(|id| (*id, (None, None))).collect()));
                        Ok(())
                    };
                    let names = ids.into_iter().map(name).collect();
                    prop_assert_eq!(watch.insert(shadow_of(event), (), names, moment(now + TTL)), expected);
                    vec![]
                }
                Step::Take { event, subscriber, lease } => {
                    let state = model.get_mut(&event).and_then(|(_, states)| states.get_mut(&subscriber));
                    let free = state.filter(|state| **state == (None, None));
                    let taken = watch.take(&shadow_of(event), &name(subscriber), moment(now + lease));
                    prop_assert_eq!(taken, free.is_some());
                    if let Some(state) = free {
                        state.0 = Some(now + lease);
                    }
                    vec![]
                }
                Step::Mark { event, subscriber } => {
                    let (marked, finished) =
                        watch.mark(&shadow_of(event), &name(subscriber), Verdict::Completed);
                    let expected = match model.get_mut(&event) {
                        None => Marked::Unknown,
                        Some((_, states)) => match states.get_mut(&subscriber) {
                            None => Marked::Stranger,
                            Some((_, Some(verdict))) => Marked::Already(verdict.clone()),
                            Some((_, open)) => {
                                *open = Some(Verdict::Completed);
                                let last = states.values().all(|(_, verdict)| verdict.is_some());
                                if last { Marked::Finished } else { Marked::Counted }
                            }
                        },
                    };
                    prop_assert_eq!(marked, expected);
                    finished.into_iter().collect()
                }
                Step::Leave { subscriber } => {
                    judge(&mut model, &Verdict::Withdrawn, |_, _, who, _| who == subscriber);
                    watch.withdraw_from(&name(subscriber))
                }
                Step::Unregister { topic } => {
                    judge(&mut model, &Verdict::Withdrawn, |event, _, _, _| event / 3 == topic);
                    watch.withdraw_topic(["t0", "t1"][usize::from(topic)])
                }
                Step::Advance { by } => {
                    now += by;
                    judge(&mut model, &Verdict::Expired, |_, expires, _, lease| {
                        expires <= now || lease.is_some_and(|lease| lease <= now)
                    });
                    watch.expire(moment(now))
                }
            };
            let mut told: Vec<_> =
                finished.into_iter().map(|done| (done.verdicts.shadow, done.verdicts.given)).collect();
            told.sort_by(|(a, _), (b, _)| a.cmp(b));
            prop_assert_eq!(told, done(&mut model));
            for event in 0..6 {
                prop_assert_eq!(watch.get(&shadow_of(event)).is_some(), model.contains_key(&event));
            }
            prop_assert_eq!(watch.next_wake().is_some(), !model.is_empty());
        }
        watch.expire(moment(now + TTL));
        prop_assert!(watch.events.is_empty() && watch.wakes.is_empty());
    }
}
