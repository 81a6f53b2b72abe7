//! What an operator may set about the metrics.

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer};

use crate::settings::{ip_and_port, within};

/// Section `[metrics]`. Each key is documented in `config/default.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsSettings {
    /// Where `GET /metrics` is answered; empty for nowhere.
    #[serde(deserialize_with = "address")]
    pub address: Option<SocketAddr>,
    /// Milliseconds that the store may take over what is asked for one answer.
    #[serde(deserialize_with = "within::<_, _, 1, 600_000>")]
    pub deadline_ms: u64,
    /// Subscriptions in one answer.
    #[serde(deserialize_with = "within::<_, _, 1, 100_000>")]
    pub subscriptions_max: u32,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    ip_and_port(&text, "127.0.0.1:9464").map(Some)
}
