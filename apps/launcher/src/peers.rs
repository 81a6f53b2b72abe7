//! `umbel peers`: the other processes that each one talks to, and how it stands with them.

use std::{collections::BTreeSet, time::Duration};

use clap::Args;
use umbel_host::{
    Failed,
    control::{PeerStanding, Peers, Question},
};
use umbel_settings::LoadOptions;

use crate::{
    args::JsonArg,
    print::{Column, Printer, number, print_one, shortened, text},
    running,
    tool::Done,
    tree::lasting,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  umbel peers
  umbel peers --json | jq '.peers[] | select(.missed > 0)'

Asks every process behind control.socket, as `umbel tree` does. What the processes are:
  connected  there is a connection
  idle       it was reached; nothing was asked for long (link.idle_ms)
  away       it is not reached; that is tried every second
  refused    the two do not talk until somebody changes something
  untried    nobody has tried, as it is not counted on for anything";

const COLUMNS: [Column; 7] = [
    text("process"),
    text("address"),
    text("is"),
    text("for"),
    text("counted on for"),
    number("missed"),
    text("last error"),
];

#[derive(Debug, Args)]
pub(crate) struct PeersArgs {
    #[command(flatten)]
    json: JsonArg,
}

pub(crate) fn peers(options: &LoadOptions, args: &PeersArgs) -> Result<(), Failed> {
    let json = args.json.json;
    running::ask_each(options, &Question::Peers, |peers: Peers, not_first| {
        if json { Ok(print_one(true, &peers, "")?) } else { print(&peers, not_first) }
    })
}

fn print(seen: &Peers, not_first: bool) -> Done {
    let mut printer = Printer::new(false, COLUMNS);
    let Peers { process, node, address, peers, .. } = seen;
    let space = if not_first { "\n" } else { "" };
    let at = reached(address.as_deref(), seen.shares_store);
    printer.words(&format!("{space}process {process}, {node}, {at}\n\n"))?;
    if peers.is_empty() {
        return Ok(printer.words("no other process on its store takes messages\n")?);
    }
    Ok(printer.rows(peers, cells)?)
}

/// Where others reach a process, or what keeps them from it.
fn reached(address: Option<&str>, shares_store: bool) -> String {
    match address {
        Some(address) => format!("reached at {address}"),
        None if shares_store => {
            "not reached by others: [link] address is empty, or does not listen yet".to_owned()
        }
        None => {
            "not reached by others: its store is its own, which only PostgreSQL (store.url) shares".to_owned()
        }
    }
}

fn cells(peer: &PeerStanding) -> [String; 7] {
    [
        peer.node.to_string(),
        peer.address.clone(),
        peer.reached.name().to_owned(),
        peer.for_ms.map_or_else(String::new, |ms| lasting(Duration::from_millis(ms))),
        apps(&peer.counted_on),
        peer.missed.to_string(),
        peer.last_error.as_deref().map_or_else(String::new, shortened),
    ]
}

/// The apps that own these messages, by what their names begin with.
fn apps(messages: &[String]) -> String {
    let apps: BTreeSet<_> =
        messages.iter().map(|name| name.split_once('.').map_or(name.as_str(), |(app, _)| app)).collect();
    apps.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_others_away_is_told_as_it_is() {
        assert_eq!(reached(Some("10.0.0.7:4100"), true), "reached at 10.0.0.7:4100");
        let (own, unset) = (reached(None, false), reached(None, true));
        assert!(own.contains("store.url") && !own.contains("[link]"), "{own}");
        assert!(unset.contains("[link] address") && !unset.contains("store"), "{unset}");
    }

    #[test]
    fn apps_are_named_once() {
        let messages = ["articles.edit", "articles.publish", "social.follow", "odd"].map(str::to_owned);
        assert_eq!(apps(&messages), "articles, odd, social");
        assert_eq!(apps(&[]), "");
    }
}
