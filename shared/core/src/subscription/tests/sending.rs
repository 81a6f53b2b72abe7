//! Who is sent what, and what their answers change.

use super::rig::{A, B, C, Rig, options, place};
use crate::subscription::{ConsumerId, Effect, Input, JoinError, Options, Verdict};

/// SU-04: without an acknowledgement no more is sent than a consumer holds, and no more is read than the buffer takes.
#[test]
fn a_consumer_holds_no_more_than_it_may() {
    let mut rig = Rig::with(Options { buffer_max: 6, ..options() }, &[2], &["a", "b", "c", "d", "e", "f"]);
    assert_eq!(rig.sent(), [(A, vec![1, 2])]);
    rig.tell(Input::Head(place(100)));
    assert_eq!(rig.effects, []);
    rig.ack(A, 1);
    assert_eq!(rig.sent(), [(A, vec![3])]);
    assert_eq!(rig.machine.buffered(), 5);
}

/// SU-05: an acknowledgement covers what the consumer holds before; what it does not hold, or a stranger names, is an error and
/// changes nothing.
#[test]
fn an_acknowledgement_covers_what_is_held_before() {
    let mut rig = Rig::with(options(), &[3, 3], &["a", "b", "c", "d"]);
    assert_eq!(rig.sent(), [(A, vec![1, 2]), (B, vec![3, 4])]);
    rig.ack(B, 4);
    assert_eq!(rig.machine.counters().acknowledged, 2);
    for (consumer, number) in [(A, 4), (A, 9), (B, 4), (ConsumerId(77), 1)] {
        let place = place(number);
        assert_eq!(rig.ack(consumer, number), [Effect::NotHeld { consumer, place }]);
    }
    rig.fail(A, 3, Verdict::Skip);
    assert_eq!(rig.effects, [Effect::NotHeld { consumer: A, place: place(3) }]);
    assert_eq!(rig.machine.settled_to().collect::<Vec<_>>(), [(0, place(0))]);
    rig.ack(A, 2);
    assert_eq!(rig.machine.settled_to().collect::<Vec<_>>(), [(0, place(4))]);
}

/// SU-11: one too many, and one that is there already, may not join.
#[test]
fn too_many_consumers_and_the_same_again_are_refused() {
    let mut rig = Rig::new(Options { consumers_max: 2, ..options() });
    rig.join(A, 1);
    rig.join(A, 1);
    assert_eq!(rig.effects, [Effect::Refuse { consumer: A, error: JoinError::AlreadyJoined }]);
    rig.join(B, 1);
    rig.join(C, 1);
    assert_eq!(rig.effects, [Effect::Refuse { consumer: C, error: JoinError::TooMany { max: 2 } }]);
    rig.leave(A);
    rig.join(C, 1);
    assert_eq!(rig.effects, []);
}

/// SU-12: each event goes to one consumer, the one that was used least recently.
#[test]
fn the_least_recently_used_consumer_is_next() {
    let mut rig = Rig::with(options(), &[1, 1, 1], &["a", "b", "c", "d", "e", "f"]);
    assert_eq!(rig.sent(), [(A, vec![1]), (B, vec![2]), (C, vec![3])]);
    rig.ack(B, 2);
    assert_eq!(rig.sent(), [(B, vec![4])]);
    rig.ack(A, 1);
    assert_eq!(rig.sent(), [(A, vec![5])]);
    rig.ack(C, 3);
    assert_eq!(rig.sent(), [(C, vec![6])]);
    rig.ack(A, 5);
    rig.ack(B, 4);
    rig.tell(Input::Head(place(7)));
    rig.fetched(7, &["g"]);
    assert_eq!(rig.sent(), [(B, vec![7])]);
}

/// SU-12: what is there is shared by all who have room for it, also where it does not divide evenly: none is left without.
#[test]
fn none_is_left_without_a_share() {
    let rig = Rig::with(options(), &[4, 4, 4], &["a", "b", "c", "d"]);
    assert_eq!(rig.sent(), [(A, vec![1, 2]), (B, vec![3]), (C, vec![4])]);
    let rig = Rig::with(options(), &[4, 1, 4], &["a", "b", "c", "d", "e", "f", "g"]);
    assert_eq!(rig.sent(), [(A, vec![1, 2, 3]), (B, vec![4]), (C, vec![5, 6, 7])]);
}

/// SU-13, EH-14: what a consumer held that crashed goes to the others, in order and before anything else, and is not done.
#[test]
fn what_a_crashed_consumer_held_goes_to_others() {
    let mut rig = Rig::with(options(), &[2, 2], &["a", "b", "c", "d", "e", "f"]);
    assert_eq!(rig.sent(), [(A, vec![1, 2]), (B, vec![3, 4])]);
    rig.leave(A);
    assert_eq!(rig.sent(), []);
    assert_eq!(rig.machine.settled_to().collect::<Vec<_>>(), [(0, place(0))]);
    rig.ack(B, 4);
    assert_eq!(rig.sent(), [(B, vec![1, 2])]);
    rig.join(A, 2);
    assert_eq!(rig.sent(), [(A, vec![5, 6])]);
}

/// SU-15, EH-05: while a consumer holds events of a key, the next of that key goes to it or waits; other keys go elsewhere.
#[test]
fn a_key_stays_with_its_consumer() {
    let mut rig = Rig::with(options(), &[1, 2], &["a", "a", "b", "a", "c"]);
    assert_eq!(rig.sent(), [(A, vec![1]), (B, vec![3, 5])]);
    rig.ack(B, 5);
    assert_eq!(rig.sent(), []);
    rig.ack(A, 1);
    assert_eq!(rig.sent(), [(A, vec![2])]);
    let mut rig = Rig::with(options(), &[2, 2], &["a", "a", "a", "b"]);
    assert_eq!(rig.sent(), [(A, vec![1, 2]), (B, vec![4])]);
    rig.ack(A, 1);
    assert_eq!(rig.sent(), [(A, vec![3])]);
}

/// SU-16: with several events in each consumer's hands and keys between each other, each key stays in order over a crash.
#[test]
fn keys_between_each_other_stay_in_order_over_a_crash() {
    let mut rig = Rig::with(options(), &[4, 4], &["a", "b", "a", "b", "a", "b"]);
    assert_eq!(rig.sent(), [(A, vec![1, 3, 5]), (B, vec![2, 4, 6])]);
    rig.ack(A, 1);
    rig.leave(A);
    assert_eq!(rig.sent(), [(B, vec![3])]);
    rig.join(C, 4);
    assert_eq!(rig.sent(), []);
    rig.ack(B, 6);
    assert_eq!(rig.sent(), [(B, vec![5])]);
}

/// EH-07: what waits comes at once as a batch, no larger than allowed, and is acknowledged by its last event.
#[test]
fn a_batch_is_what_waits() {
    let mut rig = Rig::with(Options { batch_max: 3, ..options() }, &[6], &["a", "b", "a", "c", "d"]);
    assert_eq!(rig.sent(), [(A, vec![1, 2, 3]), (A, vec![4, 5])]);
    rig.ack(A, 5);
    assert_eq!(rig.machine.settled_to().collect::<Vec<_>>(), [(0, place(5))]);
}

/// EH-08: a batch that is not full waits until it is, or until its time is up; either sends it once, and what the clock says later
/// changes nothing.
#[test]
fn a_batch_waits_until_it_is_full_or_its_time_is_up() {
    let mut rig = Rig::with(Options { batch_max: 3, batch_within_ms: 100, ..options() }, &[9], &["a", "b"]);
    assert_eq!(rig.sent(), []);
    assert!(rig.effects.contains(&Effect::Wake { at: rig.now + 100 }));
    rig.after(40);
    rig.tell(Input::Head(place(3)));
    rig.fetched(3, &["c"]);
    assert_eq!(rig.sent(), [(A, vec![1, 2, 3])]);
    rig.after(60);
    assert_eq!(rig.sent(), []);
    rig.tell(Input::Head(place(4)));
    rig.fetched(4, &["d"]);
    rig.after(99);
    assert_eq!(rig.sent(), []);
    rig.after(1);
    assert_eq!(rig.sent(), [(A, vec![4])]);
    rig.after(100);
    assert_eq!(rig.sent(), []);
}

/// What failed and what comes behind it of its key waits, and is sent in order when its time has come; other keys go on.
#[test]
fn a_retry_holds_its_key_back() {
    let mut rig = Rig::with(options(), &[9], &["a", "b", "a", "a"]);
    rig.ack(A, 1);
    rig.fail(A, 3, Verdict::Retry { after_ms: 50 });
    assert_eq!(rig.sent(), []);
    assert_eq!(rig.ack(A, 4), [Effect::NotHeld { consumer: A, place: place(4) }]);
    rig.ack(A, 2);
    rig.after(49);
    assert_eq!(rig.sent(), []);
    rig.after(1);
    let Some(Effect::Deliver { batch, .. }) = rig.effects.first() else { panic!("{:?}", rig.effects) };
    let attempts: Vec<_> = batch.iter().map(|one| (one.item.place.get(), one.attempt)).collect();
    assert_eq!(attempts, [(3, 2), (4, 1)]);
    assert_eq!(rig.machine.settled_to().collect::<Vec<_>>(), [(0, place(2))]);
    assert_eq!(rig.machine.counters().retried, 1);
}

/// What a consumer held before the one it failed at is sent again, too: it did not say that it handled it.
#[test]
fn what_was_not_acknowledged_before_a_failure_is_sent_again() {
    let mut rig = Rig::with(options(), &[9], &["a", "a", "a"]);
    rig.fail(A, 2, Verdict::Skip);
    assert_eq!(rig.sent(), [(A, vec![1, 3])]);
    assert_eq!(rig.machine.counters().skipped, 1);
    rig.ack(A, 3);
    assert_eq!(rig.machine.settled_to().collect::<Vec<_>>(), [(0, place(3))]);
}

#[test]
fn a_failure_that_is_skipped_is_done() {
    let mut rig = Rig::with(options(), &[1], &["a", "a"]);
    rig.fail(A, 1, Verdict::Skip);
    assert_eq!(rig.sent(), [(A, vec![2])]);
    assert_eq!(rig.machine.settled_to().collect::<Vec<_>>(), [(0, place(1))]);
}

/// An acknowledgement of single events says nothing of others: one that failed and was sent again at once is still to be handled.
#[test]
fn an_acknowledgement_of_single_events_covers_no_other() {
    let mut rig = Rig::with(options(), &[9], &["a", "b"]);
    rig.fail(A, 1, Verdict::Retry { after_ms: 0 });
    assert_eq!(rig.sent(), [(A, vec![1])]);
    rig.tell(Input::AckEach { consumer: A, places: vec![place(2)] });
    assert_eq!(rig.machine.settled_to().collect::<Vec<_>>(), [(0, place(0))]);
    rig.tell(Input::AckEach { consumer: A, places: vec![place(1)] });
    assert_eq!(rig.machine.settled_to().collect::<Vec<_>>(), [(0, place(2))]);
    let again = Effect::NotHeld { consumer: A, place: place(1) };
    assert!(rig.tell(Input::AckEach { consumer: A, places: vec![place(1)] }).contains(&again));
}
