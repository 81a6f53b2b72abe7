//! Catching up by example, and whatever happens in whichever order: nothing is missing, nothing comes twice.

use proptest::prelude::*;

use super::{
    super::queue::{Next, Overflow, Queue},
    *,
};

const TOPICS: [&str; 2] = ["a", "b"];

/// A log, of which every event is on one of two topics, and a subscriber of both.
struct Rig {
    queue: Queue<u64>,
    /// The topic of each event, from position 1 on.
    log: Vec<usize>,
    /// How far it was offered.
    offered: usize,
    /// A page that was read and is not handed over yet: the topic, the span, and what was found.
    page: Option<Page>,
    out: Vec<u64>,
}

type Page = (Arc<str>, (Position, Position), Vec<u64>);

fn position(number: u64) -> Position {
    Position::new(number)
}

fn at(number: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(number).unwrap())
}

impl Rig {
    fn new(capacity: usize) -> Self {
        let queue = Queue::new(capacity, Overflow::CatchUp);
        Self { queue, log: Vec::new(), offered: 0, page: None, out: Vec::new() }
    }

    /// So many events of the first topic are appended, and offered at once.
    fn with(capacity: usize, events: usize) -> Self {
        let mut rig = Self::new(capacity);
        for _ in 0..events {
            rig.log.push(0);
            rig.offer();
        }
        rig
    }

    /// The next event of the log is offered, if there is one.
    fn offer(&mut self) {
        let Some(topic) = self.log.get(self.offered) else { return };
        self.offered += 1;
        let number = u64::try_from(self.offered).unwrap();
        let topic = Arc::from(TOPICS[*topic]);
        let offered = self.queue.offer_of_log(&topic, position(number), at(number), number);
        assert!(offered.accepted && offered.lost.is_empty());
    }

    /// Takes what comes next, or reads what is to be read, which comes later. `false` when there is nothing.
    fn next(&mut self, most: usize) -> bool {
        match self.queue.next() {
            Next::Item(number) => self.out.push(number),
            Next::Behind { topic, after, room } => {
                let end = self.log.len();
                let mut page: Vec<_> = self
                    .of_topic(&topic)
                    .filter(|number| *number > after.get())
                    .take(room.min(most))
                    .collect();
                let to = if page.len() == room.min(most) {
                    page[page.len() - 1]
                } else {
                    u64::try_from(end).unwrap()
                };
                page.truncate(room);
                self.page = Some((topic, (after, position(to)), page));
            }
            Next::Nothing => return false,
            other => panic!("nothing is lost, and nobody disconnected: {other:?}"),
        }
        true
    }

    fn of_topic(&self, topic: &str) -> impl Iterator<Item = u64> {
        let index = TOPICS.iter().position(|one| *one == topic).unwrap();
        (1..).zip(&self.log).filter(move |(_, one)| **one == index).map(|(number, _)| number)
    }

    /// What was read is handed over.
    fn feed(&mut self) {
        let Some((topic, span, found)) = self.page.take() else { return };
        let found = found.into_iter().map(|number| (position(number), at(number), number)).collect();
        self.queue.feed(&topic, span, found);
    }

    /// Reads until nothing is left.
    fn drain(&mut self) {
        self.feed();
        while self.next(2) {
            self.feed();
        }
    }
}

/// EB-15: what does not fit is read from the log, and then it is live again.
#[test]
fn who_fell_behind_is_fed_until_it_is_live() {
    let mut rig = Rig::with(3, 5);
    let counters = rig.queue.counters();
    assert_eq!((counters.waiting, counters.left, counters.fell_behind), (3, 2, 1));
    assert!(rig.next(9));
    rig.log.push(0);
    rig.offer();
    assert_eq!(rig.queue.counters().left, 3, "there is room, but others come before it");
    for _ in 0..2 {
        rig.next(9);
    }
    assert_eq!((&*rig.out, rig.queue.counters().waiting), (&[1, 2, 3][..], 0));
    rig.drain();
    assert_eq!(rig.out, [1, 2, 3, 4, 5, 6]);
    rig.log.push(0);
    rig.offer();
    assert_eq!(rig.queue.next(), Next::Item(7), "from the queue");
    let counters = rig.queue.counters();
    assert_eq!((counters.delivered, counters.caught_up, counters.left), (7, 3, 0));
}

/// What was read from the log before it was offered is known when it is.
#[test]
fn a_read_may_be_ahead_of_the_offers() {
    let mut rig = Rig::with(1, 2);
    rig.log.extend([0, 0]);
    rig.next(9);
    for _ in 0..2 {
        rig.next(9);
        rig.feed();
        rig.next(9);
    }
    assert_eq!(rig.out, [1, 2], "one at a time");
    rig.log.push(0);
    for _ in 0..3 {
        rig.offer();
    }
    rig.drain();
    assert_eq!(rig.out, [1, 2, 3, 4, 5]);
}

/// Two readers of one inbox, the one in place of the other: what both have read comes once.
#[test]
fn a_page_that_was_read_twice_counts_once() {
    let mut rig = Rig::with(1, 3);
    rig.next(9);
    rig.next(9);
    let page = rig.page.clone();
    rig.feed();
    rig.page = page;
    rig.feed();
    rig.drain();
    assert_eq!(rig.out, [1, 2, 3]);
}

/// What was left to the log and was removed from it is not waited for.
#[test]
fn what_vanished_from_the_log_is_not_waited_for() {
    let mut rig = Rig::with(1, 3);
    rig.next(9);
    rig.queue.feed(TOPICS[0], (position(1), position(9)), vec![(position(3), at(3), 3)]);
    rig.drain();
    let counters = rig.queue.counters();
    assert_eq!((&*rig.out, counters.caught_up, counters.withdrawn, counters.left), (&[1, 3][..], 1, 1, 0));
}

/// A subscriber that is not to catch up any more is told what it misses.
#[test]
fn who_gives_up_is_told_of_what_was_left() {
    let mut rig = Rig::with(2, 5);
    rig.queue.reopen(2, Overflow::DropOldest);
    rig.next(9);
    rig.next(9);
    let Next::Lagged(gap) = rig.queue.next() else { panic!("three are missing") };
    assert_eq!((gap.missed, gap.since, gap.until), (3, at(3), at(5)));
    assert_eq!((rig.queue.counters().dropped, rig.queue.counters().left), (3, 0));
}

/// A topic that is gone holds up no other one.
#[test]
fn what_was_left_of_a_topic_that_is_gone_is_withdrawn() {
    let mut rig = Rig::with(1, 3);
    rig.log.push(1);
    rig.offer();
    rig.queue.forget(|topic| topic == TOPICS[0]);
    rig.drain();
    assert_eq!(rig.out, [1, 4]);
    assert_eq!(rig.queue.counters().withdrawn, 2);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Append(usize),
    Offer,
    Next,
    Feed,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..TOPICS.len()).prop_map(Step::Append),
        3 => Just(Step::Offer),
        2 => Just(Step::Next),
        2 => Just(Step::Feed)
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    /// EB-15: whatever happens in whichever order, every event of each topic is handed out once, in order; what waits is bounded; and each
    /// event is accounted for once.
    #[test]
    fn nothing_is_missing_and_nothing_comes_twice(capacity in 1_usize..6, most in 1_usize..4, steps in steps()) {
        let mut rig = Rig::new(capacity);
        for step in steps {
            match step {
                Step::Append(topic) => rig.log.push(topic),
                Step::Offer => rig.offer(),
                // One page is read at a time.
                Step::Next if rig.page.is_none() => drop(rig.next(most)),
                Step::Next => {}
                Step::Feed => rig.feed(),
            }
            let told = rig.queue.counters();
            prop_assert!(told.waiting <= capacity);
            let known = told.delivered + u64::try_from(told.waiting).unwrap() + told.left;
            prop_assert!(known >= u64::try_from(rig.offered).unwrap() && known <= u64::try_from(rig.log.len()).unwrap());
            prop_assert_eq!(told.dropped + told.withdrawn, 0);
        }
        while rig.offered < rig.log.len() {
            rig.offer();
        }
        rig.drain();
        prop_assert_eq!(rig.out.len(), rig.log.len());
        for topic in TOPICS {
            let all: Vec<_> = rig.of_topic(topic).collect();
            let out: Vec<_> = rig.out.iter().copied().filter(|number| all.contains(number)).collect();
            prop_assert_eq!(out, all);
        }
        let told = rig.queue.counters();
        prop_assert_eq!((told.left, told.waiting), (0, 0));
        prop_assert!(told.caught_up <= told.delivered && (told.caught_up > 0) == (told.fell_behind > 0));
        // Live again: what comes now comes from the queue.
        rig.log.push(0);
        rig.offer();
        prop_assert_eq!(rig.queue.next(), Next::Item(u64::try_from(rig.log.len()).unwrap()));
    }
}
