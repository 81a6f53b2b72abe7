//! What the binary `umbel` does: composes the umbrella, supervises it, and is the operator's tool.
//!
//! Owns which parts there are and in which order they start, the command line, and what people and scripts see of
//! it: texts, exit codes, JSON. Everything it does is done by the crates it composes. It is a library so that the tests of the whole run
//! what was compiled for them, instead of everything once more.

mod apps;
mod args;
mod audit;
mod bench;
mod claims;
mod cli;
mod dead_letters;
mod events;
mod new_app;
mod notices;
mod outbox;
mod patience;
mod peers;
mod print;
mod process_managers;
mod progress;
mod projections;
mod run;
mod running;
mod schedule;
mod snapshots;
mod standings;
mod store;
mod streams;
mod subscriptions;
mod tenants;
mod tool;
mod tree;

use std::process::ExitCode;

use clap::Parser;

/// Does what the command line says, and says how the process ends.
#[must_use]
pub fn main() -> ExitCode {
    umbel_host::conclude(cli::Cli::parse().execute())
}
