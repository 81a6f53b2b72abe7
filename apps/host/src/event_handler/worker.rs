//! The worker of a handler: its consumers, under one supervision.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::watch;
use umbel_bus::Bus;
use umbel_core::{EventSet, Place, store::Selector, subscription::SubscriptionName};
use umbel_supervision::{Restart, Worker, WorkerContext};

use super::{
    BatchHandler, EventHandler, HandlerOptions, HandlerStart,
    consumer::{Around, Consumer, Singly, Together, Way},
    failure::{AppPolicy, Memories, Policy},
    options::FailurePolicy,
    resets::Resets,
};
use crate::{
    settings::HostSettings,
    subscription::{Follower, Registry, Subscriber, Subscription, subscribe},
};

/// How soon a handler that callers wait for saves its checkpoints, unless it says itself: on other nodes they wait for these.
pub(crate) const STRONG_CHECKPOINT_MS: u64 = 20;

/// The worker of a handler of events.
pub(crate) fn worker<H: EventHandler>(
    app: &str,
    bus: Bus,
    settings: &HostSettings,
    policy: Option<AppPolicy>,
) -> Worker {
    make::<H, Singly>(app, bus, settings, (policy, false))
}

/// The worker of a handler of batches.
pub(crate) fn batch_worker<H: BatchHandler>(
    app: &str,
    bus: Bus,
    settings: &HostSettings,
    policy: Option<AppPolicy>,
) -> Worker {
    make::<H, Together>(app, bus, settings, (policy, true))
}

fn make<H: EventHandler, W: Way<H>>(
    app: &str,
    bus: Bus,
    settings: &HostSettings,
    (policy, batches): (Option<AppPolicy>, bool),
) -> Worker {
    bus.common::<Registry>().configure(&settings.subscriptions);
    let follower = Follower {
        owner: format!("{app}/{}", H::NAME).into(),
        name: H::NAME,
        strong: H::STRONG,
        events: H::Event::NAMES,
        waited_for: H::options().stream.is_none(),
    };
    let worker = Worker::new(H::NAME, move |context| {
        let (bus, follower, policy) = (bus.clone(), follower.clone(), policy.clone());
        async move {
            let ended = run::<H, W>(bus.clone(), follower.clone(), context, (policy, batches)).await;
            if let Err(error) = &ended {
                follower.has_failed(&bus, error).await;
            }
            ended
        }
    });
    let worker = worker.restart(Restart::Independent);
    if H::options().own_thread { worker.own_thread() } else { worker }
}

async fn run<H: EventHandler, W: Way<H>>(
    bus: Bus,
    follower: Follower,
    context: WorkerContext,
    (app, batches): (Option<AppPolicy>, bool),
) -> anyhow::Result<()> {
    let options = H::options();
    let concurrency = options.concurrency.unwrap_or(1).max(1);
    let policy = match options.policy {
        Some(said) => Policy { said, app: None },
        None => Policy { said: FailurePolicy::of(&bus.common::<Registry>().settings()), app },
    };
    let head = head(&bus, &options).await?;
    let memories = Arc::<Memories>::default();
    let (halt, halted) = watch::channel(false);
    let subscription = subscription::<H>(options, concurrency, batches)?;
    let resets = bus.common::<Resets>();
    let (mut subscribers, mut resets_told) = (Vec::new(), Vec::new());
    for number in 0..concurrency {
        let subscriber = subscribe(&bus, subscription.clone()).await?;
        resets_told.push(resets.told(&bus, (H::NAME, number), &subscriber.link).await?);
        subscribers.push(subscriber);
    }
    let told = subscribers.first().map(|subscriber| Arc::clone(&subscriber.link.told)).unwrap_or_default();
    let lasts = follower.begins(&bus, &told).await?;
    let kept_as = subscribers.first().map_or_else(|| H::NAME.into(), Subscriber::kept_as);
    let start = HandlerStart { bus: bus.clone(), head, kept_as };
    context.ready();
    let around = Around { start, policy, memories, resets, stopping: context.stopping(), halted, number: 0 };
    let consumers = (0..).zip(subscribers).zip(resets_told).map(|((number, subscriber), told)| {
        let consumer = Consumer::<H>::new(Around { number, ..around.clone() }, told);
        let halt = &halt;
        // When one of them fails the others end what they have in hand, so that nothing is broken off.
        async move {
            let consumed = consumer.consume::<W>(subscriber).await;
            if consumed.is_err() {
                halt.send_replace(true);
            }
            consumed
        }
    });
    tokio::select! {
        ended = join_all(consumers) => ended.into_iter().collect(),
        failed = lasts => failed,
    }
}

/// The subscription of a handler.
fn subscription<H: EventHandler>(
    options: HandlerOptions,
    concurrency: u32,
    batches: bool,
) -> anyhow::Result<Subscription> {
    let HandlerOptions { start, stream, categories, partitions, key, batch, batch_within, .. } = options;
    let subscription = Subscription::of(SubscriptionName::new(H::NAME)?).start(start).consumers(concurrency);
    let mut subscription = match stream {
        Some(stream) => subscription
            .stream(stream)
            .filter(|event| H::Event::NAMES.iter().any(|name| event.event_type.name == *name)),
        None => {
            let names = H::Event::NAMES.iter().map(|&name| name.to_owned()).collect();
            subscription.log(Selector { names: Some(names), categories, ..Selector::all() })
        }
    };
    if let Some(partitions) = partitions {
        subscription = subscription.partitions(partitions);
    }
    if let Some(key) = key {
        subscription = subscription.key(move |event| key(event));
    }
    let tuning = &mut subscription.tuning;
    if batches {
        (tuning.batch, tuning.batch_within) = (batch, batch_within);
    }
    tuning.ahead = options.ahead;
    match options.checkpoint {
        Some((after, within)) => {
            (tuning.checkpoint_after, tuning.checkpoint_within) = (Some(after), Some(within));
        }
        None if H::STRONG => {
            tuning.checkpoint_within = Some(std::time::Duration::from_millis(STRONG_CHECKPOINT_MS));
        }
        None => {}
    }
    Ok(subscription)
}

/// The last place of what the handler follows.
async fn head(bus: &Bus, options: &HandlerOptions) -> anyhow::Result<Place> {
    crate::subscription::head(&bus.store(), options.stream.as_ref()).await.map_err(Into::into)
}
