//! How a runner and a consumer take turns: which delivery of an event a word is about.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::rig::place;
use crate::{
    subscription::{Delivery, Given, Hands, Item, Key},
    version::Place,
};

/// An event of a key, or a dead letter.
fn delivery(at: u64, key: &str, letter: bool) -> Delivery<()> {
    let item = Item { place: place(at), key: Key::of(key), event: () };
    Delivery { item, attempt: 1, letter, replay: false, resets: 0 }
}

fn event(at: u64, key: &str) -> Delivery<()> {
    delivery(at, key, false)
}

fn places(at: &[u64]) -> Vec<Place> {
    at.iter().copied().map(place).collect()
}

/// Takes a batch; what was taken of it.
fn take(hands: &mut Hands, number: u64, batch: &[Delivery<()>]) -> Vec<Place> {
    let mut batch = batch.to_vec();
    hands.take(number, &mut batch, |_| Some(()));
    batch.into_iter().map(|one| one.item.place).collect()
}

/// A word about an event that was sent again meanwhile is none about the delivery that is on its way.
#[test]
fn a_word_is_about_one_delivery() {
    let mut given = Given::default();
    given.send(1, &[event(1, "a"), event(2, "b")], &());
    given.send(2, &[event(3, "a")], &());
    assert!(given.is_current(place(1), 1) && given.is_current(place(1), 2));
    assert!(!given.is_current(place(3), 1), "it came later");
    assert!(!given.is_current(place(4), 2));
    assert!(given.has_of(Key::of("a")) && !given.has_of(Key::of("c")));

    given.failed(Key::of("a"), 2);
    given.send(3, &[event(1, "a")], &());
    assert!(!given.has(place(3)) && given.has(place(1)));
    assert!(!given.is_current(place(1), 2), "it was sent again");
    assert_eq!(given.handled(2, places(&[1, 2, 3])), (places(&[2]), places(&[1, 3])));
    assert_eq!(given.handled(3, places(&[1, 2])), (places(&[1]), places(&[2])));
    assert!(given.is_empty());
}

/// Who hears that an event is somebody else's is whom its last delivery went to.
#[test]
fn what_is_revoked_was_kept_with_the_last_delivery() {
    let mut given = Given::default();
    given.send(1, &[event(1, "a"), event(2, "b")], &"first");
    given.failed(Key::of("a"), 1);
    given.send(2, &[event(1, "a"), event(3, "c")], &"second");
    assert_eq!((given.revoke(place(1)), given.revoke(place(1)), given.len()), (Some("second"), None, 2));
    let left: Vec<_> = given.into_kept().collect();
    assert_eq!(left, [(place(2), "first"), (place(3), "second")]);
}

/// Of a key that has failed, nothing that was sent before is handled, in hand or on its way; what is sent behind it is.
#[test]
fn what_is_behind_a_failure_is_let_go() {
    let mut hands = Hands::default();
    assert_eq!(take(&mut hands, 1, &[event(1, "a"), event(2, "b"), event(3, "a")]), places(&[1, 2, 3]));
    // Two more are on their way, and one comes again.
    hands.failed(Key::of("a"), 2);
    assert_eq!(hands.iter().map(|(place, _)| place).collect::<Vec<_>>(), places(&[2]));
    assert_eq!(take(&mut hands, 2, &[event(4, "a"), event(5, "b")]), places(&[5]));
    assert_eq!(take(&mut hands, 3, &[event(1, "a"), event(3, "a")]), places(&[1, 3]));
    // The answer may come behind what was sent again.
    hands.failed(Key::of("a"), 2);
    assert_eq!(hands.up_to(3, place(9), &[]), places(&[1, 2, 3, 5]));
    assert_eq!(hands.up_to(2, place(9), &[]), places(&[2, 5]), "what came later is another matter");
}

/// A dead letter is acknowledged by itself, and what is somebody else's is not taken.
#[test]
fn letters_are_named_and_the_taken_are_left() {
    let mut hands = Hands::default();
    let mut batch = vec![delivery(1, "a", true), event(5, "b"), event(6, "c"), delivery(2, "d", true)];
    hands.take(1, &mut batch, |at| (at != place(6)).then_some(at.get()));
    assert_eq!(batch.len(), 3);
    assert!(hands.is_letter(place(1)) && !hands.is_letter(place(5)) && !hands.is_letter(place(6)));
    assert_eq!(hands.up_to(1, place(9), &[]), places(&[5]));
    assert_eq!(hands.up_to(1, Place::START, &places(&[2, 5])), places(&[2]));
    hands.keep(place(5), 50);
    assert_eq!(hands.iter().map(|(_, held)| held.kept).collect::<Vec<_>>(), [1, 2, 50]);
    hands.done(0, &places(&[1]));
    hands.done(1, &places(&[2, 5]));
    assert_eq!(hands.iter().map(|(place, _)| place).collect::<Vec<_>>(), places(&[1]));
    hands.retain(|_, held| held.key != Key::of("a"));
    assert!(hands.is_empty());
}

/// One step of either side.
#[derive(Clone, Debug)]
enum Act {
    /// The runner sends what it may: what is next of each key.
    Send,
    /// The consumer takes a batch.
    Take,
    /// It handles the first that it holds, or fails over it.
    Handle,
    Fail,
    /// The runner hears a word, and the consumer its answer.
    Hear,
}

proptest! {
    /// Whatever is on its way between both, and however the consumer fails: the events of a key are handled in their order, and in the end
    /// all are.
    #[test]
    fn both_agree_on_what_was_handled(
        keys in prop::collection::vec(0..3_u8, 1..12),
        acts in prop::collection::vec(
            prop_oneof![Just(Act::Send), Just(Act::Take), Just(Act::Handle), Just(Act::Fail), Just(Act::Hear)],
            0..120,
        ),
    ) {
        let log: Vec<_> = (1..).zip(&keys).map(|(at, key)| event(at, &key.to_string())).collect();
        let (mut given, mut hands, mut number) = (Given::default(), Hands::default(), 0);
        let (mut batches, mut words, mut done) = (VecDeque::new(), VecDeque::new(), Vec::new());
        let mut handled = Vec::new();
        let mut is_asking = false;
        let finish = [Act::Hear, Act::Send, Act::Take, Act::Handle].into_iter().cycle().take(400);
        for act in acts.into_iter().chain(finish) {
            match act {
                Act::Send => {
                    let open = log.iter().filter(|one| !done.contains(&one.item.place) && !given.has(one.item.place));
                    let open: Vec<_> = open.take(2).cloned().collect();
                    if open.is_empty() {
                        continue;
                    }
                    number += 1;
                    given.send(number, &open, &());
                    batches.push_back((number, open));
                }
                // Until it is answered a consumer does nothing else.
                Act::Take | Act::Handle | Act::Fail if is_asking => {}
                Act::Take => {
                    let Some((number, batch)) = batches.pop_front() else { continue };
                    take(&mut hands, number, &batch);
                }
                Act::Handle | Act::Fail => {
                    let Some((at, held)) = hands.iter().map(|(at, held)| (at, *held)).next() else { continue };
                    is_asking = matches!(act, Act::Fail);
                    if !is_asking {
                        handled.push((held.key, at));
                        hands.done(held.number, &[at]);
                    }
                    words.push_back((at, held, is_asking));
                }
                Act::Hear => {
                    let Some((at, held, has_failed)) = words.pop_front() else { continue };
                    if !has_failed {
                        done.extend(given.handled(held.number, vec![at]).0);
                        continue;
                    }
                    prop_assert!(given.is_current(at, held.number));
                    given.failed(held.key, number);
                    hands.failed(held.key, number);
                    is_asking = false;
                }
            }
        }
        prop_assert_eq!(done.len(), log.len());
        for key in handled.iter().map(|(key, _)| *key) {
            let of_key: Vec<_> = handled.iter().filter(|(one, _)| *one == key).map(|(_, at)| *at).collect();
            prop_assert!(of_key.is_sorted(), "{:?}", of_key);
        }
    }
}
