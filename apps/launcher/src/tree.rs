//! `umbel tree`: what runs, how it is, and what has happened to it.

use std::time::Duration;

use clap::Args;
use umbel_host::{
    Failed,
    control::{Process, Question},
};
use umbel_settings::LoadOptions;
use umbel_supervision::TreeNode;

use crate::{
    args::JsonArg,
    print::{Column, Printer, number, print_one, shortened, text},
    running,
    tool::Done,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  umbel tree
  umbel tree --json | jq '.tree.children[] | select(.restarts > 0)'
  umbel tree --set control.socket=/run/umbel/{pid}.sock

Asks every process behind control.socket, as the settings name it: run it with the settings of `umbel run`, in the same folder \
when the path is relative, as the same user or as root.";

const COLUMNS: [Column; 7] = [
    text("part"),
    text("state"),
    text("up for"),
    number("restarts"),
    number("abandoned"),
    number("panics"),
    text("last cause, or panic"),
];

#[derive(Debug, Args)]
pub(crate) struct TreeArgs {
    #[command(flatten)]
    json: JsonArg,
}

pub(crate) fn tree(options: &LoadOptions, args: &TreeArgs) -> Result<(), Failed> {
    let json = args.json.json;
    running::ask_each(options, &Question::Tree, |process: Process, not_first| {
        if json { Ok(print_one(true, &process, "")?) } else { print(&process, not_first) }
    })
}

fn print(process: &Process, not_first: bool) -> Done {
    let mut printer = Printer::new(false, COLUMNS);
    let Process { process: number, version, environment, tree } = process;
    let space = if not_first { "\n" } else { "" };
    printer.words(&format!("{space}umbel {version}, process {number} ({environment})\n\n"))?;
    Ok(printer.rows(&tree.branches(), |(branch, node)| cells(branch, node))?)
}

fn cells(branch: &str, node: &TreeNode) -> [String; 7] {
    let last = node.last_cause.as_ref().or(node.last_panic.as_ref());
    [
        branch.to_owned(),
        node.state.to_string(),
        node.up_ms.map_or_else(String::new, |ms| lasting(Duration::from_millis(ms))),
        node.restarts.to_string(),
        node.abandoned.to_string(),
        node.panics.to_string(),
        last.map_or_else(String::new, |cause| shortened(cause)),
    ]
}

/// A time as people say it, in its two largest units.
pub(crate) fn lasting(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_their_two_largest_units() {
        for (seconds, told) in [
            (0, "0s"),
            (59, "59s"),
            (61, "1m 1s"),
            (3_661, "1h 1m"),
            (90_000, "1d 1h"),
            (8_640_000, "100d 0h"),
        ] {
            assert_eq!(lasting(Duration::from_secs(seconds)), told);
        }
    }
}
