//! Which subscriptions run in this process: consumers with one name share one runner.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc, oneshot, watch},
    time::timeout,
};
use umbel_bus::{Bus, edge};
use umbel_core::{
    Place,
    store::{OpenError, OpenSubscription, StoreError},
    subscription::{ConsumerId, JoinError, NodeId, Options, Source, Start, SubscriptionName},
};
use umbel_supervision::describe_panic;

use super::{
    consumers::{Command, Join, Sent},
    effects::Backend,
    held::Held,
    runner::{Begin, Ended, Parts, Runner},
    settings::SubscriptionSettings,
    spec::{Spec, Subscription},
    subscriber::{Link, Subscriber},
    view::{SubscriptionView, Told},
};

/// What consumers say and the runner has not heard yet, at most; further ones wait to say it.
const COMMANDS_MAX: usize = 256;

/// Batches that one consumer may have without having looked at them, half of them taken from it again.
const BATCHES_MAX: usize = 1 << 16;

/// The runners of one bus.
pub(crate) struct Registry {
    /// The node that its runners are, as long as none of them had to be given up.
    node: NodeId,
    consumers: AtomicU64,
    settings: Mutex<SubscriptionSettings>,
    slots: Mutex<BTreeMap<SubscriptionName, Arc<Slot>>>,
}

/// Where the runner of a name is, if there is one. Whoever starts or joins one holds it meanwhile.
#[derive(Default)]
struct Slot {
    live: AsyncMutex<Running>,
    told: Mutex<Option<Arc<Told>>>,
}

/// What runs in a slot.
#[derive(Default)]
struct Running {
    live: Option<Live>,
    /// As which node, if not as that of the registry. A runner that has ended for sure leaves its leases to the next one, which is the
    /// same node; one that was given up may wake any time, and must share neither leases nor epochs with the one in its place.
    node: Option<NodeId>,
}

/// A runner.
struct Live {
    source: Source,
    options: Options,
    commands: mpsc::Sender<Command>,
    told: Arc<Told>,
    ended: Arc<OnceLock<String>>,
    /// Closed when it has ended.
    running: watch::Receiver<()>,
}

/// Why there is no subscriber.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store could not say where it begins. Try again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are as many consumers as it takes.
    #[error("subscription {name}: {error}")]
    Join {
        /// Its name.
        name: SubscriptionName,
        /// Why not.
        error: JoinError,
    },
    /// Consumers of one name in one process follow the same, in the same way.
    #[error(
        "subscription {name} runs here already, in another way: {running} instead of {asked}; give one of them another name"
    )]
    Differs {
        /// Its name.
        name: SubscriptionName,
        /// What it follows, and how.
        running: String,
        /// What was asked for.
        asked: String,
    },
}

/// Joins a subscription: makes it in the store if it is not there yet, and runs it in this process if it does not run yet. All
/// subscribers with one name in a process share its events; so do those of other nodes, partition by partition.
///
/// It runs on the thread of whoever subscribes first. When that thread is blocked, its partitions go to other nodes once the lease has
/// run out; and whoever subscribes here meanwhile waits for as long as a lease lasts, and then runs it anew on his own thread.
///
/// # Errors
/// See [`SubscribeError`].
///
/// # Panics
/// Outside a tokio runtime.
pub async fn subscribe<T>(bus: &Bus, subscription: Subscription<T>) -> Result<Subscriber<T>, SubscribeError> {
    let Subscription { spec, tuning, map } = subscription;
    let registry = bus.common::<Registry>();
    let settings = registry.settings();
    let options = tuning.options(spec.name.clone(), &settings);
    let capacity = tuning.capacity(&options);
    let consumer = ConsumerId(registry.consumers.fetch_add(1, Relaxed));
    let asked = Asked { consumer, capacity };
    let Joined { link, batches, staying, gone } = registry.join(bus, spec, options, asked, &settings).await?;
    Ok(Subscriber { link, batches, staying, gone, map })
}

/// What the subscriptions of this process tell of themselves, by name; handlers and process managers that have failed, or cannot begin, too.
/// Transient ones tell nothing.
#[must_use]
pub fn subscriptions(bus: &Bus) -> Vec<SubscriptionView> {
    let registry = bus.common::<Registry>();
    let told: Vec<_> = registry.slots().iter().map(|(name, slot)| (name.clone(), slot.told())).collect();
    let mut views = told.into_iter().filter_map(|(name, told)| Some(told?.view(name))).collect();
    bus.common::<Held>().tell(&mut views);
    views.sort_by(|one, other| one.name.cmp(&other.name));
    views
}

/// A consumer that wants to join.
#[derive(Clone, Copy)]
struct Asked {
    consumer: ConsumerId,
    capacity: u32,
}

/// Its own ends of the ways between it and the runner.
struct Door {
    batches: mpsc::Receiver<Sent>,
    staying: oneshot::Sender<()>,
    gone: oneshot::Receiver<()>,
    said: oneshot::Receiver<Result<(), JoinError>>,
}

/// A consumer that has joined.
struct Joined {
    link: Link,
    batches: mpsc::Receiver<Sent>,
    staying: oneshot::Sender<()>,
    gone: oneshot::Receiver<()>,
}

impl Asked {
    fn knock(self) -> (Join, Door) {
        let Self { consumer, capacity } = self;
        // A batch has an event at least, so there is room for all that a consumer may hold, and for some that was taken from it.
        let room = usize::try_from(capacity).unwrap_or(usize::MAX).min(BATCHES_MAX);
        let (batches, received) = mpsc::channel(room.saturating_mul(2));
        let (gone, is_gone) = oneshot::channel();
        let (staying, left) = oneshot::channel();
        let (answer, said) = oneshot::channel();
        let join = Join { consumer, capacity, batches, left, gone, answer };
        (join, Door { batches: received, staying, gone: is_gone, said })
    }
}

impl Registry {
    /// The settings for those that say nothing else.
    pub(crate) fn configure(&self, settings: &SubscriptionSettings) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings.clone();
    }

    pub(crate) fn settings(&self) -> SubscriptionSettings {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<SubscriptionName, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot of a name. Those that nobody uses any more go.
    fn slot(&self, name: &SubscriptionName) -> Arc<Slot> {
        let mut slots = self.slots();
        slots.retain(|_, slot| Arc::strong_count(slot) > 1 || slot.told().is_some());
        Arc::clone(slots.entry(name.clone()).or_default())
    }

    async fn join(
        &self,
        bus: &Bus,
        spec: Spec,
        options: Options,
        asked: Asked,
        settings: &SubscriptionSettings,
    ) -> Result<Joined, SubscribeError> {
        // A transient one is alone: it has a slot of its own that nobody else finds.
        let slot = if options.durable { self.slot(&spec.name) } else { Arc::default() };
        let mut running = slot.live.lock().await;
        if let Some(live) = running.live.as_ref() {
            let patience = Duration::from_millis(options.lease_ms);
            let answered = timeout(patience, live.join(&spec, &options, asked)).await;
            let has_ended = match answered {
                Ok(Err(SubscribeError::Join { error: JoinError::Stopping, .. })) => {
                    // It takes as long to stop as a lease lasts, at most, and then some to say that it has.
                    timeout(patience * 2, live.ended()).await.is_ok()
                }
                Ok(joined) => return joined,
                Err(_) => false,
            };
            if !has_ended {
                tracing::error!(subscription = %spec.name, "its runner does not answer, as if its thread were blocked; \
                    another one takes its place here, and waits for its leases to run out");
                running.node = Some(NodeId(edge::fresh_id()));
            }
            running.live = None;
        }
        let node = running.node.unwrap_or(self.node);
        let (live, door) = self.start(bus, spec, options, asked, settings, (&slot, node)).await?;
        // Known before it has answered, so that nobody starts another one if this is not waited for.
        running.live.insert(live).admit(asked, door).await
    }

    /// Starts a runner with its first consumer.
    async fn start(
        &self,
        bus: &Bus,
        spec: Spec,
        options: Options,
        asked: Asked,
        settings: &SubscriptionSettings,
        (slot, node): (&Arc<Slot>, NodeId),
    ) -> Result<(Live, Door), SubscribeError> {
        let (spec, store) = (Arc::new(spec), bus.store());
        let backend = Backend { store, spec: Arc::clone(&spec) };
        let (begin, told) = open(&backend, &options).await?;
        let (commands, heard) = mpsc::channel(COMMANDS_MAX);
        let (running, is_running) = watch::channel(());
        let (told, ended) = (Arc::new(told), Arc::<OnceLock<String>>::default());
        let live = Live {
            source: spec.source.clone(),
            options: options.clone(),
            commands,
            told: Arc::clone(&told),
            ended: Arc::clone(&ended),
            running: is_running,
        };
        let mut runner = Runner::new(Parts {
            node,
            options,
            begin,
            backend,
            told: Arc::clone(&told),
            poll: settings.poll(),
            commands: heard,
            head: bus.head(),
            changes: bus.changes(),
        });
        let (first, door) = asked.knock();
        slot.tell(Arc::clone(&told));
        // Whatever ends the runner, also the end of its thread, is noticed by what it held being dropped.
        let at_the_end = AtTheEnd { slot: Arc::clone(slot), told, _running: running };
        tokio::spawn(async move {
            let outcome = AssertUnwindSafe(runner.run(first)).catch_unwind().await;
            let reason = match outcome {
                Ok(Ended::Left) => "its last subscriber here has left".to_owned(),
                Ok(Ended::Gone) => {
                    tracing::warn!(subscription = %spec.name, "a subscription that runs here was deleted");
                    "it was deleted, and may have been made anew".to_owned()
                }
                Err(panic) => {
                    let cause = describe_panic(&*panic);
                    tracing::error!(subscription = %spec.name, cause, "a subscription has crashed; it begins anew");
                    format!("it crashed: {cause}")
                }
            };
            // Said before its consumers can notice.
            drop(ended.set(reason));
            drop((runner, at_the_end));
        });
        Ok((live, door))
    }
}

/// Opens a durable subscription, or resolves where a transient one begins. And what there is to tell of it before it runs.
async fn open(backend: &Backend, options: &Options) -> Result<(Begin, Told), SubscribeError> {
    let spec = &backend.spec;
    if options.durable {
        let stream = match &spec.source {
            Source::Stream(stream) => Some(stream.clone()),
            Source::Log(_) => None,
        };
        let request = OpenSubscription {
            name: spec.name.clone(),
            partitions: options.partitions.max(1),
            start: spec.start,
            stream,
            source: spec.source.to_string(),
        };
        // What is stored counts.
        let kept = backend.store.open_subscription(request).await?;
        let incarnation = kept.incarnation;
        return Ok((Begin::Kept { incarnation }, Told::of(kept.kept_as.into(), incarnation)));
    }
    let after = match spec.start {
        Start::Origin => Place::START,
        Start::Current => backend.head().await?,
        Start::After(place) => place,
    };
    Ok((Begin::After(after), Told::of(spec.name.as_str().into(), 0)))
}

impl Live {
    /// Lets a further consumer join. A runner that has ended is as good as one that is stopping.
    async fn join(&self, spec: &Spec, options: &Options, asked: Asked) -> Result<Joined, SubscribeError> {
        if self.source != spec.source || self.options != *options {
            let tell = |source: &Source, options: &Options| format!("{source} with {options:?}");
            return Err(SubscribeError::Differs {
                name: spec.name.clone(),
                running: tell(&self.source, &self.options),
                asked: tell(&spec.source, options),
            });
        }
        let (join, door) = asked.knock();
        // If it has ended, the door stays shut.
        drop(self.commands.send(Command::Join(join)).await);
        self.admit(asked, door).await
    }

    /// Resolves when it has ended.
    async fn ended(&self) {
        let mut running = self.running.clone();
        // An error says so.
        while running.changed().await.is_ok() {}
    }

    async fn admit(&self, asked: Asked, door: Door) -> Result<Joined, SubscribeError> {
        let Door { batches, staying, gone, said } = door;
        let name = self.options.name.clone();
        match said.await.unwrap_or(Err(JoinError::Stopping)) {
            Ok(()) => {}
            Err(error) => return Err(SubscribeError::Join { name, error }),
        }
        let link = Link {
            name,
            consumer: asked.consumer,
            commands: self.commands.clone(),
            hands: Arc::default(),
            told: Arc::clone(&self.told),
            ended: Arc::clone(&self.ended),
        };
        Ok(Joined { link, batches, staying, gone })
    }
}

/// Kept by a runner's task: dropped when it ends, however it does.
struct AtTheEnd {
    slot: Arc<Slot>,
    told: Arc<Told>,
    _running: watch::Sender<()>,
}

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        self.slot.untell(&self.told);
    }
}

impl Slot {
    fn told(&self) -> Option<Arc<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, told: Arc<Told>) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
    }

    /// Nothing is told any more, unless another runner has begun to.
    fn untell(&self, told: &Arc<Told>) {
        let mut telling = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        telling.take_if(|now| Arc::ptr_eq(now, told));
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            node: NodeId(edge::fresh_id()),
            consumers: AtomicU64::default(),
            settings: Mutex::default(),
            slots: Mutex::default(),
        }
    }
}
