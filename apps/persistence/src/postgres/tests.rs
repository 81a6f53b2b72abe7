//! Scenarios against a real server.

mod archive;
mod conversations;
mod kinds;
mod locks;
mod migrations;
mod outages;
mod outbox;
mod plans;
mod projections;
mod spans;
mod steps;
mod support;
mod upkeep;
mod vanishing;
mod verify;
mod writers;
