//! The store's settings, section `[store]`.

use std::{path::PathBuf, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};
use umbel_core::{json::DEPTH_MAX, store::Limits};

use crate::{page::PAGE_MAX_BYTES, postgres, steps::REMOVAL_STEP_MAX};

/// Where the store lives and what it bears. Each is documented in `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// Which adapter and where: `sqlite:PATH`, `memory:` or `postgres://...`.
    #[serde(deserialize_with = "checked_url")]
    pub url: String,
    /// The PostgreSQL schema that holds the tables.
    #[serde(deserialize_with = "checked_schema")]
    pub schema: String,
    /// Whether a pooler in transaction mode is between this process and PostgreSQL.
    pub pooler: bool,
    /// Whether the processes of a PostgreSQL store tell each other of appends.
    pub listen: bool,
    /// Connections for reading.
    #[serde(deserialize_with = "up_to::<10_000, _, _>")]
    pub max_connections: usize,
    /// Statements that each of them keeps prepared.
    #[serde(deserialize_with = "up_to::<100_000, _, _>")]
    pub max_statements: usize,
    /// How long connections that write stay open without use.
    #[serde(deserialize_with = "up_to::<86_400_000, _, _>")]
    pub writer_idle_ms: u64,
    /// Appends that may wait for the writer.
    #[serde(deserialize_with = "up_to::<1_000_000, _, _>")]
    pub queue_capacity: usize,
    /// Appends in one transaction.
    #[serde(deserialize_with = "up_to::<100_000, _, _>")]
    pub group_max_appends: usize,
    /// Events in one transaction, and in one append.
    #[serde(deserialize_with = "up_to::<1_000_000, _, _>")]
    pub group_max_events: usize,
    /// Bytes of payload in one transaction; a larger append goes alone.
    #[serde(deserialize_with = "up_to::<{ 1 << 30 }, _, _>")]
    pub group_max_bytes: usize,
    /// Bytes of payload that may wait for the writer.
    #[serde(deserialize_with = "up_to::<{ 1 << 40 }, _, _>")]
    pub queue_max_bytes: usize,
    /// Events in one page.
    #[serde(deserialize_with = "up_to::<1_000_000, _, _>")]
    pub page_size_max: u32,
    /// Dead letters that one act is about, and that one step removes of those that are lost.
    #[serde(deserialize_with = "up_to::<100_000, _, _>")]
    pub letters_act_max: u32,
    /// Places of a stream, or links to them, that one transaction of a removal for good takes.
    #[serde(deserialize_with = "up_to::<1_000_000, _, _>")]
    pub removal_step_max: u32,
    /// Bytes of data and metadata in one page; an event that is larger is a page of its own.
    #[serde(deserialize_with = "up_to::<{ 1 << 30 }, _, _>")]
    pub page_max_bytes: usize,
    /// Bytes of data and metadata of one event, and of the body of one entry of the outbox.
    #[serde(deserialize_with = "up_to::<{ 256 << 20 }, _, _>")]
    pub max_payload_bytes: usize,
    /// Tags of one event.
    #[serde(deserialize_with = "up_to::<1_000, _, _>")]
    pub max_event_tags: usize,
    /// How deep objects and lists may be nested in what is appended.
    #[serde(deserialize_with = "up_to::<{ DEPTH_MAX as u64 }, _, _>")]
    pub max_json_depth: usize,
    /// Whether events may be removed for good, by [`umbel_core::store::Removal::Hard`].
    pub allow_hard_removal: bool,
    /// How often to look whether another process has appended.
    #[serde(deserialize_with = "up_to::<3_600_000, _, _>")]
    pub poll_interval_ms: u64,
    /// How often the processes of a store tell each other what they run that callers wait for, and what they answer.
    #[serde(deserialize_with = "up_to::<3_600_000, _, _>")]
    pub processes_interval_ms: u64,
    /// How often to remove the kept notices whose time has come.
    #[serde(deserialize_with = "up_to::<86_400_000, _, _>")]
    pub notices_sweep_interval_ms: u64,
    /// Days for which recorded commands are kept with their replies; 0 is for ever.
    #[serde(deserialize_with = "days")]
    pub commands_kept_days: u32,
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
pub enum StoreUrlError {
    /// It is empty, as it is where each installation must say it itself.
    #[error("store.url is not set: say where the log lives, by sqlite:PATH or postgres://USER@HOST/DATABASE")]
    Missing,
    /// `sqlite:` and nothing behind it.
    #[error("store.url names no file; write it like sqlite:data/umbel.db")]
    NoPath,
    /// `sqlite:` or `memory:` with parameters behind it. Only PostgreSQL has some.
    #[error(
        "store.url has the unknown key {key:?}; {scheme}: takes none, what there is to set has keys in [store]"
    )]
    UnknownKey {
        /// What it begins with.
        scheme: &'static str,
        /// The first key.
        key: String,
    },
    /// Nothing that is known.
    #[error("store.url begins with {scheme:?}; use sqlite:PATH, memory: or postgres://USER@HOST/DATABASE")]
    UnknownScheme {
        /// What it begins with. Not the whole text: it may hold a password.
        scheme: String,
    },
}

/// Refuses what is no store's address while it is known which setting it came from.
fn checked_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let url = String::deserialize(deserializer)?;
    match url.parse::<StoreUrl>().map_err(D::Error::custom)? {
        StoreUrl::Postgres(url) => postgres::check_url(&url).map_err(D::Error::custom)?,
        StoreUrl::Sqlite(_) | StoreUrl::Memory => {}
    }
    Ok(url)
}

/// Refuses a schema's name that could not be used.
fn checked_schema<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let schema = String::deserialize(deserializer)?;
    postgres::check_schema(&schema).map(|()| schema).map_err(D::Error::custom)
}

/// Refuses zero, with which nothing would ever be done, and what no machine bears.
fn up_to<'de, const MAX: u64, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: TryFrom<u64>,
    D: Deserializer<'de>,
{
    let value = u64::deserialize(deserializer)?;
    let fitting = (1..=MAX).contains(&value).then_some(value).and_then(|value| T::try_from(value).ok());
    fitting.ok_or_else(|| D::Error::custom(format!("it must be from 1 to {MAX}, but is {value}")))
}

/// Refuses what is longer than anybody waits.
fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    const MAX: u32 = 36_500;
    let days = u32::deserialize(deserializer)?;
    if days > MAX {
        return Err(D::Error::custom(format!(
            "it must be from 0, which is for ever, to {MAX}, but is {days}"
        )));
    }
    Ok(days)
}

impl StoreSettings {
    pub(crate) const fn limits(&self) -> Limits {
        Limits {
            append_max_events: self.group_max_events,
            payload_max_bytes: self.max_payload_bytes,
            append_max_bytes: self.queue_max_bytes,
            event_max_tags: self.max_event_tags,
            json_max_depth: self.max_json_depth,
        }
    }

    pub(crate) const fn poll_interval(&self) -> Duration {
        Duration::from_millis(self.poll_interval_ms)
    }

    pub(crate) const fn processes_interval(&self) -> Duration {
        Duration::from_millis(self.processes_interval_ms)
    }

    pub(crate) const fn notices_sweep_interval(&self) -> Duration {
        Duration::from_millis(self.notices_sweep_interval_ms)
    }

    /// How long recorded commands are kept; `None` is for ever.
    pub(crate) fn commands_kept(&self) -> Option<Duration> {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        (self.commands_kept_days > 0).then(|| DAY.saturating_mul(self.commands_kept_days))
    }
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            url: "sqlite:data/umbel.db".to_owned(),
            schema: "umbel".to_owned(),
            pooler: false,
            listen: true,
            max_connections: 8,
            max_statements: 512,
            writer_idle_ms: 300_000,
            queue_capacity: 4096,
            group_max_appends: 512,
            group_max_events: 10_000,
            group_max_bytes: 4 << 20,
            queue_max_bytes: 64 << 20,
            page_size_max: 4096,
            letters_act_max: 500,
            removal_step_max: REMOVAL_STEP_MAX,
            page_max_bytes: PAGE_MAX_BYTES,
            max_payload_bytes: 1 << 20,
            max_event_tags: 16,
            max_json_depth: DEPTH_MAX,
            allow_hard_removal: false,
            poll_interval_ms: 200,
            processes_interval_ms: 1000,
            notices_sweep_interval_ms: 60_000,
            commands_kept_days: 30,
        }
    }
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        if let Some((place, parameters)) = url.split_once('?')
            && let Some(scheme) =
                ["sqlite", "memory"].into_iter().find(|scheme| place.starts_with(&format!("{scheme}:")))
        {
            let key = parameters.split(['=', '&']).next().unwrap_or_default().to_owned();
            return Err(StoreUrlError::UnknownKey { scheme, key });
        }
        match url.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => {
                // `sqlite:///abs` and `sqlite:abs-or-relative` both mean a path.
                Ok(Self::Sqlite(path.strip_prefix("//").unwrap_or(path).into()))
            }
            Some(("memory", "" | "//")) => Ok(Self::Memory),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(url.to_owned())),
            Some(("sqlite", _)) => Err(StoreUrlError::NoPath),
            Some((scheme, _)) => Err(StoreUrlError::UnknownScheme { scheme: scheme.to_owned() }),
            None if url.is_empty() => Err(StoreUrlError::Missing),
            // Without a colon it is no address, and holds no password either.
            None => Err(StoreUrlError::UnknownScheme { scheme: url.to_owned() }),
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

    fn refusal(key: &str, value: impl Into<serde_json::Value>) -> String {
        let mut section = serde_json::Map::new();
        section.insert(key.to_owned(), value.into());
        let error = serde_json::from_value::<StoreSettings>(section.into()).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
        error
    }

    /// What could only fail later, or would never do anything, is refused with the settings.
    #[test]
    fn absurd_numbers_are_refused() {
        for key in [
            "max_connections",
            "max_statements",
            "writer_idle_ms",
            "queue_capacity",
            "group_max_appends",
            "group_max_events",
            "group_max_bytes",
            "queue_max_bytes",
            "page_size_max",
            "letters_act_max",
            "removal_step_max",
            "page_max_bytes",
            "max_payload_bytes",
            "max_event_tags",
            "max_json_depth",
            "poll_interval_ms",
            "processes_interval_ms",
            "notices_sweep_interval_ms",
        ] {
            assert!(refusal(key, 0).contains("from 1 to"), "{key}");
            assert!(refusal(key, u64::MAX).contains("from 1 to"), "{key}");
        }
        assert!(refusal("commands_kept_days", 36_501).contains("for ever"));
        let for_ever: StoreSettings = serde_json::from_str(r#"{"commands_kept_days": 0}"#).unwrap();
        assert_eq!(for_ever.commands_kept(), None);
        let one: StoreSettings = serde_json::from_str(r#"{"page_size_max": 1}"#).unwrap();
        assert_eq!(one, StoreSettings { page_size_max: 1, ..StoreSettings::default() });
    }

    /// OP-08: unknown keys in an address are refused, whatever the adapter.
    #[test]
    fn addresses_and_schemas_that_cannot_be_used_are_refused() {
        for (url, part) in [
            ("mysql://u:s3cret@h/d", "sqlite:PATH"),
            ("postgres:h", "postgres://"),
            ("postgres://u:s3cret@h/d?sslmode=on", "sslmode"),
            ("postgres://u:s3cret@h/d?port=x", "port"),
            ("postgres://u:s3cret@h/d?nonsense=1", "nonsense"),
            ("postgres:///d", "host"),
            ("sqlite:data/umbel.db?mode=ro", "\"mode\""),
            ("memory:?cache=shared", "\"cache\""),
        ] {
            let error = refusal("url", url);
            assert!(error.contains(part), "{error}");
        }
        for schema in ["", "Capital", "pg_x", "information_schema", "a-b"] {
            assert!(refusal("schema", schema).contains("schema"), "{schema}");
        }
        let fine = r#"{"url": "postgres://u@h:1/d?sslmode=verify-full&connect_timeout=3", "schema": "a_1"}"#;
        assert!(serde_json::from_str::<StoreSettings>(fine).is_ok());
    }
}
