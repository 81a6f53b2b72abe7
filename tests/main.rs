//! What only shows when everything runs: the umbrella as real processes over real databases, and the rules of the
//! tree. One binary, so that everything is linked once.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets what it does not expect must fail")]

mod support;

mod cli;
mod conduit;
mod demo;
mod failover;
mod followers;
mod link;
mod new_app;
mod nodes;
mod races;
mod recovery;
mod schedules;
mod supervision;
mod tidy;
