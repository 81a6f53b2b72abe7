//! Partitions that stand far behind others.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::rig::{A, INCARNATION, NODE, leases, options, place};
use crate::{
    subscription::{Effect, Input, Item, Key, Machine, Millis, Options},
    version::Place,
};

const NOW: Millis = 10_000;

/// A machine over a log that answers at once, and what its only consumer holds, in the order in which it was sent.
struct Feed {
    machine: Machine<u64>,
    log: Vec<Key>,
    held: std::collections::VecDeque<Place>,
    sent: Vec<Place>,
    reads: Vec<(Place, u64)>,
}

/// How large it is: partitions, of which the first so many are far behind, and what may wait here and with the consumer.
#[derive(Clone, Copy, Debug)]
struct Shape {
    partitions: u32,
    behind: u32,
    buffer: u32,
    capacity: u32,
}

fn keys_of(partitions: impl Fn(u32) -> bool, of: u32) -> Vec<Key> {
    let keys = (0..60).map(|number| Key::of(&format!("key-{number}")));
    keys.filter(|key| partitions(key.partition(of))).collect()
}

impl Feed {
    /// The log is there, and the first partitions have seen nothing of it, the others all.
    fn new(shape: Shape, log: Vec<Key>) -> Self {
        let Shape { partitions, buffer: buffer_max, .. } = shape;
        let options = Options { partitions, buffer_max, batch_max: 4, lease_ms: 100_000, ..options() };
        let mut states = leases(partitions, None, 0);
        let machine = Machine::new(options, NODE, INCARNATION);
        let mut feed = Self { machine, log, held: [].into(), sent: Vec::new(), reads: Vec::new() };
        feed.tell(Input::Tick);
        feed.tell(Input::Leased(states.clone()));
        for state in &mut states.partitions {
            (state.owner, state.epoch) = (Some(NODE), 1);
            state.checkpoint = if state.partition < shape.behind { place(0) } else { feed.head() };
        }
        feed.tell(Input::Leased(states));
        feed.tell(Input::Join { consumer: A, capacity: shape.capacity });
        feed
    }

    fn head(&self) -> Place {
        place(self.log.len().try_into().unwrap())
    }

    fn tell(&mut self, input: Input<u64>) {
        let mut effects = std::collections::VecDeque::from(self.machine.step(NOW, input));
        while let Some(effect) = effects.pop_front() {
            let answer = match effect {
                Effect::Fetch { after, limit } => self.page(after, limit),
                Effect::Save(_) => Input::Saved { refused: Vec::new() },
                Effect::Deliver { batch, .. } => {
                    let places = batch.into_iter().map(|one| one.item.place);
                    let before = self.sent.len();
                    self.sent.extend(places);
                    self.held.extend(&self.sent[before..]);
                    continue;
                }
                _ => continue,
            };
            effects.extend(self.machine.step(NOW, answer));
        }
    }

    fn page(&mut self, after: Place, limit: u32) -> Input<u64> {
        let behind = (1..).zip(&self.log).skip(after.get().try_into().unwrap());
        let items = behind.take(limit.try_into().unwrap());
        let items: Vec<_> = items.map(|(at, key)| Item { place: place(at), key: *key, event: at }).collect();
        self.reads.push((after, items.len().try_into().unwrap()));
        let scanned_to = items.last().map_or(after, |item| item.place);
        Input::Fetched { items, scanned_to, head: self.head() }
    }

    fn append(&mut self, key: Key) -> Place {
        self.log.push(key);
        self.tell(Input::Head(self.head()));
        self.head()
    }

    /// The consumer is done with what it was sent first.
    fn handle_one(&mut self) -> bool {
        let Some(next) = self.held.pop_front() else { return false };
        self.tell(Input::AckEach { consumer: A, places: vec![next] });
        true
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    (2..6_u32, 4..40_u32, 1..9_u32).prop_flat_map(|(partitions, buffer, capacity)| {
        (1..partitions).prop_map(move |behind| Shape { partitions, behind, buffer, capacity })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// SU-28: partitions that are far behind hold up no others: what happens now is sent behind no more than what the buffer holds, while
    /// those catch up, and nothing is read more than twice for that. All is sent once, that of a key in order.
    #[test]
    fn partitions_that_are_behind_hold_up_no_others(shape in shape(), every in 2..5_usize) {
        let (all, ahead) = (keys_of(|_| true, 1), keys_of(|number| number >= shape.behind, shape.partitions));
        let log: Vec<_> = all.iter().copied().cycle().take(1500).collect();
        let mut feed = Feed::new(shape, log);
        let (mut live, mut handled) = (Vec::new(), 0);
        while feed.handle_one() {
            handled += 1;
            prop_assert!(feed.machine.buffered() <= usize::try_from(shape.buffer).unwrap());
            if handled % every == 0 && live.len() < 30 {
                let sent = feed.sent.len();
                let key = ahead[live.len() % ahead.len()];
                live.push((feed.append(key), sent));
            }
        }
        prop_assert!(live.len() == 30, "{} came while others were behind", live.len());
        let waits = live.iter().map(|(at, sent)| {
            feed.sent.iter().position(|place| place == at).map(|found| found.saturating_sub(*sent))
        });
        let most = waits.max().flatten().unwrap_or(usize::MAX);
        prop_assert!(most <= 2 * usize::try_from(shape.buffer).unwrap(), "one waited for {most} others");

        let of_those_behind = |(at, key): &(u64, Key)| *at > 1500 || key.partition(shape.partitions) < shape.behind;
        let expected: Vec<_> = (1..).zip(feed.log.iter().copied()).filter(of_those_behind).collect();
        let mut sent = feed.sent.clone();
        sent.sort_unstable();
        prop_assert_eq!(sent, expected.iter().map(|(at, _)| place(*at)).collect::<Vec<_>>());
        let mut last = BTreeMap::new();
        for at in &feed.sent {
            let key = feed.log[usize::try_from(at.get() - 1).unwrap()];
            prop_assert!(last.insert(key, *at).is_none_or(|before| before < *at), "{key:?} at {at}");
        }
        let read: u64 = feed.reads.iter().map(|(_, events)| events).sum();
        prop_assert!(read <= 2 * u64::try_from(feed.log.len()).unwrap(), "{read} events were read");
        prop_assert!(feed.machine.is_live());
        let settled = feed.machine.settled_to().all(|(_, at)| at == feed.head());
        prop_assert!(settled, "{:?}", feed.machine.settled_to().collect::<Vec<_>>());
    }
}

/// What is read for those ahead is nothing to those behind: they would miss what lies between.
#[test]
fn those_behind_take_nothing_of_what_is_read_ahead() {
    let shape = Shape { partitions: 2, behind: 1, buffer: 8, capacity: 1 };
    let (behind, ahead) = (keys_of(|number| number == 0, 2)[0], keys_of(|number| number == 1, 2)[0]);
    let mut feed = Feed::new(shape, vec![behind; 20]);
    assert_eq!(feed.reads, [(place(0), 6)], "room is left for those ahead");
    feed.append(behind);
    let live = feed.append(ahead);
    assert_eq!(feed.reads[1..], [(place(20), 1), (place(21), 1)]);
    while feed.handle_one() {}
    let at = feed.sent.iter().position(|place| *place == live).unwrap();
    assert!(at <= 8, "{:?}", feed.sent);
    let others = feed.sent.iter().filter(|place| **place != live).map(|place| place.get());
    assert_eq!(others.collect::<Vec<_>>(), (1..=21).collect::<Vec<_>>());
}
