//! `umbel projections rebuild`.

use clap::Args;
use umbel_core::store::Act;
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, ReasonArg},
    print::print_one,
    tool::with_store,
};

pub(super) const EXAMPLES: &str = "\
Example:
  umbel projections rebuild articles.list --reason 'edited by hand'

Whoever runs the projection begins within host.projection_look_ms, from the first event there is. Readers get what they got before until \
the new documents have caught up, and then these at once. A rebuild that is under way begins anew.";

#[derive(Debug, Args)]
pub(crate) struct RebuildArgs {
    /// The projection's name; `umbel projections list` shows which there are
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    reason: ReasonArg,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn rebuild(options: &LoadOptions, args: &RebuildArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let act = Act::RebuildProjection { projection: args.name.clone() };
        let performed = tool.perform(act, args.reason.get()).await?;
        let words = format!(
            "{name} is to be built anew; recorded in the audit at position {}\n`umbel projections show {name}` tells how far it is\n",
            performed.position,
            name = args.name
        );
        Ok(print_one(args.json.json, &performed, &words)?)
    })
}
