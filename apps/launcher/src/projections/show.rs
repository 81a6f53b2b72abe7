//! `umbel projections show`.

use clap::Args;
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use super::seen::{Seen, Stage, seen};
use crate::{
    args::JsonArg,
    print::{Column, Printer, number, text},
    tool::{failed, with_store},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  umbel projections show articles.list
  watch umbel projections show articles.list";

const COLUMNS: [Column; 6] = [
    text("generation"),
    text("version"),
    number("done up to"),
    number("positions behind"),
    number("seconds"),
    number("live after"),
];

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The projection's name; `umbel projections list` shows which there are
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn show(options: &LoadOptions, args: &ShowArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let missing = || {
            failed(format!(
                "there is no projection {}; `umbel projections list` shows which there are",
                args.name
            ))
        };
        let seen = seen(tool, options, Some(&args.name)).await?.pop().ok_or_else(missing)?;
        let mut printer = Printer::new(args.json.json, COLUMNS);
        printer.one(&seen, &described(&seen))?;
        if !args.json.json {
            let serving = seen
                .serving
                .iter()
                .map(|stage| (if stage.generation.joined { "serves inline" } else { "serves" }, stage));
            let building = seen.building.iter().map(|stage| ("is built", stage));
            let stages: Vec<_> = serving.chain(building).map(|(word, stage)| Row { word, stage }).collect();
            printer.rows(&stages, cells)?;
        }
        Ok(())
    })
}

/// A generation with what it is there for, in words.
#[derive(serde::Serialize)]
struct Row<'a> {
    word: &'static str,
    stage: &'a Stage,
}

fn described(seen: &Seen) -> String {
    let mut words = format!("projection   {}\n", seen.projection);
    if let Some(serving) = &seen.serving {
        words += &format!("collections  {}\n", serving.generation.collections.join(", "));
    }
    let stages = seen.serving.iter().chain(&seen.building);
    for tables_in in stages.filter_map(|stage| stage.generation.tables_in.as_ref()) {
        words += &format!("tables in    \"{tables_in}\"\n");
    }
    if seen.retired > 0 {
        words += &format!("to remove    what {} retired have left\n", seen.retired);
    }
    for reason in &seen.held_up {
        words += &format!("held up      {reason}\n");
    }
    words + "\n"
}

fn cells(row: &Row<'_>) -> [String; 6] {
    let Row { word, stage } = row;
    [
        (*word).to_owned(),
        stage.version(),
        stage.generation.position.to_string(),
        stage.behind(),
        stage.lag_seconds.to_string(),
        stage.generation.live_after.to_string(),
    ]
}
