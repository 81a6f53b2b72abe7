//! `umbel tree`: what runs, how it is, and what has happened to it.

use std::time::Duration;

use clap::Args;
use umbel_host::{
    ExitStatus, Failed, OrExit,
    control::{ControlSettings, Place, Process, Question, Unanswered, ask},
};
use umbel_settings::{LoadOptions, Settings};
use umbel_supervision::TreeNode;

use crate::{
    args::JsonArg,
    print::{Column, Printer, number, print_one, shortened, text},
    tool::{Done, failed, without_store},
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
    let settings = Settings::load(options).or_exit(ExitStatus::Settings)?;
    let control: ControlSettings = settings.section("control").or_exit(ExitStatus::Settings)?;
    let place = Place::parse(&control.socket).or_exit(ExitStatus::Settings)?;
    without_store(async || {
        let place = place.ok_or_else(|| {
            failed(format!(
                "control.socket is not set in the environment {}, so no umbrella answers; set it for `umbel run` and for \
                 this, such as UMBEL__CONTROL__SOCKET=data/umbel-{{pid}}.sock",
                settings.environment().name
            ))
        })?;
        show(&place, &control, args.json.json)
    })
}

/// Shows whoever answers; fails when nobody is there, or one of those who are does not answer.
fn show(place: &Place, control: &ControlSettings, json: bool) -> Done {
    let (mut shown, mut trouble) = (0, None);
    let unreadable = |error| failed(format!("cannot look for {}: {error}", control.socket));
    for socket in place.sockets().map_err(unreadable)? {
        match ask::<Process>(&socket, &Question::Tree, control.deadline()) {
            Ok(process) if json => print_one(true, &process, "")?,
            Ok(process) => print(&process, shown > 0)?,
            Err(Unanswered::NobodyThere) => continue,
            Err(Unanswered::Failed(error)) => trouble = Some(format!("{error:#}")),
        }
        shown += 1;
    }
    match trouble {
        Some(trouble) => Err(failed(trouble)),
        None if shown == 0 => Err(failed(format!(
            "no umbrella runs that answers on {}; start one with `umbel run`, or name its settings (--env, --set \
             control.socket=...; a relative path begins in the folder where it was started)",
            control.socket
        ))),
        None => Ok(()),
    }
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
fn lasting(time: Duration) -> String {
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
