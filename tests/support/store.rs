//! The stores that the umbrella is tested on.

use std::path::Path;

use actix::System;
use serde::{Deserialize, Serialize};
use umbel_bus::Bus;
use umbel_host::Foundation;
use umbel_persistence::StoreSettings;
use umbel_settings::{LoadOptions, Settings};
use umbel_supervision::Policy;
use umbel_testkit::postgres::{Pooler, TestPostgres, TestSchema};

use super::PATIENCE;

/// A fresh store of one kind, removed when dropped.
pub(crate) enum Store {
    Sqlite,
    Postgres(TestSchema),
    /// The same behind a pooler in transaction mode.
    Pooled(TestSchema),
}

/// Where a store is, to be told to another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StorePlace {
    /// Which adapter and where.
    pub(crate) url: String,
    /// On PostgreSQL, the schema.
    pub(crate) schema: String,
}

impl Store {
    /// A fresh schema on the tests' PostgreSQL.
    #[track_caller]
    pub(crate) fn postgres() -> Self {
        Self::Postgres(TestPostgres::get().unwrap_or_else(|error| panic!("{error}")).fresh_schema())
    }

    /// A fresh schema behind a pooler.
    #[track_caller]
    pub(crate) fn pooled() -> Self {
        Self::Pooled(Pooler::get().unwrap_or_else(|error| panic!("{error}")).fresh_schema())
    }

    /// Each kind that outlives a process.
    pub(crate) fn durable() -> [Self; 2] {
        [Self::Sqlite, Self::postgres()]
    }

    /// Where it is; an embedded one lives in `dir`.
    pub(crate) fn place(&self, dir: &Path) -> StorePlace {
        let (url, schema) = match self {
            Self::Sqlite => (format!("sqlite:{}", dir.join("umbel.db").display()), "umbel"),
            Self::Postgres(schema) | Self::Pooled(schema) => (schema.url().to_owned(), schema.name()),
        };
        StorePlace { url, schema: schema.to_owned() }
    }

    /// The variables that point the umbrella to it; an embedded one lives in `dir`.
    pub(crate) fn variables(&self, dir: &Path) -> Vec<(&'static str, String)> {
        let StorePlace { url, schema } = self.place(dir);
        let pooler = matches!(self, Self::Pooled(_)).to_string();
        vec![("UMBEL__STORE__URL", url), ("UMBEL__STORE__SCHEMA", schema), ("UMBEL__STORE__POOLER", pooler)]
    }
}

/// A bus with nothing but the store on it, for as long as the work takes.
pub(crate) fn with_store<T>(place: &StorePlace, work: impl AsyncFnOnce(Bus) -> T) -> T {
    let StorePlace { url, schema } = place.clone();
    let settings = StoreSettings { url, schema, ..StoreSettings::default() };
    System::new().block_on(async move {
        let options = LoadOptions { environment: Some("test".into()), ..LoadOptions::default() };
        let foundation = Foundation::from_settings(Settings::load(&options).unwrap()).unwrap();
        let store = umbel_persistence::group(&settings, &foundation.bus, Policy::default());
        let supervisor = foundation.umbrella("store").with(store).start();
        supervisor.tree().wait_until_up(PATIENCE).await.unwrap();
        let result = work(foundation.bus.clone()).await;
        supervisor.shut_down().await;
        result
    })
}
