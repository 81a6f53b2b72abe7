//! Scenarios against a real server.

mod archive;
mod kinds;
mod locks;
mod migrations;
mod outages;
mod outbox;
mod plans;
mod pooler;
mod projections;
mod spans;
mod statements;
mod support;
mod upgrades;
mod upkeep;
mod verify;
mod writers;
