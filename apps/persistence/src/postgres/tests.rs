//! Scenarios against a real server.

mod archive;
mod conditions;
mod conversations;
mod kinds;
mod letters;
mod locks;
mod migrations;
mod news;
mod outages;
mod outbox;
mod pages;
mod parts;
mod plans;
mod pooler;
mod projections;
mod spans;
mod statements;
mod steps;
mod support;
mod tables;
mod tags;
mod upgrades;
mod upkeep;
mod vanishing;
mod verify;
mod writers;
