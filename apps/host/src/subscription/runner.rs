//! The runner of a subscription: carries out what the machine says, and tells it what became of it. It decides nothing itself.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        mpsc, oneshot, watch,
    },
    time::{Instant, sleep_until},
};
use umbel_core::{
    Place, Position,
    store::LeaseState,
    subscription::{
        Change, ConsumerId, Effect, Input, JoinError, Machine, Millis, NodeId, Options, Reach, Source,
        SubscriptionName,
    },
};

use super::{
    consumers::{Command, Consumers, Event, Join, NotHeld},
    effects::{Backend, Done, Work},
    view::Told,
};

/// How many words of consumers are heard before anything else has its turn.
const COMMANDS_AT_ONCE: usize = 64;

/// Runs one subscription in this process, until its last consumer has left.
pub(crate) struct Runner {
    machine: Machine<Event>,
    options: Options,
    backend: Backend,
    told: Arc<Told>,
    poll: Duration,
    commands: mpsc::Receiver<Command>,
    consumers: Consumers,
    /// Who is told at the very end that nothing is left to do.
    farewells: Vec<oneshot::Sender<()>>,
    /// Resolves with each consumer that is gone.
    leaving: FuturesUnordered<BoxFuture<'static, ConsumerId>>,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Whether somebody looks how far the source goes; and whether to look once more after that.
    looking: bool,
    look_again: bool,
    head: watch::Receiver<Position>,
    changes: broadcast::Receiver<Change>,
    /// Where the clock of the machine began.
    began: Instant,
    wake: Option<Millis>,
    /// When stopping in order has taken too long.
    stop_by: Option<Instant>,
    /// How all partitions stood when that was asked last.
    leases: Vec<LeaseState>,
    /// By kind of work, why it failed the last time.
    troubles: BTreeMap<Work, String>,
    /// Whether what it runs is there no more.
    gone: bool,
    stopped: bool,
}

/// What a subscription goes on from.
#[derive(Clone, Copy)]
pub(crate) enum Begin {
    /// From what the store keeps of the one that was opened.
    Kept {
        /// Which one of its name.
        incarnation: u64,
    },
    /// Behind this place, as a transient one.
    After(Place),
}

/// Why a runner has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Its last subscriber here has left.
    Left,
    /// What it ran is there no more.
    Gone,
}

/// What a runner is made of.
pub(crate) struct Parts {
    pub(crate) node: NodeId,
    pub(crate) options: Options,
    pub(crate) begin: Begin,
    pub(crate) backend: Backend,
    pub(crate) told: Arc<Told>,
    pub(crate) poll: Duration,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) head: watch::Receiver<Position>,
    pub(crate) changes: broadcast::Receiver<Change>,
}

/// What the machine said to a consumer's command.
#[derive(Default)]
struct Said {
    refused: Option<JoinError>,
    not_held: Vec<Place>,
}

impl Runner {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { node, options, begin, backend, told, poll, commands, head, changes } = parts;
        Self {
            machine: match begin {
                Begin::After(place) => Machine::transient(options.clone(), node, place),
                Begin::Kept { incarnation } => Machine::new(options.clone(), node, incarnation),
            },
            options,
            backend,
            told,
            poll,
            commands,
            consumers: Consumers::default(),
            farewells: Vec::new(),
            leaving: FuturesUnordered::new(),
            work: FuturesUnordered::new(),
            looking: false,
            look_again: false,
            head,
            changes,
            began: Instant::now(),
            wake: None,
            stop_by: None,
            leases: Vec::new(),
            troubles: BTreeMap::new(),
            gone: false,
            stopped: false,
        }
    }

    /// Runs it from its first consumer to its last, or until it is deleted.
    pub(crate) async fn run(&mut self, first: Join) -> Ended {
        self.join(first);
        self.give(Input::Tick);
        self.announced();
        self.tell();
        let mut next_look = Instant::now() + self.poll;
        while !self.stopped {
            let wake = self.wake.map(|at| self.began + Duration::from_millis(at));
            tokio::select! {
                biased;
                Some(command) = self.commands.recv() => self.obey(command),
                Some(done) = self.work.next() => self.done(done),
                Some(consumer) = self.leaving.next() => self.leave(consumer),
                () = at(wake) => {
                    self.wake = None;
                    self.give(Input::Tick);
                }
                () = at(self.stop_by) => {
                    tracing::warn!(subscription = %self.options.name, "not stopped in time; stopping at once");
                    self.stop_by = None;
                    self.give(Input::StopNow);
                }
                Ok(()) = self.head.changed() => self.announced(),
                () = changed(&mut self.changes, &self.options.name) => drop(self.give(Input::Changed)),
                () = sleep_until(next_look) => {
                    next_look = Instant::now() + self.poll;
                    self.look();
                }
            }
            // What consumers said meanwhile is told to others at once, and not one by one.
            for _ in 0..COMMANDS_AT_ONCE {
                let Ok(command) = self.commands.try_recv() else { break };
                self.obey(command);
            }
            self.tell();
        }
        if self.gone { Ended::Gone } else { Ended::Left }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Join(join) => self.join(join),
            Command::Ack { consumer, number, places, answer } => {
                // Before the machine hears of it, as it may send one of them again at once.
                let (places, mut not_held) = match self.consumers.given(consumer) {
                    Some(given) => given.handled(number, places),
                    None => (Vec::new(), places),
                };
                let said = self.give(Input::AckEach { consumer, places });
                if let Some(answer) = answer {
                    not_held.extend(said.not_held);
                    reply(answer, not_held);
                }
            }
            Command::Fail { consumer, number, place, key, verdict, error, at, answer } => {
                if !self.consumers.given(consumer).is_some_and(|given| given.is_current(place, number)) {
                    return reply(answer, Err(NotHeld));
                }
                let before = self.consumers.last_batch();
                let said = self.give(Input::Fail { consumer, place, verdict, error, at });
                if said.not_held.is_empty()
                    && let Some(given) = self.consumers.given(consumer)
                {
                    given.failed(key, before);
                }
                reply(answer, if said.not_held.is_empty() { Ok(before) } else { Err(NotHeld) });
            }
        }
    }

    fn join(&mut self, join: Join) {
        let Join { consumer, capacity, batches, left, gone, answer } = join;
        // Before the machine hears of it, as it may send something at once.
        self.consumers.add(consumer, batches, gone);
        let said = self.give(Input::Join { consumer, capacity });
        match said.refused {
            Some(error) => {
                self.consumers.remove(consumer);
                reply(answer, Err(error));
            }
            None => {
                // Its other end says nothing, it is dropped.
                self.leaving.push(left.map(move |_dropped| consumer).boxed());
                reply(answer, Ok(()));
            }
        }
        self.told.consumers.store(count(self.consumers.len()), Relaxed);
    }

    /// A consumer leaves. What it said before counts.
    fn leave(&mut self, consumer: ConsumerId) {
        while let Ok(command) = self.commands.try_recv() {
            self.obey(command);
        }
        for input in self.gone(consumer) {
            self.give(input);
        }
    }

    /// A consumer is gone, of its own will or not; what the machine is told. With the last one it stops.
    fn gone(&mut self, consumer: ConsumerId) -> Vec<Input<Event>> {
        let Some(gone) = self.consumers.remove(consumer) else { return Vec::new() };
        self.told.consumers.store(count(self.consumers.len()), Relaxed);
        let mut inputs = vec![Input::Leave { consumer }];
        if self.consumers.is_empty() && self.stop_by.is_none() {
            self.farewells.push(gone);
            self.stop_by = Some(Instant::now() + Duration::from_millis(self.options.lease_ms));
            inputs.push(Input::Stop);
        }
        inputs
    }

    fn done(&mut self, done: Done) {
        let Done { work, input, trouble } = done;
        if work == Work::Look {
            self.looking = false;
            if std::mem::take(&mut self.look_again) {
                self.look();
            }
        }
        match trouble {
            Some(error) => {
                tracing::warn!(subscription = %self.options.name, %work, %error, "trying again after a pause");
                self.troubles.insert(work, error);
            }
            None => {
                self.troubles.remove(&work);
            }
        }
        let first = self.troubles.iter().next().map(|(work, error)| format!("{work}: {error}"));
        replace(&self.told.held_up, first);
        if let Some(input) = input {
            self.give(input);
        }
    }

    /// The log goes further than before.
    fn announced(&mut self) {
        let head = *self.head.borrow_and_update();
        match self.backend.spec.source {
            Source::Log(_) => drop(self.give(Input::Head(head.into()))),
            // It may go on elsewhere: look.
            Source::Stream(_) => self.look(),
        }
    }

    fn look(&mut self) {
        if std::mem::replace(&mut self.looking, true) {
            self.look_again = true;
        } else {
            self.work.push(self.backend.clone().look().boxed());
        }
    }

    /// Gives the machine an input and does what it says.
    fn give(&mut self, input: Input<Event>) -> Said {
        let (mut said, mut inputs) = (Said::default(), VecDeque::from([input]));
        while let Some(input) = inputs.pop_front() {
            self.note(&input);
            let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            for effect in self.machine.step(now, input) {
                inputs.extend(self.carry_out(effect, &mut said));
            }
        }
        said
    }

    /// Does what the machine says; what is to be told to it at once.
    fn carry_out(&mut self, effect: Effect<Event>, said: &mut Said) -> Vec<Input<Event>> {
        let backend = self.backend.clone();
        let work = match effect {
            Effect::Lease(request) => backend.lease(request).boxed(),
            Effect::LoadParked { partition, epoch } => backend.parked_keys(partition, epoch).boxed(),
            Effect::Fetch { after, limit } => match backend.fetch_recent(after, limit) {
                Some(fetched) => return vec![fetched],
                None => backend.fetch(after, limit).boxed(),
            },
            Effect::Save(checkpoints) => {
                let (told, asked) = (Arc::clone(&self.told), checkpoints.clone());
                let save = backend.save(checkpoints);
                save.inspect(move |done| {
                    if let Some(Input::Saved { refused }) = &done.input {
                        told.has_saved(&asked, refused);
                    }
                })
                .boxed()
            }
            Effect::Park(parkings) => backend.park(parkings).boxed(),
            Effect::TakeLetters { partitions, limit } => {
                let epochs = self.machine.owned().map(|lease| (lease.partition, lease.epoch)).collect();
                backend.letters(partitions, limit, epochs).boxed()
            }
            Effect::Settle(settled) => backend.settle(settled).boxed(),
            Effect::Deliver { consumer, batch } => {
                if !self.consumers.send(consumer, batch) {
                    tracing::error!(subscription = %self.options.name, consumer = consumer.0,
                        "a consumer holds more than it can; it is taken for lost");
                    return self.gone(consumer);
                }
                return Vec::new();
            }
            Effect::Revoke { consumer, places } => {
                self.consumers.revoke(consumer, &places);
                return Vec::new();
            }
            Effect::Refuse { error, .. } => {
                said.refused = Some(error);
                return Vec::new();
            }
            Effect::NotHeld { place, .. } => {
                said.not_held.push(place);
                return Vec::new();
            }
            Effect::Wake { at } => {
                self.wake = Some(at);
                return Vec::new();
            }
            Effect::Gone => {
                self.gone = true;
                return Vec::new();
            }
            Effect::Stopped => {
                self.stopped = true;
                return Vec::new();
            }
        };
        self.work.push(work);
        Vec::new()
    }

    /// What the runner itself remembers of what happens.
    fn note(&mut self, input: &Input<Event>) {
        match input {
            Input::Leased(leases) => {
                self.leases = leases.partitions.clone();
                replace(&self.told.paused, Some(leases.paused));
                self.told.has_leased(&leases.partitions);
            }
            Input::Head(head) | Input::Fetched { head, .. } => {
                self.told.head.fetch_max(head.get(), Relaxed);
            }
            _ => {}
        }
    }

    /// Tells others how it stands.
    fn tell(&self) {
        let Reach { least, elsewhere } = Reach::of(self.machine.settled_to(), &self.leases);
        replace(&self.told.elsewhere, elsewhere);
        replace(&self.told.reached, Position::new(least.get()));
        *self.told.counters.lock().unwrap_or_else(PoisonError::into_inner) = self.machine.counters();
    }
}

/// Resolves when something was changed about this subscription, or may have been.
async fn changed(changes: &mut broadcast::Receiver<Change>, name: &SubscriptionName) {
    loop {
        match changes.recv().await {
            Ok(change) if change.concerns(name) => return,
            Ok(_other) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Tells those who wait for another value, if it is another one.
fn replace<T: PartialEq>(told: &watch::Sender<T>, now: T) {
    told.send_if_modified(|before| {
        let changed = *before != now;
        *before = now;
        changed
    });
}

/// Resolves at this moment; never without one.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Answers whoever asked, who may have gone: then nobody wants to know.
fn reply<T>(to: oneshot::Sender<T>, answer: T) {
    drop(to.send(answer).err());
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
