//! Dead letters: what is parked, what waits behind it, and how it comes back.

use super::rig::{A, B, NODE, Rig, key, leases, options, place};
use crate::{
    store::Failure,
    subscription::{Due, Effect, Input, Item, Options, SettledLetter, Settling, Verdict},
};

/// What is being parked: the places, and whether each failed itself.
fn parks(rig: &Rig) -> Vec<(u64, bool)> {
    let parks = rig.effects.iter().find_map(|effect| match effect {
        Effect::Park(letters) => {
            Some(letters.iter().map(|one| (one.item.place.get(), one.failure.is_some())).collect())
        }
        _ => None,
    });
    parks.unwrap_or_default()
}

fn settles(rig: &Rig) -> Vec<SettledLetter> {
    let settles = rig.effects.iter().find_map(|effect| match effect {
        Effect::Settle(settled) => Some(settled.clone()),
        _ => None,
    });
    settles.unwrap_or_default()
}

fn takes(rig: &Rig) -> bool {
    rig.effects.iter().any(|effect| matches!(effect, Effect::TakeLetters { .. }))
}

fn due(at: u64, text: &str, attempts: u32) -> Due<u64> {
    let item = Item { place: place(at), key: key(text), event: at };
    Due { partition: 0, item, attempts, first_at: None, replay: false }
}

/// The store says that letters are due.
fn say_due(rig: &mut Rig) {
    rig.after(1000);
    let mut stand = leases(1, Some(NODE), 1);
    stand.partitions[0].letters = 1;
    stand.partitions[0].due = true;
    rig.tell(Input::Leased(stand));
    assert!(takes(rig), "{:?}", rig.effects);
}

/// UX-07: what comes behind a dead letter of its key is parked with it, other keys go on; once the letters are tried again and handled,
/// they are in order, and so is what comes behind them.
#[test]
fn a_key_waits_behind_its_dead_letter_and_comes_back_in_order() {
    let mut rig = Rig::with(Options { checkpoint_after: 1, ..options() }, &[9], &["a", "b", "a"]);
    rig.fail(A, 1, Verdict::Park);
    assert_eq!(parks(&rig), [(1, true), (3, false)]);
    rig.ack(A, 2);
    assert_eq!(rig.saves(), None);
    rig.tell(Input::Parked { refused: Vec::new() });
    assert_eq!(rig.saves(), Some(vec![3]));
    rig.tell(Input::Head(place(5)));
    rig.fetched(4, &["a", "b"]);
    assert_eq!((rig.sent(), parks(&rig)), (vec![(A, vec![5])], vec![(4, false)]));
    rig.tell(Input::Parked { refused: Vec::new() });
    assert_eq!(rig.machine.counters().parked, 3);

    // An operator asks for the first: the others follow by themselves.
    say_due(&mut rig);
    for (at, attempts) in [(1, 1), (3, 0), (4, 0)] {
        rig.letters(vec![due(at, "a", attempts)]);
        assert_eq!(rig.sent(), [(A, vec![at])]);
        rig.ack(A, at);
        assert_eq!(settles(&rig).iter().map(|one| one.place).collect::<Vec<_>>(), [place(at)]);
        let free = if at == 4 { vec![(0, key("a"))] } else { Vec::new() };
        rig.tell(Input::Settled { free, refused: Vec::new() });
        assert_eq!(takes(&rig), at != 4);
    }
    rig.tell(Input::Head(place(6)));
    rig.fetched(6, &["a"]);
    assert_eq!(rig.sent(), [(A, vec![6])]);
}

/// A letter that fails again says how often it was tried, and when first; one that is to be tried again waits; one that is skipped is
/// settled.
#[test]
fn a_letter_that_fails_again_is_recorded() {
    let mut rig = Rig::with(options(), &[9], &["a"]);
    rig.fail(A, 1, Verdict::Park);
    rig.tell(Input::Parked { refused: Vec::new() });
    say_due(&mut rig);
    let first_at = crate::Timestamp::from_micros(77);
    rig.letters(vec![Due { first_at: Some(first_at), ..due(1, "a", 1) }]);
    rig.fail(A, 1, Verdict::Retry { after_ms: 50 });
    assert_eq!((rig.sent(), settles(&rig)), (vec![], vec![]));
    rig.after(50);
    assert_eq!(rig.sent(), [(A, vec![1])]);
    rig.fail(A, 1, Verdict::Park);
    let last_at = crate::Timestamp::from_micros(i64::try_from(rig.now).unwrap());
    let failure = Failure { error: "no".into(), attempts: 3, first_at, last_at };
    let settled = SettledLetter {
        partition: 0,
        epoch: 1,
        place: place(1),
        key: crate::subscription::Key::of("a"),
        settling: Settling::Failed(failure),
    };
    assert_eq!(settles(&rig), [settled]);
    rig.tell(Input::Settled { free: Vec::new(), refused: Vec::new() });
    assert!(!takes(&rig));
    say_due(&mut rig);
    rig.letters(vec![due(1, "a", 3)]);
    rig.fail(A, 1, Verdict::Skip);
    assert_eq!(settles(&rig)[0].settling, Settling::Done);
}

/// A consumer that crashes with a letter has not handled it.
#[test]
fn a_letter_of_a_crashed_consumer_goes_to_another() {
    let mut rig = Rig::with(options(), &[9, 9], &["a"]);
    rig.fail(A, 1, Verdict::Park);
    rig.tell(Input::Parked { refused: Vec::new() });
    say_due(&mut rig);
    rig.letters(vec![due(1, "a", 1)]);
    assert_eq!(rig.sent(), [(B, vec![1])]);
    rig.leave(B);
    assert_eq!((rig.sent(), settles(&rig)), (vec![(A, vec![1])], vec![]));
}

/// Keys that had letters before the partition was won are known before anything of it is sent.
#[test]
fn parked_keys_are_looked_up_before_anything_is_sent() {
    let mut rig = Rig::idle(options());
    rig.join(A, 9);
    rig.tell(Input::Leased(leases(1, None, 0)));
    let mut stand = leases(1, Some(NODE), 1);
    stand.partitions[0].letters = 2;
    rig.tell(Input::Leased(stand));
    assert!(rig.effects.contains(&Effect::LoadParked { partition: 0, epoch: 1 }));
    assert_eq!(rig.fetch(), None);
    rig.tell(Input::ParkedKeysFailed { partition: 0, epoch: 1 });
    rig.after(100);
    assert!(rig.effects.contains(&Effect::LoadParked { partition: 0, epoch: 1 }));
    rig.tell(Input::ParkedKeys { partition: 0, epoch: 7, keys: Vec::new() });
    assert_eq!(rig.fetch(), None);
    rig.tell(Input::ParkedKeys { partition: 0, epoch: 1, keys: vec![key("a")] });
    assert_eq!(rig.fetch(), Some(place(0)));
    rig.fetched(1, &["a", "b"]);
    assert_eq!((rig.sent(), parks(&rig)), (vec![(A, vec![2])], vec![(1, false)]));
}

/// While an event of a key is being parked, the key may be declared free. The event is a letter by then, or will be: it is tried again
/// as one, and only then the key flows.
#[test]
fn a_key_that_is_freed_while_something_of_it_is_being_parked_stays_in_order() {
    let mut rig = Rig::with(options(), &[9], &["a"]);
    rig.fail(A, 1, Verdict::Park);
    rig.tell(Input::Parked { refused: Vec::new() });
    say_due(&mut rig);
    rig.letters(vec![due(1, "a", 1)]);
    rig.ack(A, 1);
    rig.tell(Input::Head(place(2)));
    rig.fetched(2, &["a"]);
    assert_eq!(parks(&rig), [(2, false)]);
    rig.tell(Input::Settled { free: vec![(0, key("a"))], refused: Vec::new() });
    rig.tell(Input::Head(place(3)));
    rig.fetched(3, &["a"]);
    assert_eq!(rig.sent(), []);
    rig.tell(Input::Parked { refused: Vec::new() });
    assert_eq!((takes(&rig), parks(&rig)), (true, vec![(3, false)]));
    rig.tell(Input::Parked { refused: Vec::new() });
    rig.letters(vec![due(2, "a", 0)]);
    assert_eq!(rig.sent(), [(A, vec![2])]);
}

/// A settling of which nobody knows whether it was recorded is repeated; and because the store says only once that a key is free,
/// it is asked which are not.
#[test]
fn a_key_that_became_free_without_a_word_is_found() {
    let mut rig = Rig::with(options(), &[9], &["a"]);
    rig.fail(A, 1, Verdict::Park);
    rig.tell(Input::Parked { refused: Vec::new() });
    say_due(&mut rig);
    rig.letters(vec![due(1, "a", 1)]);
    rig.ack(A, 1);
    rig.tell(Input::SettleFailed);
    rig.after(100);
    assert_eq!(settles(&rig).len(), 1);
    rig.tell(Input::Settled { free: Vec::new(), refused: Vec::new() });
    assert!(rig.effects.contains(&Effect::LoadParked { partition: 0, epoch: 1 }), "{:?}", rig.effects);
    rig.tell(Input::ParkedKeys { partition: 0, epoch: 1, keys: Vec::new() });
    rig.tell(Input::Head(place(2)));
    rig.fetched(2, &["a"]);
    assert_eq!(rig.sent(), [(A, vec![2])]);
}

/// Parking that failed is repeated, and nothing of it counts as done before.
#[test]
fn failed_parking_is_repeated() {
    let mut rig = Rig::with(Options { checkpoint_after: 1, ..options() }, &[9], &["a", "a"]);
    rig.fail(A, 1, Verdict::Park);
    rig.tell(Input::ParkFailed);
    assert_eq!((parks(&rig), rig.saves()), (vec![], None));
    rig.after(100);
    assert_eq!(parks(&rig), [(1, true), (2, false)]);
    rig.tell(Input::Parked { refused: vec![0] });
    assert_eq!(rig.machine.owned().count(), 0);
}

/// Letters of any number of keys are tried again without a pause: when there were as many as were asked for, the rest is asked for as
/// soon as there is room, and not with the next renewal.
#[test]
fn a_full_answer_is_followed_by_the_next() {
    let bounds = Options { batch_max: 2, buffer_max: 9, ..options() };
    let mut rig = Rig::with(bounds, &[9], &["a", "b", "c", "d"]);
    for at in 1..=4 {
        rig.fail(A, at, Verdict::Park);
        rig.tell(Input::Parked { refused: Vec::new() });
    }
    assert_eq!(rig.machine.counters().parked, 4);
    say_due(&mut rig);
    let dead = [due(1, "a", 1), due(2, "b", 1), due(3, "c", 1), due(4, "d", 1)];
    let settled = |text| Input::Settled { free: vec![(0, key(text))], refused: Vec::new() };
    rig.tell(Input::Letters { due: dead[..2].to_vec(), free: Vec::new(), more: true });
    assert_eq!((rig.sent(), takes(&rig)), (vec![(A, vec![1, 2])], false), "there is no room");
    rig.ack(A, 1);
    rig.tell(settled("a"));
    assert!(takes(&rig), "{:?}", rig.effects);
    // One of them is in hand still.
    rig.tell(Input::Letters { due: dead[1..].to_vec(), free: Vec::new(), more: true });
    assert_eq!(rig.sent(), [(A, vec![3])]);
    rig.ack(A, 2);
    rig.tell(settled("b"));
    rig.tell(Input::Letters { due: dead[2..].to_vec(), free: Vec::new(), more: false });
    assert_eq!(rig.sent(), [(A, vec![4])]);
    rig.ack(A, 3);
    rig.tell(settled("c"));
    assert!(!takes(&rig), "that was all");
}

/// An answer of which nothing is new is not asked for again at once.
#[test]
fn an_answer_that_brings_nothing_is_not_asked_for_again() {
    let bounds = Options { batch_max: 2, ..options() };
    let mut rig = Rig::with(bounds, &[9], &["a"]);
    rig.fail(A, 1, Verdict::Park);
    rig.tell(Input::Parked { refused: Vec::new() });
    say_due(&mut rig);
    let other = Due { partition: 9, ..due(1, "a", 1) };
    rig.tell(Input::Letters { due: vec![other], free: Vec::new(), more: true });
    assert!(!takes(&rig), "{:?}", rig.effects);
}

/// The event of a letter may be gone: then its key is free, or the next of the key is asked for.
#[test]
fn a_key_whose_last_letter_lost_its_event_is_free() {
    let mut rig = Rig::with(options(), &[9], &["a"]);
    rig.fail(A, 1, Verdict::Park);
    rig.tell(Input::Parked { refused: Vec::new() });
    say_due(&mut rig);
    rig.tell(Input::Letters { due: Vec::new(), free: vec![(0, key("a"))], more: true });
    assert!(takes(&rig), "{:?}", rig.effects);
    rig.tell(Input::Letters { due: Vec::new(), free: Vec::new(), more: false });
    assert!(!takes(&rig));
    rig.tell(Input::Head(place(2)));
    rig.fetched(2, &["a"]);
    assert_eq!((rig.sent(), parks(&rig)), (vec![(A, vec![2])], vec![]));
}
