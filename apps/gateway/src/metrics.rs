//! `GET /metrics`: numbers for Prometheus, at an address of their own, so that whoever may call the API need not see them.

mod settings;
mod text;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};
use tokio::time::Instant;
use umbel_bus::{Bus, Contact, PeerView, Progress, Reached, SubscriptionView, Tallied};
use umbel_core::store::{ListSubscriptions, StoreError};
use umbel_supervision::{Worker, WorkerContext, cannot_listen};

pub use self::settings::MetricsSettings;
use self::text::{Kind, Text};
use crate::server::{BoundAddress, until_stopped};

/// Subscriptions that are asked for at once.
const PAGE: u32 = 100;

/// Tells of the subscriptions of this process: also of what follows one stream, which the bus does not know.
#[derive(Clone)]
pub struct SubscriptionsHere(Arc<dyn Fn() -> Vec<SubscriptionHere> + Send + Sync>);

/// What is told of one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionHere {
    /// Its name.
    pub name: String,
    /// Whether something keeps it from going on.
    pub held_up: bool,
    /// Timers that failed here and are to be tried again, if it is a process manager's.
    pub failing_timers: Option<u64>,
}

impl SubscriptionsHere {
    /// That is what this says.
    pub fn new(tell: impl Fn() -> Vec<SubscriptionHere> + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// What is told now.
    #[must_use]
    pub fn told(&self) -> Vec<SubscriptionHere> {
        self.0()
    }
}

impl fmt::Debug for SubscriptionsHere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionsHere").finish_non_exhaustive()
    }
}

/// Serves the numbers as a child of a supervision tree; no child when the settings name no address.
#[must_use]
pub fn worker(
    settings: MetricsSettings,
    bus: Bus,
    here: SubscriptionsHere,
    bound: BoundAddress,
) -> Option<Worker> {
    settings.address?;
    let start = move |context| serve(settings.clone(), bus.clone(), here.clone(), bound.clone(), context);
    Some(Worker::new("metrics", start))
}

/// What an answer is made of.
#[derive(Clone, Debug)]
struct Source {
    bus: Bus,
    here: SubscriptionsHere,
    deadline: Duration,
    subscriptions_max: u32,
    /// Whether somebody is being answered: those who ask meanwhile would only slow down each other.
    busy: Arc<AtomicBool>,
}

/// What the store says, as far as it was asked.
#[derive(Debug, Default)]
struct Seen {
    subscriptions: Vec<SubscriptionView>,
    /// Whether it said all: it was there, and there are no more subscriptions than are asked for.
    complete: bool,
}

async fn serve(
    settings: MetricsSettings,
    bus: Bus,
    here: SubscriptionsHere,
    bound: BoundAddress,
    context: WorkerContext,
) -> Result<()> {
    let MetricsSettings { address, deadline_ms, subscriptions_max } = settings;
    // After a restart the port that was taken at first is kept: whoever reads the numbers knows it by now.
    let address = bound.get().or(address).context("there is no address for the metrics")?;
    let deadline = Duration::from_millis(deadline_ms);
    let source = web::Data::new(Source { bus, here, deadline, subscriptions_max, busy: Arc::default() });
    let server = HttpServer::new(move || {
        App::new().app_data(source.clone()).service(web::resource("/metrics").route(web::get().to(metrics)))
    })
    .workers(1)
    .shutdown_timeout(deadline.as_secs() + 1)
    .disable_signals()
    .bind(address)
    .map_err(|error| cannot_listen(address, "metrics", error))?;
    let listening = server.addrs().first().copied().unwrap_or(address);
    bound.set(listening);
    tracing::info!("metrics on http://{listening}/metrics");
    until_stopped(server.run(), context, "server of the metrics").await
}

async fn metrics(source: web::Data<Source>) -> HttpResponse {
    if source.busy.swap(true, Ordering::AcqRel) {
        return HttpResponse::ServiceUnavailable().insert_header(("Retry-After", "1")).finish();
    }
    let _answering = Answering(Arc::clone(&source.busy));
    let seen = source.see().await;
    HttpResponse::Ok().content_type(text::CONTENT_TYPE).body(told(&source.bus, &source.here, &seen))
}

/// While it lives somebody is being answered.
struct Answering(Arc<AtomicBool>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Source {
    /// A store that does not answer is no reason to keep the rest back.
    async fn see(&self) -> Seen {
        let mut seen = Seen::default();
        match self.subscriptions(&mut seen.subscriptions).await {
            Ok(complete) => seen.complete = complete,
            Err(error) => tracing::warn!(%error, "the metrics lack what the store did not say"),
        }
        seen
    }

    async fn subscriptions(&self, views: &mut Vec<SubscriptionView>) -> Result<bool, StoreError> {
        let store = self.bus.store().by(Instant::now() + self.deadline);
        let mut after = None;
        loop {
            let left = self.subscriptions_max - u32::try_from(views.len()).unwrap_or(self.subscriptions_max);
            // One more is asked for, to know whether there are more.
            let limit = left.saturating_add(1).min(PAGE);
            let page = store
                .view_subscriptions(ListSubscriptions { name: None, after: after.take(), limit })
                .await?;
            let Some(last) = page.last() else { return Ok(true) };
            after = Some(last.state.name.clone());
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            let is_more = page.len() > most;
            views.extend(page.into_iter().take(most));
            if is_more {
                return Ok(false);
            }
        }
    }
}

/// All numbers, as text.
fn told(bus: &Bus, here: &SubscriptionsHere, seen: &Seen) -> String {
    let progress: Vec<Progress> = bus.progress();
    let mut text = Text::default();
    text.family("umbel_metrics_complete", Kind::Gauge, "1 if the store said all that was asked for, else 0.");
    text.sample(&[], u64::from(seen.complete));
    for (name, help, number) in SUBSCRIPTION {
        text.family(name, Kind::Gauge, help);
        for view in &seen.subscriptions {
            text.sample(&[("subscription", view.state.name.as_str())], number(view));
        }
    }
    text.family(
        "umbel_component_position",
        Kind::Gauge,
        "The position of the log that a projection or handler of this process has come to.",
    );
    for one in &progress {
        text.sample(&[("component", one.name)], one.stand.position.borrow().get());
    }
    text.family(
        "umbel_component_held_up",
        Kind::Gauge,
        "1 while something keeps a projection, handler or subscription of this process from going on, else 0.",
    );
    for one in &progress {
        text.sample(&[("component", one.name)], u64::from(one.stand.held_up.borrow().is_some()));
    }
    let here = here.told();
    for one in &here {
        if progress.iter().all(|known| known.name != one.name) {
            text.sample(&[("component", one.name.as_str())], u64::from(one.held_up));
        }
    }
    text.family(
        "umbel_process_manager_failing_timers",
        Kind::Gauge,
        "Timers of a process manager that failed in this process and are to be tried again.",
    );
    for SubscriptionHere { name, failing_timers, .. } in &here {
        if let Some(failing) = failing_timers {
            text.sample(&[("component", name.as_str())], *failing);
        }
    }
    peers_told(&mut text, &bus.peers());
    commands_told(&mut text, &bus.tallied());
    text.finish()
}

/// What is told of the other processes on the store that take messages.
fn peers_told(text: &mut Text, peers: &[PeerView]) {
    for (name, help, number) in PEER {
        text.family(name, Kind::Gauge, help);
        for PeerView { peer, contact, counted_on } in peers {
            let process = peer.node.0.to_string();
            let labels = [("process", process.as_str()), ("address", &*peer.address)];
            text.sample(&labels, number(contact, counted_on.len()));
        }
    }
}

/// What is told of the commands that this process dispatches.
fn commands_told(text: &mut Text, tallied: &[Tallied]) {
    fn labels(one: &Tallied) -> [(&'static str, &'static str); 2] {
        [("command", one.command), ("outcome", one.ending.word())]
    }
    text.family(
        "umbel_commands_total",
        Kind::Counter,
        "Commands that this process has dispatched, whoever carried them out.",
    );
    for one in tallied {
        text.sample(&labels(one), one.count);
    }
    text.family(
        "umbel_commands_seconds_total",
        Kind::Counter,
        "Seconds until they ended, until what was asked for was visible, together.",
    );
    for one in tallied {
        text.sample(&labels(one), one.took.as_secs_f64());
    }
}

/// A number of another process: its name, what it says, and what it is of the contact to it and the number of messages that it is counted on
/// for.
type OfPeer = (&'static str, &'static str, fn(&Contact, usize) -> u64);

/// What is told of each.
const PEER: [OfPeer; 4] = [
    (
        "umbel_peer_counted_on",
        "Kinds of messages that the process answers and nobody here does.",
        |_, messages| u64::try_from(messages).unwrap_or(u64::MAX),
    ),
    (
        "umbel_peer_reached",
        "1 if the process is reached, else 0; also 0 if nobody has tried, as it is not counted on.",
        |contact, _| u64::from(contact.reached.is_reached()),
    ),
    ("umbel_peer_away_seconds", "Seconds since the process is not reached; 0 if it is.", |contact, _| {
        let away = matches!(contact.reached, Reached::Away | Reached::Refused);
        contact.since.filter(|_| away).map_or(0, |since| since.elapsed().as_secs())
    }),
    (
        "umbel_peer_missed_messages",
        "Messages that did not get to the process since it is not reached.",
        |contact, _| contact.missed,
    ),
];

/// A number of a subscription: its name, what it says, and where it is.
type OfSubscription = (&'static str, &'static str, fn(&SubscriptionView) -> u64);

/// What is told of each subscription, of all nodes together.
const SUBSCRIPTION: [OfSubscription; 10] = [
    (
        "umbel_subscription_lag_events",
        "Events behind the lowest checkpoint, also those that the subscription does not select.",
        |view| view.lag_events,
    ),
    (
        "umbel_subscription_lag_seconds",
        "Seconds since the first event behind the lowest checkpoint was recorded.",
        |view| view.lag_seconds,
    ),
    (
        "umbel_subscription_replay_events",
        "Events that come again since a reset, also those that the subscription does not select; 0 when none do.",
        |view| view.replay.map_or(0, |replay| replay.all()),
    ),
    ("umbel_subscription_replayed_events", "How many of these are done; 0 when none come again.", |view| {
        view.replay.map_or(0, |replay| replay.done())
    }),
    ("umbel_subscription_paused", "1 while an operator lets it rest, else 0.", |view| {
        u64::from(view.state.paused)
    }),
    ("umbel_subscription_partitions", "Partitions of the subscription.", |view| {
        u64::try_from(view.state.partitions.len()).unwrap_or(u64::MAX)
    }),
    ("umbel_subscription_partitions_owned", "Partitions that a node holds.", |view| {
        u64::try_from(view.owned).unwrap_or(u64::MAX)
    }),
    ("umbel_subscription_nodes", "Nodes that take part.", |view| u64::from(view.state.members)),
    ("umbel_dead_letters", "Dead letters of the subscription.", |view| view.dead_letters),
    (
        "umbel_dead_letters_oldest_seconds",
        "Seconds since the oldest dead letter was parked; 0 without one.",
        |view| view.oldest_letter_seconds,
    ),
];

#[cfg(test)]
mod tests;
