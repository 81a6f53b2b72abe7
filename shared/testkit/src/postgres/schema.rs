//! A schema per test.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    thread,
};

/// A schema name of a test's own. What the test put into it is dropped with this value.
#[derive(Debug)]
pub struct TestSchema {
    url: String,
    superuser_url: String,
    name: String,
}

impl TestSchema {
    pub(super) fn new(url: &str, superuser_url: &str) -> Self {
        let number = RandomState::new().build_hasher().finish();
        Self {
            url: url.to_owned(),
            superuser_url: superuser_url.to_owned(),
            name: format!("test_{number:016x}"),
        }
    }

    /// Its name, which needs no quoting.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the server is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same for a superuser, for what no application may do.
    #[must_use]
    pub fn superuser_url(&self) -> &str {
        &self.superuser_url
    }
}

impl Drop for TestSchema {
    /// Tidies up as well as it can: the server may be gone already.
    fn drop(&mut self) {
        let (url, name) = (self.url.clone(), self.name.clone());
        // A thread of its own, because the test may be inside a runtime, where one cannot block on another.
        let dropping = thread::spawn(move || drop_schema(&url, &name));
        if let Ok(Err(error)) = dropping.join() {
            eprintln!("schema {} was not dropped: {error}", self.name);
        }
    }
}

fn drop_schema(url: &str, name: &str) -> Result<(), String> {
    let drop = format!(
        "BEGIN; SET LOCAL client_min_messages = warning; SET LOCAL lock_timeout = '5s'; \
         DROP SCHEMA IF EXISTS {name} CASCADE; COMMIT"
    );
    execute(url, &drop)
}

/// Executes statements, as an administrator would who knows better than the store; blocks until that is done.
///
/// # Errors
/// When the server cannot be reached, or refuses.
pub fn execute(url: &str, statements: &str) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let executing = async {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute(statements).await
    };
    runtime.map_err(|error| error.to_string())?.block_on(executing).map_err(|error| error.to_string())
}
