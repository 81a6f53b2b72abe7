//! A PostgreSQL of one's own: found, started, shared and cleaned up without anybody's help.
//!
//! [`TestPostgres::get`] gives every test of a process the same server: the one that `UMBEL_TEST_POSTGRES_URL`
//! names, else a private temporary one that does not wait for the disk, started from whatever binaries the machine
//! has. [`Server`] is one that a test stops, kills and starts as it likes, with the default durability if it wants. [`CuttingProxy`] and [`disconnect`] break
//! connections, [`Pooler`] lets clients share them.
//!
//! Promises: a private server listens on 127.0.0.1 only, and it and its files are gone when the process that
//! started it ends, however it ends.

mod between;
mod binaries;
mod faults;
mod pooler;
mod schema;
mod server;
mod wire;

use std::{env, sync::OnceLock};

pub use binaries::program;
pub use faults::{CuttingProxy, disconnect};
pub use pooler::Pooler;
pub use schema::{TestSchema, execute};
pub use server::{Frozen, Server};

/// Names a server to use instead of starting one: a `postgres://` URL of a superuser, since tests damage stores and make roles.
pub const URL_VARIABLE: &str = "UMBEL_TEST_POSTGRES_URL";

/// The server that all tests of this process share.
#[derive(Debug)]
pub struct TestPostgres {
    url: String,
    superuser_url: String,
    /// Held so that the server lives as long as the process.
    _server: Option<Server>,
}

impl TestPostgres {
    /// The shared server; the first call starts it. Blocks for the second or so that this takes.
    ///
    /// # Errors
    /// One line that says what is missing and how to get it.
    pub fn get() -> Result<&'static Self, String> {
        static SHARED: OnceLock<Result<TestPostgres, String>> = OnceLock::new();
        SHARED.get_or_init(Self::find_or_start).as_ref().map_err(Clone::clone)
    }

    /// Where it is: a URL for any PostgreSQL client.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A schema name that nobody else uses, dropped with the value. The schema itself is not created.
    #[must_use]
    pub fn fresh_schema(&self) -> TestSchema {
        TestSchema::new(&self.url, &self.superuser_url)
    }

    fn find_or_start() -> Result<Self, String> {
        match env::var(URL_VARIABLE) {
            Ok(url) if !url.is_empty() => Ok(Self { superuser_url: url.clone(), url, _server: None }),
            _ => {
                let server = Server::start_without_sync()?;
                let (url, superuser_url) = (server.url().to_owned(), server.superuser_url());
                Ok(Self { url, superuser_url, _server: Some(server) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(url: &str, sql: &str) -> Result<i32, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        let connection = tokio::spawn(connection);
        let answer = client.query_one(sql, &[]).await.map(|row| row.get(0));
        drop(client);
        connection.await.expect("the connection's task does not panic")?;
        answer
    }

    #[tokio::test]
    async fn one_server_for_all_and_one_schema_for_each() {
        let postgres = TestPostgres::get().unwrap();
        assert_eq!(answer(postgres.url(), "SELECT 41 + 1").await.unwrap(), 42);
        assert_eq!(TestPostgres::get().unwrap().url(), postgres.url());
        let (one, other) = (postgres.fresh_schema(), postgres.fresh_schema());
        assert_ne!(one.name(), other.name());
    }

    #[tokio::test]
    async fn a_schema_goes_with_its_value() {
        let postgres = TestPostgres::get().unwrap();
        let schema = postgres.fresh_schema();
        let count = format!("SELECT count(*)::int FROM pg_namespace WHERE nspname = '{}'", schema.name());
        let create = format!("CREATE SCHEMA {}", schema.name());
        let (client, connection) =
            tokio_postgres::connect(postgres.url(), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&create).await.unwrap();
        assert_eq!(answer(postgres.url(), &count).await.unwrap(), 1);
        drop(schema);
        assert_eq!(answer(postgres.url(), &count).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn an_own_server_stops_dies_and_comes_back_with_its_data() {
        let server = Server::start().unwrap();
        let (client, connection) =
            tokio_postgres::connect(server.url(), tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute("CREATE TABLE kept AS SELECT 7 AS n").await.unwrap();
        server.kill9().unwrap();
        assert!(connection.await.unwrap().is_err() || client.is_closed());
        assert!(answer(server.url(), "SELECT 1").await.is_err());
        server.start_again().unwrap();
        assert_eq!(answer(server.url(), "SELECT n FROM kept").await.unwrap(), 7);
        server.stop().unwrap();
        assert!(answer(server.url(), "SELECT 1").await.is_err());
        let directory = server.directory().to_owned();
        drop(server);
        assert!(!directory.exists(), "{} is left behind", directory.display());
    }
}
