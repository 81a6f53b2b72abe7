//! Consumers: they handle what they hold in its order, acknowledge it sooner or later, fail, dawdle, and vanish.

use umbel_core::{
    Place, Timestamp,
    subscription::{ConsumerId, Hands, Held, Input, Verdict},
};

use super::World;
use crate::{
    bug::Bug,
    node::{Batch, Command, Consumer, Work},
    oracle::Broken,
    schedule::{Address, Event, Part},
};

impl Consumer {
    /// Takes in what has arrived, but for what will be sent again.
    fn take_in(&mut self) {
        while let Some(Batch { number, mut deliveries, epochs }) = self.inbox.pop_front() {
            let work = |place| Some(Work { epoch: *epochs.get(&place)?, handled: false });
            self.hands.take(number, &mut deliveries, work);
        }
    }

    /// The next event to handle.
    fn next(&self) -> Option<(Place, Held<Work>)> {
        let open = self.hands.iter().find(|(_, held)| !held.kept.handled);
        open.map(|(place, held)| (place, *held))
    }
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

    /// A consumer that holds something, or will, does something with it after a moment.
    pub(super) fn make_busy(&mut self, at: Address, id: ConsumerId) {
        let think = if self.quiet { 1 } else { self.chances.consumers.between(1, 40) };
        let Some(consumer) = self.consumer(at, id) else { return };
        if consumer.busy || consumer.hands.is_empty() && consumer.inbox.is_empty() {
            return;
        }
        consumer.busy = true;
        self.after(think, Event::Work { to: at, consumer: id });
    }

    /// A consumer does one thing with what it holds.
    pub(super) fn work(&mut self, to: Address, id: ConsumerId) -> Result<(), Broken> {
        let Some(consumer) = self.consumer(to, id) else { return Ok(()) };
        consumer.busy = false;
        consumer.take_in();
        if consumer.hands.is_empty() {
            return Ok(());
        }
        let next = consumer.next();
        if self.chances.consumers.happens(self.shape.faults.consumer_odd) {
            return self.be_odd(to, id, next);
        }
        match next {
            Some((place, held)) if self.chances.consumers.happens(self.shape.faults.consumer_fails) => {
                self.fail(to, id, place, held);
            }
            Some((place, held)) => {
                self.handle(to, id, place, held)?;
                if self.chances.consumers.below(3) > 0 {
                    self.acknowledge(to, id);
                }
            }
            None => self.acknowledge(to, id),
        }
        self.make_busy(to, id);
        Ok(())
    }

    /// A consumer takes its time, or is gone, perhaps after it has done something that nobody will hear of.
    fn be_odd(
        &mut self,
        to: Address,
        id: ConsumerId,
        next: Option<(Place, Held<Work>)>,
    ) -> Result<(), Broken> {
        if self.chances.consumers.one_in(2) {
            self.count("slow consumer");
            let after = self.chances.consumers.between(500, 5000);
            if let Some(consumer) = self.consumer(to, id) {
                consumer.busy = true;
            }
            self.after(after, Event::Work { to, consumer: id });
            return Ok(());
        }
        self.count("vanished consumer");
        if let Some((place, held)) = next.filter(|_| self.chances.consumers.one_in(2)) {
            self.handle(to, id, place, held)?;
        }
        if let Some(consumer) = self.consumer(to, id) {
            consumer.hands = Hands::default();
            consumer.inbox.clear();
            consumer.busy = true;
        }
        self.tell_runner(to, id, Command::Leave);
        let after = self.chances.consumers.between(10, 1000);
        self.after(after, Event::Join { to });
        Ok(())
    }

    fn handle(&mut self, to: Address, id: ConsumerId, place: Place, held: Held<Work>) -> Result<(), Broken> {
        let Part::Runner(subscription) = to.part else { return Ok(()) };
        self.say(|| format!("{to}: {id:?} handles {place} of {:?}", held.key));
        if let Some(consumer) = self.consumer(to, id) {
            consumer.hands.keep(place, Work { handled: true, ..held.kept });
        }
        let books = &mut self.oracle.subscriptions[subscription];
        books.handled(&self.oracle.log, place, held.key, held.kept.epoch)
    }

    /// A consumer says what it has handled, each event by itself: others may be on their way to it.
    fn acknowledge(&mut self, to: Address, id: ConsumerId) {
        let Some(consumer) = self.consumer(to, id) else { return };
        let handled = consumer.hands.iter().filter(|(_, held)| held.kept.handled);
        let handled: Vec<_> = handled.map(|(place, held)| (place, held.number)).collect();
        for (place, number) in &handled {
            consumer.hands.done(*number, &[*place]);
        }
        if !handled.is_empty() {
            self.tell_runner(to, id, Command::Ack(handled));
        }
    }

    /// A consumer could not handle an event; until it is answered it does nothing else.
    fn fail(&mut self, to: Address, id: ConsumerId, place: Place, held: Held<Work>) {
        let verdict = match self.chances.consumers.below(6) {
            0 => Verdict::Skip,
            1 | 2 => Verdict::Park,
            _ => Verdict::Retry { after_ms: self.chances.consumers.between(0, 400) },
        };
        if let (Some(Bug::RetrySkipsTheQueue), Verdict::Retry { after_ms }) = (self.bug, verdict) {
            let number = held.number;
            self.after(after_ms + 100, Event::Aside { to, place, held });
            if let Some(consumer) = self.consumer(to, id) {
                consumer.hands.done(number, &[place]);
            }
            self.tell_runner(to, id, Command::Ack(vec![(place, number)]));
            return;
        }
        if let Some(consumer) = self.consumer(to, id) {
            consumer.busy = true;
        }
        self.tell_runner(to, id, Command::Fail(place, held, verdict));
    }

    fn tell_runner(&mut self, to: Address, id: ConsumerId, command: Command) {
        let Some(runner) = self.runner(to) else { return };
        runner.commands.push_back((id, command));
        let after = if self.chances.consumers.one_in(4) { self.delay() } else { 0 };
        self.after(after, Event::Obey { to });
    }

    /// A runner hears the first of what consumers have said.
    pub(super) fn obey(&mut self, to: Address) -> Result<(), Broken> {
        let Some((id, command)) = self.runner(to).and_then(|runner| runner.commands.pop_front()) else {
            return Ok(());
        };
        let Some(consumer) = self.consumer(to, id) else { return Ok(()) };
        match command {
            Command::Ack(handled) => {
                let done =
                    handled.into_iter().map(|(place, number)| consumer.given.handled(number, vec![place]).0);
                let places = done.flatten().collect();
                self.give(to, Input::AckEach { consumer: id, places })
            }
            Command::Leave => {
                if let Some(runner) = self.runner(to) {
                    runner.consumers.remove(&id);
                }
                self.give(to, Input::Leave { consumer: id })
            }
            Command::Fail(place, held, verdict) => self.failed(to, id, (place, held), verdict),
        }
    }

    /// An event has failed: from now on the consumer holds nothing of its key.
    fn failed(
        &mut self,
        to: Address,
        id: ConsumerId,
        (place, held): (Place, Held<Work>),
        verdict: Verdict,
    ) -> Result<(), Broken> {
        let Part::Runner(subscription) = to.part else { return Ok(()) };
        let Some(runner) = self.runner(to) else { return Ok(()) };
        let before = runner.batches;
        let Some(consumer) = runner.consumers.get_mut(&id) else { return Ok(()) };
        let is_given = consumer.given.is_current(place, held.number);
        if is_given {
            consumer.given.failed(held.key, before);
            consumer.hands.failed(held.key, before);
        } else {
            // It was taken away before the word came, and so was what the consumer still has of the key: it lets go of that, as it
            // will not handle anything behind what has failed.
            let Consumer { given, hands, .. } = consumer;
            hands.retain(|at, other| other.key != held.key || given.is_current(at, other.number));
        }
        consumer.busy = false;
        if is_given && verdict == Verdict::Skip {
            self.oracle.subscriptions[subscription].skipped(place, held.key, held.kept.epoch);
        }
        let at = Timestamp::from_micros(i64::try_from(self.now * 1000).unwrap_or(i64::MAX));
        self.make_busy(to, id);
        if !is_given {
            // The runner answers that it is not held, and the machine hears nothing of it.
            return Ok(());
        }
        self.give(to, Input::Fail { consumer: id, place, verdict, error: "no".into(), at })
    }

    /// What a bug has kept aside is handled at last, if its node still is there.
    pub(super) fn aside(&mut self, to: Address, place: Place, held: Held<Work>) -> Result<(), Broken> {
        let Part::Runner(subscription) = to.part else { return Ok(()) };
        if self.runner(to).is_none() {
            return Ok(());
        }
        self.say(|| format!("{to}: {place} is handled at last"));
        let books = &mut self.oracle.subscriptions[subscription];
        books.handled(&self.oracle.log, place, held.key, held.kept.epoch)
    }
}
