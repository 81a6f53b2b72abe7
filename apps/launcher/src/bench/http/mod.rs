//! Conduit over HTTP: an umbrella in a process of its own, used from this one, beside the same gateway with nothing behind it,
//! and with nothing behind it but the way over the bus.
//!
//! Every answer is looked at: the first that is not as it has to be ends the bench.

mod client;
mod floor;
mod lag;
mod load;

use std::{net::SocketAddr, rc::Rc};

use anyhow::Context;

use self::{
    client::{Connection, Request},
    lag::Lag,
    load::{Act, Conduit, Floor, Load},
};
use super::{
    args::HttpArgs,
    child::Talking,
    lab::{Lab, Site},
    report::{Figure, Report},
    rounds::Contest,
};

pub(super) use floor::serve;

/// What a process with a gateway says, before its address and when everything is up: `umbel run` as well.
const ADDRESS: &str = "gateway  http://";
const UP: &str = "Ctrl-C stops it in order.";

/// Names in the tables.
const UMBEL: &str = "umbel";
const FLOOR: &str = "floor without the bus";
const BUS: &str = "floor with the bus";
const VISIBLE: &str = "append to visible";
const BESIDE: &str = "under load";

/// The page of articles, one article, and what is written.
pub(super) async fn run(site: &Site, args: &HttpArgs) -> anyhow::Result<()> {
    let lab = site.open().await?;
    let (_umbrella, address) = umbrella(site, &lab).await?;
    let (_floor, floor) = bare_gateway(site, &lab).await?;
    let conduit = Rc::new(Conduit::fill(address, args).await?);
    let told = |workload, what: &str| {
        let what = format!("{what}, {} callers at once, {} articles", args.concurrency, args.articles);
        let report = Report::new(workload, what, &lab.status, args.common.rounds);
        report.with("concurrency", args.concurrency).with("articles", args.articles)
    };
    let acts = [
        ("H1", "GET /api/articles", Act::List, args.requests),
        ("H2", "GET /api/articles/{slug}", Act::Article, args.requests),
        ("H3", "POST /api/articles", Act::Create, args.writes),
        ("H3", "POST or DELETE /api/articles/{slug}/favorite", Act::Favorite, args.writes),
        ("H3", "POST /api/articles/{slug}/comments", Act::Comment, args.writes),
    ];
    for (workload, what, act, requests) in acts {
        let bytes = conduit.size_of(act).await?;
        let load = || Load::new(&conduit, act, requests);
        let series = Contest::default()
            .with(UMBEL, load())
            .with(BUS, load().of_floor(Floor { address: floor, bus: true, bytes }))
            .with(FLOOR, load().of_floor(Floor { address: floor, bus: false, bytes }))
            .run(args.common.rounds);
        let report = told(workload, what).with("bytes", u64::try_from(bytes)?).measured(series.await?);
        let p99 = |report: Report, of| report.ratio_of((of, Figure::P99), (FLOOR, Figure::P99), None);
        let report = report.ratio(UMBEL, FLOOR, None).ratio(BUS, FLOOR, None);
        site.tell(&p99(p99(report, UMBEL), BUS));
    }
    let beside = Load::new(&conduit, Act::Comment, u64::MAX);
    let lag = Contest::default()
        .with(VISIBLE, Lag::new(&conduit, &lab, args.lags))
        .with(BESIDE, Lag::new(&conduit, &lab, args.lags).beside(beside))
        .run(args.common.rounds);
    let what = format!("from an append to what a page shows; and beside {} who comment", args.concurrency);
    let report = Report::new("H4", what, &lab.status, args.common.rounds);
    let report = report.with("articles", args.articles).measured(lag.await?);
    let told = [VISIBLE, BESIDE].into_iter().fold(report, |report, of| {
        report.median_of((of, Figure::P50), "ms", None).median_of((of, Figure::P99), "ms", None)
    });
    site.tell(&told);
    Ok(())
}

/// The whole umbrella as a process of its own on the lab's store, and where its gateway listens.
pub(super) async fn umbrella(site: &Site, lab: &Lab) -> anyhow::Result<(Talking, SocketAddr)> {
    start(site, lab, &["run"]).await
}

/// A gateway with nothing behind it.
async fn bare_gateway(site: &Site, lab: &Lab) -> anyhow::Result<(Talking, SocketAddr)> {
    start(site, lab, &["bench", "floor"]).await
}

async fn start(site: &Site, lab: &Lab, command: &[&str]) -> anyhow::Result<(Talking, SocketAddr)> {
    let secret = format!("gateway.jwt_secret={}", umbel_bus::edge::fresh_id());
    let settings = ["--set", "gateway.address=127.0.0.1:0", "--set", &secret];
    let arguments = command.iter().copied().chain(settings).map(str::to_owned);
    let mut process = Talking::start(site, lab.scratch.settings(), arguments)?;
    let address = process.find(|line| line.strip_prefix(ADDRESS)?.parse().ok()).await?;
    process.until(|line| line == UP).await?;
    Ok((process, address))
}

/// What one request is answered with, as JSON.
async fn asked(
    connection: &mut Connection,
    status: u16,
    request: &Request<'_>,
) -> anyhow::Result<serde_json::Value> {
    let answer = connection.expect(status, request).await?;
    serde_json::from_slice(&answer.body).with_context(|| format!("{} is no JSON", request.path))
}
