//! Scenarios against a real server.

mod migrations;
mod outages;
mod projections;
mod support;
mod writers;
