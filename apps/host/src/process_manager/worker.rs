//! The worker of a process manager: its subscription, and the router behind it.

use std::{rc::Rc, sync::Arc, time::Duration};

use umbel_bus::Bus;
use umbel_core::{EventSet, ProcessManager, store::Selector, subscription::SubscriptionName};
use umbel_supervision::{Restart, Worker, WorkerContext};

use super::{
    clerk::Surroundings,
    router::{Bounds, Router},
};
use crate::{
    event_handler::{FailurePolicy, Pauses, STRONG_CHECKPOINT_MS},
    settings::HostSettings,
    subscription::{Follower, Registry, Subscription, subscribe},
};

/// The worker of a process manager.
pub(crate) fn worker<P: ProcessManager>(app: &str, bus: Bus, settings: &HostSettings) -> Worker {
    bus.common::<Registry>().configure(&settings.subscriptions);
    let settings = settings.clone();
    let follower = Follower {
        owner: format!("{app}/{}", P::NAME).into(),
        name: P::NAME,
        strong: P::STRONG,
        events: P::Event::NAMES,
        waited_for: true,
    };
    let worker = Worker::new(P::NAME, move |context| {
        let (bus, follower, settings) = (bus.clone(), follower.clone(), settings.clone());
        async move {
            let ended = run::<P>(bus.clone(), follower.clone(), settings, context).await;
            if let Err(error) = &ended {
                follower.has_failed(&bus, error).await;
            }
            ended
        }
    });
    worker.restart(Restart::Independent)
}

async fn run<P: ProcessManager>(
    bus: Bus,
    follower: Follower,
    settings: HostSettings,
    context: WorkerContext,
) -> anyhow::Result<()> {
    let options = P::options();
    let bounds = Bounds {
        ahead: options.ahead.unwrap_or(settings.process_events_max).max(1),
        instances: settings.process_instances_max,
        idle: options.idle.unwrap_or(settings.process_idle()),
        poll: settings.process_poll(),
    };
    let subscriptions = bus.common::<Registry>().settings();
    let (min, max) = (subscriptions.retry_min_ms, subscriptions.retry_max_ms);
    let subscriber = subscribe(&bus, subscription::<P>(bounds.ahead)?).await?;
    let lasts = follower.begins(&bus, &subscriber.link.told).await?;
    context.ready();
    let told = Arc::clone(&subscriber.link.told);
    told.failing.begin();
    let around = Surroundings {
        kept_as: subscriber.kept_as(),
        store: bus.store(),
        bus,
        options,
        policy: FailurePolicy::of(&subscriptions),
        pauses: Pauses { min: Duration::from_millis(min), max: Duration::from_millis(max) },
        patience: settings.process_patience(),
        stopping: context.stopping(),
        told,
    };
    tokio::select! {
        ended = Router::<P>::new(Rc::new(around), bounds).run(subscriber) => ended,
        failed = lasts => failed,
    }
}

/// The subscription of a process manager.
fn subscription<P: ProcessManager>(ahead: u32) -> anyhow::Result<Subscription> {
    let options = P::options();
    let names = P::Event::NAMES.iter().map(|&name| name.to_owned()).collect();
    let selector = Selector { names: Some(names), categories: options.categories, ..Selector::all() };
    let subscription = Subscription::of(SubscriptionName::new(P::NAME)?).start(options.start).log(selector);
    let mut subscription = subscription.ahead(ahead).key(P::key);
    if let Some(partitions) = options.partitions {
        subscription = subscription.partitions(partitions);
    }
    if P::STRONG {
        subscription = subscription.checkpoint_within(Duration::from_millis(STRONG_CHECKPOINT_MS));
    }
    Ok(subscription)
}
