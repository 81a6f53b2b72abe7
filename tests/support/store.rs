//! The stores that the umbrella is tested on.

use std::path::Path;

use umbel_testkit::postgres::{TestPostgres, TestSchema};

/// A fresh store of one kind, removed when dropped.
pub(crate) enum Store {
    Sqlite,
    Postgres(TestSchema),
}

impl Store {
    /// A fresh schema on the tests' PostgreSQL.
    #[track_caller]
    pub(crate) fn postgres() -> Self {
        Self::Postgres(TestPostgres::get().unwrap_or_else(|error| panic!("{error}")).fresh_schema())
    }

    /// Each kind that outlives a process.
    pub(crate) fn durable() -> [Self; 2] {
        [Self::Sqlite, Self::postgres()]
    }

    /// The variables that point the umbrella to it; an embedded one lives in `dir`.
    pub(crate) fn variables(&self, dir: &Path) -> Vec<(&'static str, String)> {
        match self {
            Self::Sqlite => vec![("UMBEL__STORE__URL", format!("sqlite:{}", dir.join("umbel.db").display()))],
            Self::Postgres(schema) => vec![
                ("UMBEL__STORE__URL", schema.url().to_owned()),
                ("UMBEL__STORE__SCHEMA", schema.name().to_owned()),
            ],
        }
    }
}
