//! `umbel projections list`.

use clap::Args;
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use super::seen::{Seen, Stage, seen};
use crate::{
    args::JsonArg,
    print::{Column, Printer, number, text},
    tool::with_store,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel projections list
  umbel projections list --json | jq 'select(.building != []) | .projection'

Done up to is the position of the last event that the projection has noted; behind it there may be others that it does not listen to. Positions behind are those from the first event that the projection has still to do, to the end of the log; it is up to date when none of \
the events it listens to is left, wherever its checkpoint stands. Of one whose rule this program does not have all events may be meant: \
then it is so many at most. One beyond the end knows of events that the log has not: build it anew. What holds a projection up is told by the processes behind control.socket.";

const COLUMNS: [Column; 7] = [
    text("projection"),
    text("version"),
    number("done up to"),
    number("positions behind"),
    number("seconds"),
    text("building"),
    text("held up"),
];

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn list(options: &LoadOptions, args: &ListArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let seen = seen(tool, options, None).await?;
        let mut printer = Printer::new(args.json.json, COLUMNS);
        printer.rows(&seen, cells)?;
        printer.nothing("there is no projection yet: one is there once its app has run");
        Ok(())
    })
}

fn cells(seen: &Seen) -> [String; 7] {
    let of = |of: fn(&Stage) -> String| seen.serving.as_ref().map(of).unwrap_or_default();
    let building = |stage: &Stage| {
        let behind = if stage.lag_positions > 0 { " behind" } else { "" };
        format!("{}, {}{behind}", stage.version(), stage.behind())
    };
    [
        seen.projection.clone(),
        of(Stage::version),
        of(|stage| stage.generation.position.to_string()),
        of(Stage::behind),
        of(|stage| stage.lag_seconds.to_string()),
        seen.building.iter().map(building).collect::<Vec<_>>().join("; "),
        seen.held_up.first().cloned().unwrap_or_default(),
    ]
}
