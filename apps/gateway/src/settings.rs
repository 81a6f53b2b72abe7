//! What an operator may set about the HTTP API.

use std::{net::SocketAddr, time::Duration};

use serde::Deserialize;

/// Section `[gateway]`. Each key is documented in `config/default.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewaySettings {
    /// Where it listens. Port 0 takes a free one.
    pub address: SocketAddr,
    /// Threads that serve HTTP.
    pub workers: usize,
    /// Bytes that the body of a request may have at most.
    pub body_limit_bytes: usize,
    /// What signs the tokens, 32 bytes or more. Empty: see `jwt_secret_file`.
    pub jwt_secret: Secret,
    /// A file with the secret, made with a fresh one when it does not exist. Empty: `jwt_secret` must be set.
    pub jwt_secret_file: String,
    /// Seconds for which a token is valid.
    pub jwt_lifetime_s: u64,
    /// Origins whose pages may call the API: `*` for any, or a list separated by commas, or empty for none.
    pub cors_allowed_origins: String,
    /// Milliseconds that a request may take.
    pub request_deadline_ms: u64,
}

/// A text that prints as stars, so that no log line and no error can hold it.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl GatewaySettings {
    /// How long a request may take.
    #[must_use]
    pub const fn request_deadline(&self) -> Duration {
        Duration::from_millis(self.request_deadline_ms)
    }
}

impl Secret {
    /// Takes a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
