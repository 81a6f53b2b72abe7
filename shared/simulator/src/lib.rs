//! Whole clusters in one thread, with a virtual clock, faults from a seed, and an oracle that watches.

mod bug;
mod node;
mod oracle;
mod random;
mod run;
mod schedule;
mod shape;
mod store;
mod supervision;
mod world;

pub use bug::Bug;
pub use run::{Failure, Run, Seen, Told};
