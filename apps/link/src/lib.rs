//! The link: takes messages from one process to another.
//!
//! Processes that share a store may each run other apps. What a process answers, and where it is reached, it tells the others through the
//! store (`umbel_core::store::Process`); whom a message goes to, and what is known when no answer comes, is decided by the bus
//! (`apps/bus/src/carried.rs`). The link does the rest: a connection to each process that is talked to, and what comes over those of others.
//!
//! Promises:
//! - a message means the same as in one process: all that travels with it has a form (`wire`), its deadline included;
//! - what was not sent is told from what may have been carried out;
//! - nobody is talked to who does not know the secret (`greeting`); what is said is encrypted where certificates are set (`tls`);
//! - how it stands with each process that is counted on is known before anybody needs it, and told once for each change (`standing`);
//! - frames, messages in flight and their bytes, connections and times have bounds, each a setting.
//!
//! Knows nothing of stores, apps, or any kind of message. Why it is as it is: ADR 63.

mod complaints;
mod connection;
mod frame;
mod greet;
mod greeting;
mod keep;
mod load;
mod peers;
mod serve;
mod settings;
mod standing;
mod tls;
mod wire;
mod worker;

#[cfg(test)]
mod tests;

pub use settings::{LinkSettings, Secret};
pub use worker::worker;
