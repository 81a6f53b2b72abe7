//! The store's settings, section `[store]`.

use std::{path::PathBuf, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};
use umbel_core::store::Limits;

/// Where the store lives and what it bears. Each is documented in `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// Which adapter and where: `sqlite:PATH`, `memory:` or `postgres://...`.
    #[serde(deserialize_with = "checked_url")]
    pub url: String,
    /// The PostgreSQL schema that holds the tables.
    pub schema: String,
    /// Connections for reading.
    pub max_connections: usize,
    /// Appends that may wait for the writer.
    pub queue_capacity: usize,
    /// Appends in one transaction.
    pub group_max_appends: usize,
    /// Events in one transaction, and in one append.
    pub group_max_events: usize,
    /// Events in one page.
    pub page_size_max: u32,
    /// Bytes of data and metadata of one event.
    pub max_payload_bytes: usize,
    /// How often to look whether another process has appended.
    pub poll_interval_ms: u64,
}

/// A store's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// An embedded database in this file.
    Sqlite(PathBuf),
    /// Nothing outlives the process.
    Memory,
    /// A PostgreSQL server; the whole URL.
    Postgres(String),
}

/// A text that is no store's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "store.url begins with {scheme:?}; use sqlite:PATH (such as sqlite:data/umbel.db), memory: or postgres://USER@HOST/DATABASE"
)]
pub struct StoreUrlError {
    /// What it begins with. Not the whole text: it may hold a password.
    pub scheme: String,
}

/// Refuses what is no store's address while it is known which setting it came from.
fn checked_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let url = String::deserialize(deserializer)?;
    url.parse::<StoreUrl>().map(|_address| url).map_err(D::Error::custom)
}

impl StoreSettings {
    pub(crate) const fn limits(&self) -> Limits {
        Limits { append_max_events: self.group_max_events, payload_max_bytes: self.max_payload_bytes }
    }

    pub(crate) const fn poll_interval(&self) -> Duration {
        Duration::from_millis(self.poll_interval_ms)
    }
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            url: "sqlite:data/umbel.db".to_owned(),
            schema: "umbel".to_owned(),
            max_connections: 8,
            queue_capacity: 4096,
            group_max_appends: 512,
            group_max_events: 8192,
            page_size_max: 4096,
            max_payload_bytes: 1 << 20,
            poll_interval_ms: 200,
        }
    }
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        match url.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => {
                // `sqlite:///abs` and `sqlite:abs-or-relative` both mean a path.
                Ok(Self::Sqlite(path.strip_prefix("//").unwrap_or(path).into()))
            }
            Some(("memory", "" | "//")) => Ok(Self::Memory),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(url.to_owned())),
            other => Err(StoreUrlError { scheme: other.map_or("", |(scheme, _)| scheme).to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!("memory:".parse(), Ok(StoreUrl::Memory));
        assert_eq!("sqlite:data/x.db".parse(), Ok(StoreUrl::Sqlite("data/x.db".into())));
        assert_eq!("sqlite:///tmp/x.db".parse(), Ok(StoreUrl::Sqlite("/tmp/x.db".into())));
        let postgres = "postgresql://ada@localhost/conduit";
        assert_eq!(postgres.parse(), Ok(StoreUrl::Postgres(postgres.into())));
        for wrong in ["", "sqlite:", "mysql://secret@host", "data/x.db"] {
            let error = wrong.parse::<StoreUrl>().unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
