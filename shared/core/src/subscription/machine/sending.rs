//! Sending events to consumers, and what they say of them.

use super::{Machine, count, stopping::Stopping};
use crate::{
    store::Failure,
    subscription::{
        ConsumerId, Delivery, Effect, JoinError, Key, Millis, Verdict, consumers::Consumer, lane::Gate,
        letters::State,
    },
    time::Timestamp,
    version::Place,
};

impl<E: Clone> Machine<E> {
    /// Sends what may be sent to those who have room for it.
    pub(super) fn send(&mut self) {
        if self.paused || self.stopping != Stopping::No {
            return;
        }
        self.send_letters();
        if self.queue.sendable() == 0 {
            return;
        }
        // Who may wait for full batches is sent full batches; otherwise all who have room share what is there, the last of them too: each
        // has its part of what those before it have left.
        let mut sharing = 0;
        while self.queue.sendable() > 0 {
            if sharing == 0 {
                sharing = self.consumers.count_with_room().max(1);
            }
            let lanes = match self.options.batch_within_ms {
                0 => self.queue.free_lanes().div_ceil(sharing),
                _ => usize::MAX,
            };
            sharing -= 1;
            let next = self.consumers.with_room().find(|(id, one)| self.batch_is_ready(*id, one));
            let Some((consumer, most)) = next.map(|(id, one)| (id, one.room().min(self.batch_max()))) else {
                break;
            };
            let mut batch = self.queue.hand_out(consumer, most, lanes);
            if batch.is_empty() {
                break;
            }
            for delivery in &mut batch {
                delivery.resets = self.resets;
                let number = delivery.item.key.partition(self.options.partitions);
                if let Some(partition) = self.partitions.get_mut(count(number)).and_then(Option::as_mut) {
                    partition.held += 1;
                    delivery.replay = delivery.item.place <= partition.handled;
                }
            }
            self.consumers.hold(consumer, batch.iter().map(|one| (one.item.place, one.item.key)));
            self.deliver(consumer, batch);
        }
    }

    fn batch_max(&self) -> usize {
        count(self.options.batch_max)
    }

    /// Whether there is something to send to it, and enough or for long enough.
    fn batch_is_ready(&self, id: ConsumerId, consumer: &Consumer) -> bool {
        let (items, since) = self.queue.waiting_for(id);
        let full = self.batch_max().min(consumer.capacity);
        items > 0
            && (self.options.batch_within_ms == 0
                || (items >= full && consumer.room() >= full)
                || self.now >= since.saturating_add(self.options.batch_within_ms))
    }

    /// When a batch that is not full is sent.
    pub(super) fn batch_at(&self) -> Option<Millis> {
        let waits = self.options.batch_within_ms > 0 && self.queue.sendable() > 0;
        if !waits || self.paused || self.stopping != Stopping::No {
            return None;
        }
        let roomy = self.consumers.with_room().map(|(id, _)| self.queue.waiting_for(id));
        let since = roomy.filter(|(items, _)| *items > 0).map(|(_, since)| since).min()?;
        Some(since.saturating_add(self.options.batch_within_ms))
    }

    /// Dead letters that are tried again wait for nothing but room, and travel apart from events.
    fn send_letters(&mut self) {
        if self.letters.is_empty() {
            return;
        }
        let waiting = self.letters.iter().filter(|(_, letter)| {
            matches!(letter.state, State::Waiting)
                && self.partition(letter.partition).is_some_and(|one| one.active)
        });
        let mut waiting: Vec<Place> = waiting.map(|(place, _)| place).collect();
        while !waiting.is_empty() {
            let Some((consumer, room)) = self.consumers.with_room().next().map(|(id, one)| (id, one.room()))
            else {
                break;
            };
            let places: Vec<_> = waiting.drain(..waiting.len().min(room).min(self.batch_max())).collect();
            let mut batch = Vec::with_capacity(places.len());
            for place in &places {
                let Some(letter) = self.letters.get_mut(*place) else { continue };
                letter.state = State::Held(consumer);
                batch.push(Delivery {
                    item: letter.item.clone(),
                    attempt: letter.failures.saturating_add(1),
                    letter: true,
                    replay: letter.replay,
                    resets: self.resets,
                });
                let number = letter.partition;
                if let Some(partition) = self.partition_mut(number) {
                    partition.held += 1;
                }
            }
            self.consumers.hold_letters(consumer, places.into_iter());
            self.deliver(consumer, batch);
        }
    }

    fn deliver(&mut self, consumer: ConsumerId, batch: Vec<Delivery<E>>) {
        self.counters.delivered += u64::try_from(batch.len()).unwrap_or(0);
        self.out.push(Effect::Deliver { consumer, batch });
    }

    pub(super) fn join(&mut self, consumer: ConsumerId, capacity: u32) {
        let joined = match self.stopping {
            Stopping::No => self.consumers.join(consumer, capacity, self.options.consumers_max),
            _ => Err(JoinError::Stopping),
        };
        if let Err(error) = joined {
            self.out.push(Effect::Refuse { consumer, error });
        }
    }

    pub(super) fn leave(&mut self, consumer: ConsumerId) {
        let Some(left) = self.consumers.leave(consumer) else { return };
        for (_, key) in left.held {
            let number = key.partition(self.options.partitions);
            let places = self.queue.take_back(key).len();
            if let Some(partition) = self.partition_mut(number) {
                partition.held = partition.held.saturating_sub(places);
            }
        }
        self.queue.forget_consumer(consumer);
        for place in left.letters {
            self.letter_back(place, State::Waiting);
        }
    }

    pub(super) fn acknowledge(&mut self, consumer: ConsumerId, place: Place) {
        if self.holds_letter(consumer, place) {
            return self.letter_acknowledged(consumer, place);
        }
        let Some(covered) = self.consumers.acknowledge(consumer, place) else {
            self.out.push(Effect::NotHeld { consumer, place });
            return;
        };
        for (place, key) in covered {
            self.handled(key, place);
        }
    }

    pub(super) fn acknowledge_one(&mut self, consumer: ConsumerId, place: Place) {
        if self.holds_letter(consumer, place) {
            return self.letter_acknowledged(consumer, place);
        }
        match self.consumers.acknowledge_one(consumer, place) {
            Some(key) => self.handled(key, place),
            None => self.out.push(Effect::NotHeld { consumer, place }),
        }
    }

    fn letter_acknowledged(&mut self, consumer: ConsumerId, place: Place) {
        self.counters.acknowledged += 1;
        self.letter_over(consumer, place, crate::subscription::Settling::Done);
    }

    /// A consumer has handled an event that it held.
    fn handled(&mut self, key: Key, place: Place) {
        self.counters.acknowledged += 1;
        if let Some(number) = self.queue.finish(key, place) {
            self.done(number, place, true);
        }
    }

    fn holds_letter(&self, consumer: ConsumerId, place: Place) -> bool {
        self.consumers.get(consumer).is_some_and(|one| one.letters.contains(&place))
    }

    /// An event is handled, skipped or parked.
    pub(super) fn done(&mut self, number: u32, place: Place, was_held: bool) {
        if let Some(partition) = self.partition_mut(number) {
            partition.finish(place);
            if was_held {
                partition.held = partition.held.saturating_sub(1);
            }
        }
        if self.options.durable {
            self.unsaved = self.unsaved.saturating_add(1);
            self.unsaved_since.get_or_insert(self.now);
        }
    }

    pub(super) fn fail(
        &mut self,
        consumer: ConsumerId,
        place: Place,
        verdict: Verdict,
        error: String,
        at: Timestamp,
    ) {
        // There is nowhere to keep a dead letter of a transient subscription.
        let verdict = if verdict == Verdict::Park && !self.options.durable { Verdict::Skip } else { verdict };
        if self.holds_letter(consumer, place) {
            self.letter_failed(consumer, place, verdict, error, at);
            return;
        }
        let Some(key) = self.consumers.get(consumer).and_then(|one| one.held.get(place)).copied() else {
            self.out.push(Effect::NotHeld { consumer, place });
            return;
        };
        let number = key.partition(self.options.partitions);
        // All of the key comes back, so that what is sent again is sent in order.
        let back = self.queue.take_back(key);
        if let Some(partition) = self.partition_mut(number) {
            partition.held = partition.held.saturating_sub(back.len());
        }
        self.consumers.let_go(consumer, back.into_iter());
        let Some(entry) = self.queue.entry_mut(key, place) else { return };
        entry.failures = entry.failures.saturating_add(1);
        let first_at = *entry.failed_first.get_or_insert(at);
        match verdict {
            Verdict::Retry { after_ms } => {
                self.counters.retried += 1;
                #[cfg(test)]
                if self.bug == Some(crate::subscription::tests::Bug::RetryLetsOthersPass) {
                    self.queue.rotate(key);
                    return;
                }
                self.queue.set_gate(key, number, Gate::Retry(self.now.saturating_add(after_ms)));
                self.leave_behind(key, number);
            }
            Verdict::Skip => {
                self.counters.skipped += 1;
                self.queue.finish(key, place);
                self.done(number, place, false);
            }
            Verdict::Park => {
                let failure = Failure { error, attempts: entry.failures, first_at, last_at: at };
                entry.failure = Some(Box::new(failure));
                self.queue.set_gate(key, number, Gate::Parked);
                if let Some(partition) = self.partition_mut(number) {
                    partition.failing += 1;
                }
            }
        }
    }
}
