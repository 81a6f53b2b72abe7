//! `umbel claims`: who holds which unique value.

use clap::{Args, Subcommand};
use umbel_core::store::{Claim, ListClaims};
use umbel_host::Failed;
use umbel_settings::LoadOptions;

use crate::{
    args::{JsonArg, within},
    print::{Column, Printer, none, shortened, text},
    tool::{PAGE, with_store},
};

const LIST_EXAMPLES: &str = "\
Examples:
  umbel claims list --scope accounts.username
  umbel claims list --json | jq -r 'select(.value == \"ada\").owner'

The owner is whoever took the claim: mostly a stream, which `umbel streams show` prints. Claims are kept as they are: one of an email \
address shows that address.";

const COLUMNS: [Column; 3] = [text("scope"), text("value"), text("owner")];

#[derive(Debug, Subcommand)]
pub(crate) enum ClaimsCommand {
    /// List the claims by scope and value, each with its owner
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those of this scope
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// N claims at most; without it all
    #[arg(long, value_name = "N", value_parser = within::<u64>(..))]
    limit: Option<u64>,
    #[command(flatten)]
    json: JsonArg,
}

impl ClaimsCommand {
    pub(crate) fn execute(&self, options: &LoadOptions) -> Result<(), Failed> {
        let Self::List(args) = self;
        list(options, args)
    }
}

fn list(options: &LoadOptions, args: &ListArgs) -> Result<(), Failed> {
    with_store(options, async |tool| {
        let mut printer = Printer::new(args.json.json, COLUMNS);
        let (mut after, mut left) = (None, args.limit.unwrap_or(u64::MAX));
        while left > 0 {
            let limit = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
            let page =
                tool.store().list_claims(ListClaims { scope: args.scope.clone(), after, limit }).await?;
            printer.rows(&page, cells)?;
            let Some(last) = page.last() else {
                printer.nothing(&none("claim", args.scope.is_some()));
                break;
            };
            after = Some(last.name.clone());
            left -= u64::try_from(page.len()).unwrap_or(left).min(left);
        }
        Ok(())
    })
}

fn cells(claim: &Claim) -> [String; 3] {
    [&claim.name.scope, &claim.name.value, &claim.owner].map(|text| shortened(text))
}
