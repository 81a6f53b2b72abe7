//! `umbel run`: the composition root.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use gateway::{
    BoundAddress, GatewaySettings, MetricsSettings, Readiness,
    metrics::{self, SubscriptionHere, SubscriptionsHere},
};
use umbel_bus::{Bus, Progress};
use umbel_core::Position;
use umbel_host::{
    ExitStatus, Failed, Foundation, OrExit, SubscriptionView, TreeView, Umbrella, overview, subscriptions,
};
use umbel_settings::LoadOptions;

use crate::{
    apps::{APPS, GATEWAY},
    cli::RunArgs,
    print::say,
};

/// Runs the umbrella until a signal, or until it cannot go on.
pub(crate) fn run(options: &LoadOptions, args: &RunArgs) -> Result<(), Failed> {
    let foundation = Foundation::lay(options).and_then(Foundation::answering_tools);
    let foundation = foundation.or_exit(ExitStatus::Settings)?;
    let bound = BoundAddress::default();
    let umbrella = compose(&foundation, &args.only, &bound).or_exit(ExitStatus::Settings)?;
    let Foundation { bus, settings, .. } = foundation;
    let environment = settings.environment().name.clone();
    umbrella.run(async |tree| {
        let what = overview(tree, &bus).await;
        say(&format!("umbel {} is up ({environment})\n\n{what}", env!("CARGO_PKG_VERSION")));
        if let Some(address) = bound.get() {
            // Whether there is something to look at. If the store does not say, there is something to begin with.
            let head = bus.store().status().await.map_or(Position::START, |status| status.head);
            say(&first_thing_to_try(address, head));
        }
        say("\nCtrl-C stops it in order.\n");
    })?;
    Ok(())
}

/// The parts in the order in which they start: each needs only those before it.
fn compose(foundation: &Foundation, only: &[String], bound: &BoundAddress) -> anyhow::Result<Umbrella> {
    let (settings, bus) = (&foundation.settings, &foundation.bus);
    let wanted = |part: &str| only.is_empty() || only.iter().any(|wanted| wanted == part);
    let store = umbel_persistence::group(&settings.section("store")?, bus, foundation.policy());
    let mut umbrella = foundation.umbrella("umbel").with(store);
    // Before the apps, so that it tells of them while they start, and why they do not.
    let numbers: MetricsSettings = settings.section("metrics")?;
    if let Some(worker) = metrics::worker(numbers, bus.clone(), told_here(bus), BoundAddress::default()) {
        umbrella = umbrella.with(worker);
    }
    for (_, make) in APPS.iter().filter(|(name, _)| wanted(name)) {
        umbrella = umbrella.with_app(&make(settings)?);
    }
    // Behind the apps: when the process stops, others are told before they have gone. Before the gateway, which needs it to the end.
    let link = foundation.link()?;
    let apart: Vec<_> = APPS.iter().map(|(name, _)| *name).filter(|name| !wanted(name)).collect();
    if link.is_none() && wanted(GATEWAY) && !apart.is_empty() {
        let why = if bus.shares_store() {
            "[link] address is empty: set it (variable UMBEL__LINK__ADDRESS)"
        } else {
            "a store that one process has to itself leaves it no others to reach: set store.url to a PostgreSQL"
        };
        let apart = apart.join(", ");
        tracing::warn!(
            "what the gateway asks of {apart} will go unanswered: they do not run here, and {why}"
        );
    }
    umbrella = umbrella.with_any(link);
    if wanted(GATEWAY) {
        let settings: GatewaySettings = settings.section("gateway")?;
        gateway::check(&settings)?;
        let readiness = readiness(umbrella.view(), bus.clone());
        umbrella = umbrella.with(gateway::worker(settings, bus.clone(), readiness, bound.clone()));
    }
    Ok(umbrella)
}

/// What the subscriptions of this process tell for the metrics.
fn told_here(bus: &Bus) -> SubscriptionsHere {
    let bus = bus.clone();
    SubscriptionsHere::new(move || {
        let told = |SubscriptionView { name, held_up, failing_timers, .. }| SubscriptionHere {
            name: name.as_str().to_owned(),
            held_up: held_up.is_some(),
            failing_timers,
        };
        subscriptions(&bus).into_iter().map(told).collect()
    })
}

/// Ready is: every worker is up, the gateway aside, which answers the question; the store answers too; and no projection is
/// held up, since its documents would not show what is stored. A handler of events that fails takes nobody's requests away.
fn readiness(view: TreeView, bus: Bus) -> Readiness {
    Readiness::new(move || {
        let (view, store, held_up) = (view.clone(), bus.store(), held_up(&bus, &view));
        async move {
            let mut not_up = view.not_up(GATEWAY);
            not_up.extend(held_up);
            // A store that is not up would only be waited for. The cause stays out of the answer: it names hosts.
            if not_up.is_empty() && store.status().await.is_err() {
                not_up.push("the store does not answer".to_owned());
            }
            if not_up.is_empty() { Ok(()) } else { Err(not_up) }
        }
    })
}

/// What is held up and others cannot do without. The reasons stay in the log: they may quote events.
fn held_up(bus: &Bus, view: &TreeView) -> Vec<String> {
    let is_held_up = |one: &Progress| one.stand.held_up.borrow().is_some() && !view.do_without(&one.owner);
    bus.progress()
        .into_iter()
        .filter(is_held_up)
        .map(|progress| format!("{} is held up", progress.name))
        .collect()
}

/// Somebody to register, or, where the log has come that far already, what was published.
fn first_thing_to_try(address: SocketAddr, head: Position) -> String {
    let address = reachable(address);
    let request = if head > Position::START {
        format!("http://{address}/api/articles")
    } else {
        format!(
            "http://{address}/api/users -H 'Content-Type: application/json' \\\n    \
             -d '{{\"user\":{{\"username\":\"ada\",\"email\":\"ada@example.org\",\"password\":\"correct horse\"}}}}'"
        )
    };
    format!("gateway  http://{address}\n\nTry:\n  curl -i {request}\n")
}

/// Where this machine reaches what listens on every address.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use tokio::sync::watch;
    use umbel_bus::RouteSet;
    use umbel_core::{Event, StreamName, events};
    use umbel_host::{App, EventHandler, HandlerContext, HandlerOptions, HandlerStart};
    use umbel_settings::Settings;

    use super::*;
    use crate::apps::parts;

    fn foundation() -> Foundation {
        let overrides = vec![("gateway.jwt_secret".to_owned(), "s".repeat(32))];
        let environment = Some("test".to_owned());
        let options = LoadOptions { environment, overrides, ..LoadOptions::default() };
        Foundation::from_settings(Settings::load(&options).unwrap()).unwrap()
    }

    /// Everything comes up in one process, is ready, and stops in order.
    #[test]
    fn composes_what_was_asked_for() {
        let only_articles = ["articles".to_owned()];
        for (only, parts) in [(&[][..], parts().collect()), (&only_articles, vec!["articles"])] {
            let expected = [vec!["bus", "umbel.tree", "store"], parts].concat();
            let (foundation, bound) = (foundation(), BoundAddress::default());
            let bus = foundation.bus.clone();
            let umbrella = compose(&foundation, only, &bound).unwrap();
            let view = umbrella.view();
            assert_eq!(view.not_up(GATEWAY), ["the supervision tree"], "before the start nothing is up");
            actix::System::new().block_on(async {
                let supervisor = umbrella.start();
                supervisor.tree().wait_until_up(std::time::Duration::from_secs(30)).await.unwrap();
                let children = supervisor.tree().snapshot().children;
                assert_eq!(children.iter().map(|child| child.name.as_str()).collect::<Vec<_>>(), expected);
                assert_eq!(view.not_up(GATEWAY), [""; 0]);
                assert_eq!(held_up(&bus, &view), [""; 0]);
                let (_position, position) = watch::channel(Position::START);
                let (_reason, reason) = watch::channel(Some("a poison event".to_owned()));
                let routes = RouteSet::new("test/list").projects("test.list", &[], position, reason);
                bus.register(routes).await.unwrap();
                assert_eq!(held_up(&bus, &view), ["test.list is held up"]);
                assert_eq!(bound.get().is_some(), only.is_empty());
                supervisor.shut_down().await;
                assert!(view.not_up(GATEWAY).contains(&"umbel/store/reader".to_owned()));
            });
        }
    }

    #[derive(Clone, Debug, Serialize, Deserialize, Event)]
    #[event(name = "test.happened")]
    struct Happened;

    events! { enum Heard { Happened(Happened) } }

    /// A handler of one stream that cannot begin.
    struct Stuck;

    impl EventHandler for Stuck {
        const NAME: &'static str = "test.stuck";
        type Event = Heard;
        type Error = String;

        fn options() -> HandlerOptions {
            HandlerOptions::default().stream(StreamName::new("one").unwrap())
        }

        async fn init(_: &HandlerStart) -> Result<Self, String> {
            Err("it is stuck".into())
        }

        async fn handle(&mut self, _: Heard, _: &HandlerContext) -> Result<(), String> {
            Ok(())
        }
    }

    /// EH-11: a handler of one stream that cannot begin is told to the metrics, though nobody waits for it.
    #[test]
    fn a_handler_of_one_stream_is_told_to_be_held_up() {
        let foundation = foundation();
        let (bus, only) = (foundation.bus.clone(), ["articles".to_owned()]);
        let umbrella = compose(&foundation, &only, &BoundAddress::default()).unwrap();
        let umbrella = umbrella.with_app(&App::new("test").handler::<Stuck>());
        actix::System::new().block_on(async {
            let supervisor = umbrella.start();
            let told = || told_here(&bus).told();
            while !told().iter().any(|one| one.name == Stuck::NAME && one.held_up) {
                tokio::task::yield_now().await;
            }
            assert!(bus.progress().iter().all(|one| one.name != Stuck::NAME));
            supervisor.shut_down().await;
        });
    }

    /// Metrics have a place under the umbrella where they have an address, whichever apps run.
    #[test]
    fn metrics_are_served_where_they_have_an_address() {
        let overrides = vec![("metrics.address".to_owned(), "127.0.0.1:0".to_owned())];
        let environment = Some("test".to_owned());
        let options = LoadOptions { environment, overrides, ..LoadOptions::default() };
        let foundation = Foundation::from_settings(Settings::load(&options).unwrap()).unwrap();
        let umbrella = compose(&foundation, &["articles".to_owned()], &BoundAddress::default()).unwrap();
        actix::System::new().block_on(async {
            let supervisor = umbrella.start();
            supervisor.tree().wait_until_up(std::time::Duration::from_secs(30)).await.unwrap();
            let children = supervisor.tree().snapshot().children;
            let names: Vec<_> = children.iter().map(|child| child.name.as_str()).collect();
            assert_eq!(names, ["bus", "umbel.tree", "store", "metrics", "articles"]);
            supervisor.shut_down().await;
        });
    }

    #[test]
    fn a_wrong_setting_of_a_part_is_refused_before_anything_starts() {
        for (key, value) in [
            ("store.url", "mysql://h"),
            ("control.socket", "{pid}/umbel.sock"),
            ("control.connections_max", "0"),
            ("accounts.argon2_lanes", "0"),
            ("gateway.address", "x"),
            ("metrics.address", "x"),
            ("link.address", "x"),
            ("link.address", "0.0.0.0:0"),
            ("link.requests_max", "0"),
            ("link.in_flight_max_bytes", "0"),
            ("metrics.subscriptions_max", "0"),
            ("gateway.jwt_secret", "short"),
            ("gateway.request_deadline_ms", "0"),
        ] {
            let overrides = vec![(key.to_owned(), value.to_owned())];
            let options = LoadOptions { overrides, ..LoadOptions::default() };
            let foundation = Foundation::from_settings(Settings::load(&options).unwrap()).unwrap();
            let foundation = foundation.answering_tools();
            let refused = foundation.and_then(|all| compose(&all, &[], &BoundAddress::default()));
            let error = format!("{:#}", refused.expect_err(key));
            assert!(key.split('.').any(|part| error.contains(part)), "{key} is not named: {error}");
        }
    }

    #[test]
    fn the_first_thing_to_try_is_reachable() {
        let address = "0.0.0.0:4000".parse().unwrap();
        let text = first_thing_to_try(address, Position::START);
        assert!(text.contains("curl -i http://127.0.0.1:4000/api/users"), "{text}");
        let body = text.split('\'').nth(3).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok(), "{body}");
        let text = first_thing_to_try(address, Position::new(1));
        assert!(text.ends_with("curl -i http://127.0.0.1:4000/api/articles\n"), "{text}");
    }
}
