//! Scenarios against a real server.

mod locks;
mod migrations;
mod outages;
mod projections;
mod support;
mod writers;
