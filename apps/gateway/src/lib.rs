//! Conduit's HTTP API: the one place where HTTP, JSON shapes and tokens are known.
//!
//! Owns the routes, the translation between requests and messages of the published language, who a token stands
//! for, and which failure becomes which status.
//!
//! Promises: a request is answered within its deadline; a write is visible to the next request; every failure has
//! the errors shape and a status by what the client can do; no answer holds more of a failure's cause than the
//! client needs, and the log holds all of it under the request's id.
//!
//! Knows nothing about how messages are carried out: it holds the bus and no app.

mod auth;
mod body;
mod call;
mod edge;
mod error;
pub mod floor;
mod guard;
mod health;
pub mod metrics;
mod needs;
mod routes;
mod secret;
mod server;
mod settings;
mod shapes;
mod social;
mod state;
#[cfg(test)]
mod tests;
mod token;

pub use health::Readiness;
pub use metrics::MetricsSettings;
pub use secret::check;
pub use server::{BoundAddress, worker};
pub use settings::GatewaySettings;
