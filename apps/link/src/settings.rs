//! What an operator may set about the link.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use anyhow::{Result, bail};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected},
};

/// Shortest secret, in bytes: HMAC-SHA256 is as strong as its key up to this length.
const SECRET_MIN: usize = 32;

/// Section `[link]`. Each key is documented in `config/default.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSettings {
    /// Where messages of other processes are taken; port 0 takes a free one. Nothing: no message travels.
    #[serde(deserialize_with = "address")]
    pub address: Option<SocketAddr>,
    /// Where others reach this process, as host and port. Empty: at the address it has bound.
    #[serde(deserialize_with = "host_and_port")]
    pub advertise: String,
    /// What all processes of one store know, 32 bytes or more. Empty: nothing is proven, which is for addresses of this machine only.
    #[serde(deserialize_with = "secret")]
    pub secret: Secret,
    /// A file with the certificate of this process as PEM, with those between it and the authority. Empty: nothing is encrypted.
    pub tls_certificate: String,
    /// A file with the certificate's private key.
    pub tls_key: String,
    /// A file with the certificates of who may sign those of the other processes.
    pub tls_authority: String,
    /// How long it may take until another process is connected and has proven itself, in milliseconds.
    #[serde(deserialize_with = "within::<_, _, 1, 60_000>")]
    pub connect_timeout_ms: u64,
    /// How long a process that could not be reached is not tried again, in milliseconds.
    #[serde(deserialize_with = "within::<_, _, 0, 60_000>")]
    pub retry_ms: u64,
    /// How long a connection is kept on which nothing is asked, in milliseconds.
    #[serde(deserialize_with = "within::<_, _, 1, 86_400_000>")]
    pub idle_ms: u64,
    /// How long a connection may be quiet until the other side is asked whether it is there, in milliseconds.
    #[serde(deserialize_with = "within::<_, _, 1, 86_400_000>")]
    pub ping_ms: u64,
    /// Messages in flight on one connection.
    #[serde(deserialize_with = "within::<_, _, 1, 100_000>")]
    pub requests_max: usize,
    /// Bytes of the messages in flight on one connection together, as they travel.
    #[serde(deserialize_with = "within::<_, _, 4_096, 68_719_476_736>")]
    pub in_flight_max_bytes: usize,
    /// Bytes of one message or answer as it travels.
    #[serde(deserialize_with = "within::<_, _, 4_096, 1_073_741_824>")]
    pub frame_max_bytes: usize,
    /// Connections from other processes at a time, and as many to others.
    #[serde(deserialize_with = "within::<_, _, 1, 100_000>")]
    pub connections_max: usize,
    /// How long what others have asked may take to its end when this process stops, in milliseconds.
    #[serde(deserialize_with = "within::<_, _, 0, 600_000>")]
    pub drain_ms: u64,
}

/// A text that prints as stars, so that no log line and no error can hold it.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl LinkSettings {
    /// Whether these can be used together.
    ///
    /// # Errors
    /// When they would let in whoever comes, or nobody would find the process; the message names what to set.
    pub fn check(&self) -> Result<()> {
        let (most, together) = (self.frame_max_bytes, self.in_flight_max_bytes);
        if together < most {
            bail!(
                "[link] in_flight_max_bytes = {together} is less than one message may have (frame_max_bytes = {most}): \
                 set it to as much or more"
            );
        }
        let length = self.secret.0.len();
        let Some(address) = self.address else {
            if length > 0 {
                bail!(
                    "[link] secret is set, and [link] address is not, so that no message travels: set the address \
                     (variable UMBEL__LINK__ADDRESS) too, such as 10.0.0.7:4100, or neither"
                );
            }
            return Ok(());
        };
        if length == 0 && !(address.ip().is_loopback() && self.advertises_loopback()) {
            bail!(
                "[link] address {address} is reached from other machines: set [link] secret (variable \
                 UMBEL__LINK__SECRET) to {SECRET_MIN} bytes or more, the same in all processes, or an address of this \
                 machine such as 127.0.0.1:0"
            );
        }
        if address.ip().is_unspecified() && self.advertise.is_empty() {
            bail!(
                "[link] address {address} is no address that others can call: set [link] advertise (variable \
                 UMBEL__LINK__ADVERTISE) to the host and port at which they reach this process"
            );
        }
        Ok(())
    }

    /// Whether what others are told is an address of this machine.
    fn advertises_loopback(&self) -> bool {
        let host = self.advertise.rsplit_once(':').map(|(host, _)| host.trim_matches(['[', ']']));
        host.is_none_or(|host| {
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        })
    }

    pub(crate) const fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    pub(crate) const fn retry(&self) -> Duration {
        Duration::from_millis(self.retry_ms)
    }

    pub(crate) const fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms)
    }

    /// How long nothing may come until the other side is asked.
    pub(crate) const fn quiet(&self) -> Duration {
        Duration::from_millis(self.ping_ms)
    }

    pub(crate) const fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
}

impl Secret {
    /// Takes a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A secret, or an empty text for none, refused while it is known which setting it came from.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    let secret = Secret::deserialize(deserializer)?;
    match secret.0.len() {
        0 | SECRET_MIN.. => Ok(secret),
        length => Err(D::Error::custom(format!("it has {length} bytes, it must have {SECRET_MIN} or more"))),
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |_| {
        D::Error::custom(format!(
            "{text:?} is no IP address and port, such as 10.0.0.7:4100; names are not looked up"
        ))
    };
    text.parse().map(Some).map_err(wrong)
}

/// A host, by name or address, and a port, or an empty text.
fn host_and_port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let fine = text.is_empty()
        || text
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
    if fine {
        Ok(text)
    } else {
        Err(D::Error::custom(format!("{text:?} is no host and port; write it like articles.internal:4100")))
    }
}

/// A number within bounds.
fn within<'de, D, T, const MIN: u64, const MAX: u64>(deserializer: D) -> Result<T, D::Error>
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn with(changes: &[(&str, Value)]) -> Result<LinkSettings, String> {
        let mut settings = json!({
            "address": "127.0.0.1:0", "advertise": "", "secret": "", "connect_timeout_ms": 1000, "retry_ms": 200,
            "tls_certificate": "", "tls_key": "", "tls_authority": "",
            "idle_ms": 60_000, "ping_ms": 5000, "requests_max": 1024, "frame_max_bytes": 16_777_216,
            "in_flight_max_bytes": 67_108_864, "connections_max": 256,
            "drain_ms": 2000,
        });
        changes.iter().for_each(|(key, value)| settings[*key] = value.clone());
        serde_json::from_value(settings).map_err(|error| error.to_string())
    }

    fn checked(changes: &[(&str, Value)]) -> Result<(), String> {
        with(changes)?.check().map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_have_bounds_and_addresses_a_form() {
        for (key, wrong) in [
            ("connect_timeout_ms", json!(0)),
            ("idle_ms", json!(0)),
            ("ping_ms", json!(0)),
            ("requests_max", json!(0)),
            ("frame_max_bytes", json!(10)),
            ("in_flight_max_bytes", json!(10)),
            ("connections_max", json!(0)),
            ("drain_ms", json!(u64::MAX)),
            ("retry_ms", json!(u64::MAX)),
        ] {
            assert!(with(&[(key, wrong)]).unwrap_err().contains("a whole number from"), "{key}");
        }
        assert!(with(&[("address", json!("here"))]).unwrap_err().contains("10.0.0.7:4100"));
        for wrong in ["articles", "articles:", ":4100", "articles:0", "articles:x"] {
            assert!(with(&[("advertise", json!(wrong))]).unwrap_err().contains("host and port"), "{wrong}");
        }
        assert!(with(&[("advertise", json!("[::1]:4100"))]).is_ok());
        assert_eq!(with(&[("address", json!(""))]).unwrap().address, None);
    }

    /// LK-09: an address that other machines reach needs a secret, and one that nobody can call another one to tell; the message says what
    /// to set.
    #[test]
    fn who_can_be_reached_needs_a_secret() {
        assert_eq!(checked(&[]), Ok(()));
        assert_eq!(checked(&[("address", json!("[::1]:0")), ("advertise", json!("localhost:1"))]), Ok(()));
        for exposed in
            [vec![("address", json!("10.0.0.7:4100"))], vec![("advertise", json!("articles.internal:4100"))]]
        {
            let error = checked(&exposed).unwrap_err();
            assert!(error.contains("UMBEL__LINK__SECRET") && error.contains("32 bytes"), "{error}");
            let secret = ("secret", json!("s".repeat(32)));
            assert_eq!(checked(&[exposed, vec![secret]].concat()), Ok(()));
        }
        let short = checked(&[("secret", json!("x".repeat(31)))]).unwrap_err();
        assert!(short.contains("31 bytes") && !short.contains("xxx"), "{short}");
        let anywhere = [("address", json!("0.0.0.0:4100")), ("secret", json!("s".repeat(32)))];
        assert!(checked(&anywhere).unwrap_err().contains("UMBEL__LINK__ADVERTISE"));
        let less = checked(&[("in_flight_max_bytes", json!(16_777_215))]).unwrap_err();
        assert!(less.contains("frame_max_bytes = 16777216"), "{less}");
        assert_eq!(checked(&[("address", json!(""))]), Ok(()), "one that is off needs none");
        let idle = checked(&[("address", json!("")), ("secret", json!("s".repeat(32)))]);
        assert!(
            idle.unwrap_err().contains("UMBEL__LINK__ADDRESS"),
            "a secret without an address is a mistake"
        );
    }

    #[test]
    fn a_secret_prints_as_stars() {
        let settings = with(&[("secret", json!("s".repeat(32)))]).unwrap();
        assert!(!format!("{settings:?}").contains("sss"));
    }
}
