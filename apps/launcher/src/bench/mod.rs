//! `umbel bench`: what this machine does through the bus, beside the least that has to be done on the same database.
//!
//! Each workload is a module that sets up a [`lab`], lets those it compares take turns ([`rounds`]) and tells a
//! [`report`] with the [`bars`] that it is held to.

mod append;
mod args;
mod bank;
mod bars;
mod child;
mod command;
mod event;
mod figures;
mod fill;
mod following;
mod growth;
mod http;
mod idle;
mod lab;
mod live;
mod load;
mod memory;
mod owner;
mod pages;
mod publish;
mod read;
mod report;
mod rounds;
mod stalled;
mod subscribe;
mod suite;
mod topic;
mod worker;

use umbel_host::Failed;
use umbel_settings::LoadOptions;

pub(crate) use self::args::BenchCommand;
use self::{
    args::{Common, Workload},
    lab::{Site, at_site},
};
use crate::print::say;

impl BenchCommand {
    /// Measures in scratch places, removes them whatever happens, and prints.
    pub(crate) fn execute(&self, options: LoadOptions) -> Result<(), Failed> {
        match self {
            Self::Measure(workload) => workload.measure(options, say),
            Self::Worker(args) => worker::work(&options, args),
            Self::Floor => http::serve(&options),
        }
    }
}

impl Workload {
    fn measure(&self, mut options: LoadOptions, print: fn(&str)) -> Result<(), Failed> {
        let Common { url, json, .. } = self.common();
        options.overrides.extend(url.clone().map(|url| ("store.url".to_owned(), url)));
        at_site(&options, *json, print, async |site| self.run(site).await)
    }

    async fn run(&self, site: &Site) -> anyhow::Result<()> {
        match self {
            Self::Append(args) => append::run(site, args).await,
            Self::Read(args) => read::run(site, args).await,
            Self::Subscribe(args) => subscribe::run(site, args).await,
            Self::Command(args) => command::run(site, args).await,
            Self::Growth(args) => growth::run(site, args).await,
            Self::Publish(args) => publish::run(site, args).await,
            Self::Http(args) => http::run(site, args).await,
            Self::Idle(args) => idle::run(site, args).await,
            Self::All(args) => suite::run(site, args).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: Workload,
    }

    fn parse(line: &str) -> Result<Workload, clap::Error> {
        Line::try_parse_from(["umbel"].into_iter().chain(line.split(' '))).map(|line| line.command)
    }

    /// The arguments of a line that is right.
    pub(super) fn args(line: &str) -> Workload {
        parse(line).unwrap()
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "append --events 0",
            "append --concurrency 0",
            "append --batch 0",
            "append --streams 0",
            "append --any --processes 2",
            "read --rounds 0",
            "growth --events 0",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    /// Everything in memory, where nothing has floors: that each workload runs to its end.
    #[test]
    fn every_workload_runs() {
        let options = LoadOptions { environment: Some("test".into()), ..LoadOptions::default() };
        for line in [
            "append --events 100 --any",
            "read --events 1000",
            "subscribe --events 1000 --appends 5",
            "command --commands 50",
            "growth --events 1000 --appends 50",
            "publish --notices 2000",
            "bus --notices 100",
        ] {
            let workload = args(&format!("{line} --rounds 1 --url memory:"));
            let measured = workload.measure(options.clone(), |report| assert!(report.contains("1 round")));
            measured.unwrap_or_else(|failed| panic!("{line}: {failed}"));
        }
    }
}
