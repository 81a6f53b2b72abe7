//! The queue alone: each policy by example, and what holds for all of them, whatever happens in which order.

use proptest::prelude::*;

use super::{
    Next::{Item, Lagged, Nothing},
    *,
};

fn at(number: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(number).unwrap())
}

fn gap(missed: u64, since: u64, until: u64) -> Gap {
    Gap { missed, since: at(since), until: at(until) }
}

/// A queue for three that was offered 0 to `count - 1`.
fn offered(overflow: Overflow, count: u64) -> Queue<u64> {
    let mut queue = Queue::new(3, overflow);
    for number in 0..count {
        queue.offer(at(number), number);
    }
    queue
}

/// All that comes next.
fn drained(queue: &mut Queue<u64>) -> Vec<Next<u64>> {
    let mut all = Vec::new();
    loop {
        let next = queue.next();
        let ends = matches!(next, Nothing | Next::Disconnected(_));
        all.push(next);
        if ends {
            return all;
        }
    }
}

#[test]
fn drop_oldest_keeps_the_newest_and_tells_what_is_missing_before_them() {
    let mut queue = offered(Overflow::DropOldest, 5);
    assert_eq!(drained(&mut queue), [Lagged(gap(2, 0, 1)), Item(2), Item(3), Item(4), Nothing]);
    assert_eq!(queue.counters(), Counters { delivered: 3, dropped: 2, ..Counters::default() });
}

#[test]
fn drop_newest_keeps_the_oldest_and_tells_what_is_missing_behind_them() {
    let mut queue = offered(Overflow::DropNewest, 5);
    assert_eq!(queue.next(), Item(0));
    assert_eq!(queue.offer(at(5), 5), Offered { accepted: true, lost: vec![] });
    assert_eq!(drained(&mut queue), [Item(1), Item(2), Lagged(gap(2, 3, 4)), Item(5), Nothing]);
}

#[test]
fn disconnect_loses_all_and_begins_anew() {
    let mut queue = offered(Overflow::Disconnect, 3);
    assert_eq!(queue.offer(at(3), 3), Offered { accepted: false, lost: vec![0, 1, 2, 3] });
    assert_eq!(queue.offer(at(4), 4), Offered { accepted: false, lost: vec![4] });
    assert_eq!(queue.next(), Next::Disconnected(gap(5, 0, 4)));
    assert!(!queue.is_connected());
    queue.reopen(3, Overflow::Disconnect);
    queue.offer(at(5), 5);
    assert_eq!(drained(&mut queue), [Item(5), Nothing]);
    let counters = Counters { delivered: 1, dropped: 5, disconnected: 1, ..Counters::default() };
    assert_eq!(queue.counters(), counters);
}

/// Given a queue that overflowed, nothing comes until all that waits was taken: one gap, then live again.
#[test]
fn dropping_until_drained_makes_one_gap() {
    let mut queue = offered(Overflow::DropUntilDrained, 5);
    assert_eq!(queue.next(), Item(0));
    assert!(!queue.offer(at(5), 5).accepted, "there is room, but it would tear the gap in two");
    assert_eq!(drained(&mut queue), [Item(1), Item(2), Lagged(gap(3, 3, 5)), Nothing]);
    assert!(queue.offer(at(6), 6).accepted);
    assert_eq!(drained(&mut queue), [Item(6), Nothing]);
}

#[test]
fn what_is_withdrawn_is_gone_and_gaps_stay() {
    let mut queue = offered(Overflow::DropOldest, 5);
    assert_eq!(queue.withdraw(|number| *number != 3), [2, 4]);
    assert_eq!(drained(&mut queue), [Lagged(gap(2, 0, 1)), Item(3), Nothing]);
    assert_eq!(queue.counters().withdrawn, 2);
}

#[test]
fn a_gap_asks_the_store_for_what_was_missed() {
    let request = gap(2, 7, 9).kept("orders.placed", 100);
    assert_eq!(request.topic.as_deref(), Some("orders.placed"));
    assert_eq!((request.since, request.limit), (Some(at(7)), 100));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Offer,
    Next,
    WithdrawEvery(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Offer),
        3 => Just(Step::Next),
        1 => (2_u64..5).prop_map(Step::WithdrawEvery)
    ];
    prop::collection::vec(step, 0..120)
}

fn policies() -> impl Strategy<Value = Overflow> {
    prop_oneof![Just(Overflow::DropOldest), Just(Overflow::DropNewest), Just(Overflow::DropUntilDrained)]
}

proptest! {
    /// Whatever happens: the bound holds; everything offered is handed out, lost, withdrawn or waits, once;
    /// what is handed out comes in order, with each gap in its place and telling exactly what is lost there.
    #[test]
    fn nothing_is_unaccounted_for(capacity in 1_usize..6, overflow in policies(), steps in steps()) {
        let mut queue = Queue::new(capacity, overflow);
        let (mut count, mut lost, mut withdrawn, mut out) = (0, Vec::new(), Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Offer => {
                    lost.extend(queue.offer(at(count), count).lost);
                    count += 1;
                }
                Step::Next => out.push(queue.next()),
                Step::WithdrawEvery(nth) => withdrawn.extend(queue.withdraw(|number| number % nth == 0)),
            }
            let told = queue.counters();
            prop_assert!(told.waiting <= capacity);
            let waiting = u64::try_from(told.waiting).unwrap();
            prop_assert_eq!(count, told.delivered + told.dropped + told.withdrawn + waiting);
        }
        out.extend(drained(&mut queue));
        lost.sort_unstable();
        let mut expected = (0..count).filter(|number| !withdrawn.contains(number));
        for next in out {
            match next {
                Item(item) => prop_assert_eq!(expected.next(), Some(item)),
                Lagged(told) => {
                    let count = usize::try_from(told.missed).unwrap();
                    let missed: Vec<_> = expected.by_ref().take(count).collect();
                    prop_assert!(missed.iter().all(|number| lost.contains(number)));
                    prop_assert_eq!(told, gap(told.missed, missed[0], missed[missed.len() - 1]));
                }
                Nothing => {}
                Next::Disconnected(_) | Next::Behind { .. } => prop_assert!(false, "nobody said so"),
            }
        }
        prop_assert_eq!(expected.next(), None, "neither handed out nor told of");
    }
}
