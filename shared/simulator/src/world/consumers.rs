//! Consumers: they handle what they hold in its order, acknowledge it sooner or later, fail, dawdle, and vanish.

use umbel_core::{
    Place, Timestamp,
    subscription::{ConsumerId, Input, Verdict},
};

use super::World;
use crate::{
    bug::Bug,
    node::{Consumer, Held},
    oracle::Broken,
    schedule::{Address, Event, Part},
};

/// What a consumer does next.
enum Next {
    Handle(Place, Held),
    Acknowledge,
}

impl World {
    /// A consumer wants events, if there are not enough.
    pub(super) fn join(&mut self, to: Address) -> Result<(), Broken> {
        let capacity = self.shape.capacity;
        let consumer = ConsumerId(self.fresh());
        let Some(runner) = self.runner(to) else { return Ok(()) };
        if runner.stopping || runner.consumers.len() >= 3 {
            return Ok(());
        }
        runner.consumers.insert(consumer, Consumer::default());
        self.give(to, Input::Join { consumer, capacity })
    }

    fn consumer(&mut self, at: Address, id: ConsumerId) -> Option<&mut Consumer> {
        self.runner(at)?.consumers.get_mut(&id)
    }

    /// A consumer that holds something will do something with it.
    pub(super) fn make_busy(&mut self, at: Address, id: ConsumerId) {
        let think = if self.quiet { 1 } else { self.chances.consumers.between(1, 40) };
        let Some(consumer) = self.consumer(at, id) else { return };
        if consumer.busy || consumer.held.is_empty() {
            return;
        }
        consumer.busy = true;
        self.after(think, Event::Work { to: at, consumer: id });
    }

    /// A consumer does one thing with what it holds.
    pub(super) fn work(&mut self, to: Address, id: ConsumerId) -> Result<(), Broken> {
        let Some(consumer) = self.consumer(to, id) else { return Ok(()) };
        consumer.busy = false;
        let open = consumer.held.iter().find(|(_, held)| !held.handled);
        let next = match open {
            Some((place, held)) => Next::Handle(*place, *held),
            None if consumer.held.is_empty() => return Ok(()),
            None => Next::Acknowledge,
        };
        if self.chances.consumers.happens(self.shape.faults.consumer_odd) {
            if self.chances.consumers.one_in(2) {
                return self.vanish(to, id, &next);
            }
            self.count("slow consumer");
            let after = self.chances.consumers.between(500, 5000);
            if let Some(consumer) = self.consumer(to, id) {
                consumer.busy = true;
            }
            self.after(after, Event::Work { to, consumer: id });
            return Ok(());
        }
        match next {
            Next::Handle(place, held) => {
                if self.chances.consumers.happens(self.shape.faults.consumer_fails) {
                    self.fail(to, id, place, held)?;
                } else {
                    self.handle(to, id, place, held)?;
                    if self.chances.consumers.below(3) > 0 {
                        self.acknowledge(to, id)?;
                    }
                }
            }
            Next::Acknowledge => self.acknowledge(to, id)?,
        }
        self.make_busy(to, id);
        Ok(())
    }

    fn handle(&mut self, to: Address, id: ConsumerId, place: Place, held: Held) -> Result<(), Broken> {
        let Part::Runner(subscription) = to.part else { return Ok(()) };
        self.say(|| format!("node {} sub {subscription}: {id:?} handles {place} of {:?}", to.node, held.key));
        if let Some(held) = self.consumer(to, id).and_then(|consumer| consumer.held.get_mut(&place)) {
            held.handled = true;
        }
        let books = &mut self.oracle.subscriptions[subscription];
        books.handled(&self.oracle.log, place, held.key, held.epoch)
    }

    /// A consumer says how far it is: letters one by one, events up to the last before which all are handled.
    fn acknowledge(&mut self, to: Address, id: ConsumerId) -> Result<(), Broken> {
        let Some(consumer) = self.consumer(to, id) else { return Ok(()) };
        let letters = consumer.held.iter().filter(|(_, held)| held.letter && held.handled);
        let mut places: Vec<_> = letters.map(|(place, _)| *place).collect();
        let events = consumer.held.iter().filter(|(_, held)| !held.letter);
        let last = events.take_while(|(_, held)| held.handled).last().map(|(place, _)| *place);
        places.extend(last);
        for place in places {
            let Some(consumer) = self.consumer(to, id) else { return Ok(()) };
            match consumer.held.get(&place) {
                Some(held) if held.letter => drop(consumer.held.remove(&place)),
                Some(_) => consumer.held.retain(|at, held| held.letter || *at > place),
                // Taken away meanwhile.
                None => continue,
            }
            self.give(to, Input::Ack { consumer: id, place })?;
        }
        Ok(())
    }

    /// A consumer could not handle an event; from now on it holds nothing of its key.
    fn fail(&mut self, to: Address, id: ConsumerId, place: Place, held: Held) -> Result<(), Broken> {
        let Part::Runner(subscription) = to.part else { return Ok(()) };
        let verdict = match self.chances.consumers.below(6) {
            0 => Verdict::Skip,
            1 | 2 => Verdict::Park,
            _ => Verdict::Retry { after_ms: self.chances.consumers.between(0, 400) },
        };
        if let (Some(Bug::RetrySkipsTheQueue), Verdict::Retry { after_ms }) = (self.bug, verdict) {
            self.after(after_ms + 100, Event::Aside { to, place, held });
            if let Some(held) = self.consumer(to, id).and_then(|consumer| consumer.held.get_mut(&place)) {
                held.handled = true;
            }
            return self.acknowledge(to, id);
        }
        self.say(|| format!("node {} sub {subscription}: {id:?} fails at {place}: {verdict:?}", to.node));
        let Some(consumer) = self.consumer(to, id) else { return Ok(()) };
        if held.letter {
            consumer.held.remove(&place);
        } else {
            consumer.held.retain(|_, other| other.letter || other.key != held.key);
        }
        if verdict == Verdict::Skip {
            self.oracle.subscriptions[subscription].skipped(place, held.key, held.epoch);
        }
        let at = Timestamp::from_micros(i64::try_from(self.now * 1000).unwrap_or(i64::MAX));
        self.give(to, Input::Fail { consumer: id, place, verdict, error: "no".into(), at })
    }

    /// A consumer is gone, perhaps after it has done something that nobody will hear of.
    fn vanish(&mut self, to: Address, id: ConsumerId, next: &Next) -> Result<(), Broken> {
        self.count("vanished consumer");
        if let Next::Handle(place, held) = next
            && self.chances.consumers.one_in(2)
        {
            self.handle(to, id, *place, *held)?;
        }
        if let Some(runner) = self.runner(to) {
            runner.consumers.remove(&id);
        }
        let after = self.chances.consumers.between(10, 1000);
        self.after(after, Event::Join { to });
        self.give(to, Input::Leave { consumer: id })
    }

    /// What a bug has kept aside is handled at last, if its node still is there.
    pub(super) fn aside(&mut self, to: Address, place: Place, held: Held) -> Result<(), Broken> {
        let Part::Runner(subscription) = to.part else { return Ok(()) };
        if self.runner(to).is_none() {
            return Ok(());
        }
        self.say(|| format!("node {} sub {subscription}: {place} is handled at last", to.node));
        let books = &mut self.oracle.subscriptions[subscription];
        books.handled(&self.oracle.log, place, held.key, held.epoch)
    }
}
