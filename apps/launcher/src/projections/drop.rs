//! `umbel projections drop`.

use clap::Args;
use umbel_core::store::{Act, ListProjections, PerformError, Phase, RemoveRetired};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, ReasonArg, SureArg},
    print::print_one,
    progress::Progress,
    tool::with_store,
};

pub(super) const EXAMPLES: &str = "\
Example:
  umbel projections drop articles.list --yes --reason 'it was replaced'

Take it out of the app first: whoever still runs it builds it anew, from the first event there is. Readers find nothing of it at once; \
its documents are removed in small steps, between which others write. If that is interrupted, drop it again, and it goes on.";

#[derive(Debug, Args)]
pub(crate) struct DropArgs {
    /// The projection's name; `umbel projections list` shows which there are
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    reason: ReasonArg,
    #[command(flatten)]
    sure: SureArg,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn drop_it(options: &LoadOptions, args: &DropArgs) -> Result<(), Failed> {
    let name = &args.name;
    with_store(options, async |tool| {
        let generations =
            tool.store().list_projections(ListProjections { projection: Some(name.clone()) }).await?;
        if generations.iter().all(|one| one.phase == Phase::Removed) {
            return Err(PerformError::ProjectionNotFound(name.clone()).into());
        }
        args.sure.confirm(&format!("removing projection {name} with all its documents"))?;
        let performed =
            tool.perform(Act::DropProjection { projection: name.clone() }, args.reason.get()).await?;
        let (mut progress, mut steps) = (Progress::of("steps of removing"), 0);
        while tool.store().remove_retired(RemoveRetired { projection: name.clone() }).await? {
            steps += 1;
            progress.at(steps, None);
        }
        drop(progress);
        let words = format!("dropped {name}; recorded in the audit at position {}\n", performed.position);
        Ok(print_one(args.json.json, &performed, &words)?)
    })
}
