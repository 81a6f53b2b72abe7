//! What an operator may set about the HTTP API.

use std::{net::SocketAddr, time::Duration};

use actix_web::http::header::HeaderName;
use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected},
};

use crate::secret::long_enough;

/// Section `[gateway]`. Each key is documented in `config/default.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewaySettings {
    /// Where it listens. Port 0 takes a free one.
    #[serde(deserialize_with = "address")]
    pub address: SocketAddr,
    /// Threads that serve HTTP, from 1 to 1024.
    #[serde(deserialize_with = "within::<_, _, 1, 1024>")]
    pub workers: usize,
    /// Bytes that the body of a request may have at most, up to a gibibyte: a body is held in memory as a whole.
    #[serde(deserialize_with = "within::<_, _, 1, 1_073_741_824>")]
    pub body_limit_bytes: usize,
    /// What signs the tokens, 32 bytes or more. Empty: see `jwt_secret_file`.
    #[serde(deserialize_with = "secret")]
    pub jwt_secret: Secret,
    /// A file with the secret, made with a fresh one when it does not exist. Empty: `jwt_secret` must be set.
    pub jwt_secret_file: String,
    /// What signed the tokens before `jwt_secret`, 32 bytes or more: they are good until they expire. Empty: none.
    #[serde(deserialize_with = "secret")]
    pub jwt_secret_before: Secret,
    /// Seconds for which a token is valid, up to ten years.
    #[serde(deserialize_with = "within::<_, _, 1, 315_360_000>")]
    pub jwt_lifetime_s: u64,
    /// Origins whose pages may call the API: `*` for any, or a list separated by commas, or empty for none.
    pub cors_allowed_origins: String,
    /// Milliseconds that a request may take, up to ten minutes: a stop waits for as long.
    #[serde(deserialize_with = "within::<_, _, 1, 600_000>")]
    pub request_deadline_ms: u64,
    /// Milliseconds that a client may take to send the head of a request, from a second to ten minutes: the HTTP server's clock for this
    /// moves every half second.
    #[serde(deserialize_with = "within::<_, _, 1000, 600_000>")]
    pub head_deadline_ms: u64,
    /// Whether it is ready while messages of the API are answered nowhere that is reached.
    pub ready_in_part: bool,
    /// How often logging in to one account may fail from one address; 0 for any number.
    pub login_failures_max: u32,
    /// How often logging in may fail from one address, whatever the account; 0 for any number.
    pub login_failures_per_address_max: u32,
    /// Seconds after which failures are forgotten, up to a week.
    #[serde(deserialize_with = "within::<_, _, 1, 604_800>")]
    pub login_failures_within_s: u64,
    /// How many accounts and addresses are counted at a time, up to ten million.
    #[serde(deserialize_with = "within::<_, _, 1, 10_000_000>")]
    pub login_failures_kept_max: usize,
    /// The header in which a proxy before us names the address it speaks for, the last in it if there are several. Empty:
    /// the address of whoever connects counts.
    #[serde(deserialize_with = "header_name")]
    pub client_address_header: Option<HeaderName>,
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

/// A number within bounds: with others the gateway would start and serve nobody.
pub(crate) fn within<'de, D, T, const MIN: u64, const MAX: u64>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    let number = u64::deserialize(deserializer)?;
    let expected = format!("a whole number from {MIN} to {MAX}");
    let wrong = || D::Error::invalid_value(Unexpected::Unsigned(number), &expected.as_str());
    if !(MIN..=MAX).contains(&number) {
        return Err(wrong());
    }
    T::try_from(number).map_err(|_| wrong())
}

/// A secret, or an empty text for none, refused while it is known which setting it came from.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    let secret = Secret::deserialize(deserializer)?;
    if secret.expose().is_empty() { Ok(secret) } else { long_enough(secret).map_err(D::Error::custom) }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    ip_and_port(&String::deserialize(deserializer)?, "127.0.0.1:4000")
}

/// Where to listen. A name may stand for several addresses, or for others tomorrow: it is not looked up.
pub(crate) fn ip_and_port<E: Error>(text: &str, like: &str) -> Result<SocketAddr, E> {
    let wrong =
        |_| E::custom(format!("{text:?} is no IP address and port, such as {like}; names are not looked up"));
    text.parse().map_err(wrong)
}

/// The name of a header; an empty text is none.
fn header_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HeaderName>, D::Error> {
    let name = String::deserialize(deserializer)?;
    if name.is_empty() {
        return Ok(None);
    }
    let wrong =
        |_| D::Error::invalid_value(Unexpected::Str(&name), &"the name of an HTTP header, or nothing");
    HeaderName::try_from(name.as_str()).map(Some).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(key: &str, value: impl Into<serde_json::Value>) -> Result<GatewaySettings, String> {
        let mut settings = json!({
            "address": "127.0.0.1:0", "workers": 2, "body_limit_bytes": 1000, "jwt_secret": "", "jwt_secret_file": "",
            "jwt_secret_before": "",
            "jwt_lifetime_s": 60, "cors_allowed_origins": "*", "request_deadline_ms": 5000, "head_deadline_ms": 5000,
            "ready_in_part": false,
            "login_failures_max": 10, "login_failures_per_address_max": 100, "login_failures_within_s": 60,
            "login_failures_kept_max": 100, "client_address_header": "",
        });
        settings[key] = value.into();
        serde_json::from_value(settings).map_err(|error| error.to_string())
    }

    /// OP-08: while it is known where it came from.
    #[test]
    fn a_secret_that_is_too_short_is_refused_untold() {
        for key in ["jwt_secret", "jwt_secret_before"] {
            let error = with(key, "x".repeat(31)).unwrap_err();
            assert!(error.contains("31 bytes") && !error.contains("xxx"), "{error}");
            assert!(with(key, "x".repeat(32)).is_ok() && with(key, "").is_ok(), "{key}");
        }
    }

    #[test]
    fn what_would_serve_nobody_is_refused() {
        for key in [
            "workers",
            "body_limit_bytes",
            "jwt_lifetime_s",
            "request_deadline_ms",
            "login_failures_within_s",
            "login_failures_kept_max",
        ] {
            assert!(with(key, 1u64).is_ok(), "{key}");
            for absurd in [0u64, u64::MAX] {
                let error = with(key, absurd).unwrap_err();
                assert!(error.contains("a whole number from 1 to"), "{key} {absurd}: {error}");
            }
        }
        assert!(with("head_deadline_ms", 1000u64).is_ok());
        assert!(with("head_deadline_ms", 999u64).unwrap_err().contains("a whole number from 1000 to 600000"));
        assert_eq!(with("client_address_header", "").unwrap().client_address_header, None);
        assert_eq!(
            with("client_address_header", "X-Real-IP").unwrap().client_address_header.unwrap(),
            "x-real-ip"
        );
        assert!(with("client_address_header", "X Real").unwrap_err().contains("an HTTP header, or nothing"));
        let error = with("request_deadline_ms", 0u64).unwrap_err();
        assert_eq!(error, "invalid value: integer `0`, expected a whole number from 1 to 600000");
    }
}
