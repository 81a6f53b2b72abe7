//! The hosts at work: a small bank, mostly over the store in memory, on real actors and threads.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets what it does not expect must fail")]

mod bank;
mod courses;
mod pot;
mod probe;
mod talks;
mod world;

mod aggregates;
mod ahead;
mod boundaries;
mod commands;
mod consistency;
mod decided;
mod event_handlers;
mod evolution;
mod evolution_categories;
mod evolution_commands;
mod failures;
mod faults;
mod forms;
mod gaps;
mod generations;
mod handlers;
mod hooks;
mod inlined;
mod kit;
mod linked;
mod nodes;
mod personal;
mod processes;
mod processes_failing;
mod processes_renamed;
mod processes_timers;
mod projections;
mod recorder;
mod replay;
mod schedules;
mod schedules_recurring;
mod snapshots;
mod stores;
mod subscriptions;
mod tables;
mod tenants;
mod topics;
mod umbrella;
