//! The queues of instances: what waits for each, and what is known of it while it is in memory.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::clerk::{Known, Work};

/// All instances that have something to do, or are kept in memory.
pub(super) struct Desk<E> {
    seats: BTreeMap<String, Seat<E>>,
    /// How many may be kept that have nothing to do.
    max: usize,
    /// How long one is kept that has nothing to do.
    idle: Duration,
}

/// One instance. Moments are those of the bus's clock, and come from whoever asks.
struct Seat<E> {
    known: Known,
    /// Whether it is being served.
    busy: bool,
    waiting: VecDeque<Work<E>>,
    used: Instant,
}

impl<E> Desk<E> {
    pub(super) const fn new(max: usize, idle: Duration) -> Self {
        Self { seats: BTreeMap::new(), max, idle }
    }

    /// Something to do for an instance, behind what waits for it. One whose time is over is read again: whether that was noticed in
    /// between does not show.
    pub(super) fn put(&mut self, instance: &str, work: Work<E>, now: Instant) {
        let seat = self.seats.entry(instance.to_owned()).or_insert_with(|| Seat {
            known: Known::default(),
            busy: false,
            waiting: VecDeque::new(),
            used: now,
        });
        if seat.has_rested(self.idle, now) {
            seat.known = Known::default();
        }
        seat.waiting.push_back(work);
    }

    /// What an instance is to be served with next; nothing while it is being served.
    pub(super) fn next(&mut self, instance: &str) -> Option<(Known, Work<E>)> {
        let seat = self.seats.get_mut(instance).filter(|seat| !seat.busy)?;
        let work = seat.waiting.pop_front()?;
        seat.busy = true;
        Some((std::mem::take(&mut seat.known), work))
    }

    /// An instance was served.
    pub(super) fn served(&mut self, instance: &str, known: Known, now: Instant) {
        let Some(seat) = self.seats.get_mut(instance) else { return };
        let keep = known.is_something();
        (seat.busy, seat.known, seat.used) = (false, known, now);
        if seat.waiting.is_empty() && !keep {
            self.seats.remove(instance);
        } else if self.seats.len() > self.max {
            self.make_room();
        }
    }

    /// Nothing that waits is done any more.
    pub(super) fn clear(&mut self) {
        for seat in self.seats.values_mut() {
            seat.waiting.clear();
        }
    }

    /// Gives back the memory of those that had nothing to do for long.
    pub(super) fn sweep(&mut self, now: Instant) {
        let idle = self.idle;
        self.seats.retain(|_, seat| !seat.has_rested(idle, now));
    }

    /// The longest unused make room for others: a few more than necessary, so that it is not looked for them each time.
    fn make_room(&mut self) {
        let mut resting: Vec<_> = self
            .seats
            .iter()
            .filter(|(_, seat)| seat.rests())
            .map(|(name, seat)| (seat.used, name.clone()))
            .collect();
        resting.sort_unstable();
        let surplus = self.seats.len().saturating_sub(self.max) + self.max / 16;
        for (_, instance) in resting.into_iter().take(surplus) {
            self.seats.remove(&instance);
        }
    }
}

impl<E> Seat<E> {
    fn rests(&self) -> bool {
        !self.busy && self.waiting.is_empty()
    }

    /// Whether it has had nothing to do for so long.
    fn has_rested(&self, idle: Duration, now: Instant) -> bool {
        self.rests() && now.saturating_duration_since(self.used) >= idle
    }
}

#[cfg(test)]
mod tests {
    use umbel_core::{Json, process_manager::File};
    use uuid::Uuid;

    use super::*;

    fn known(instance: &str) -> Known {
        Known::Read(Some(Box::new(File {
            manager: "test".into(),
            instance: instance.into(),
            schema: 1,
            revision: Uuid::nil(),
            state: Some(Json::from_store("{}").into()),
            timers: BTreeMap::new(),
            pending: Vec::new(),
        })))
    }

    fn work() -> Work<()> {
        Work::Left { reminder: Uuid::nil(), in_vain: 0 }
    }

    fn serve(desk: &mut Desk<()>, instance: &str, what: Known, now: Instant) {
        desk.put(instance, work(), now);
        desk.next(instance).unwrap();
        desk.served(instance, what, now);
    }

    /// One thing at a time for each instance, in order, and several instances at once.
    #[test]
    fn an_instance_is_served_with_one_thing_at_a_time() {
        let (mut desk, now) = (Desk::new(10, Duration::from_secs(1)), Instant::now());
        desk.put("a", work(), now);
        desk.put("a", work(), now);
        desk.put("b", work(), now);
        assert!(desk.next("a").is_some() && desk.next("a").is_none() && desk.next("b").is_some());
        desk.served("a", known("a"), now);
        assert!(matches!(desk.next("a"), Some((Known::Read(Some(_)), _))), "and what is known is kept");
    }

    /// PM-08: those without work leave memory after their time, and earlier when there are too many; those of which nothing is kept
    /// at once.
    #[test]
    fn memory_is_given_back() {
        let (idle, now) = (Duration::from_secs(1), Instant::now());
        let mut desk = Desk::new(3, idle);
        serve(&mut desk, "gone", Known::Read(None), now);
        assert_eq!(desk.seats.len(), 0);
        for (number, instance) in (0..).zip(["a", "b", "c", "d"]) {
            serve(&mut desk, instance, known(instance), now + Duration::from_micros(number));
        }
        assert_eq!(desk.seats.keys().collect::<Vec<_>>(), ["b", "c", "d"]);
        desk.put("c", work(), now);
        let later = now + 2 * idle;
        desk.sweep(later);
        assert_eq!(desk.seats.keys().collect::<Vec<_>>(), ["c"], "it has something to do");
        desk.next("c").unwrap();
        desk.served("c", known("c"), later);
        for (time, is_kept) in [(idle / 2, true), (idle, false)] {
            desk.put("c", work(), later + time);
            let (known, _) = desk.next("c").unwrap();
            assert_eq!(known.is_something(), is_kept, "after {time:?}, though nobody has swept");
            desk.served("c", known, later);
        }
    }
}
