//! Where the database is, and how to open a connection to it.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use tokio::task::JoinHandle;
use tokio_postgres::{
    AsyncMessage, Client, Config, Error, Notification,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;
use umbel_core::store::StoreError;

use crate::postgres::{
    PostgresOptions,
    attempts::{self, Attempts},
    error::{Kind, describe, kind, store_error},
    hosts::{self, Unopened},
    sql::Schema,
    tls::{self, Verify},
};

/// How long sent data may stay unacknowledged before the connection counts as lost, unless the URL says.
const UNACKNOWLEDGED_LIMIT: Duration = Duration::from_secs(15);

/// For the planner, not for correctness. Every statement here is short and served by an index, also while statistics
/// still say that the tables are empty; compiling one costs more than running it, and so does planning it anew for each set of
/// parameters, which lead to the same plan.
pub(super) const SETTINGS: &str =
    "SET jit = off; SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan";

/// Everything needed to open a connection.
#[derive(Clone)]
pub(super) struct Target {
    /// One for each host, in the order in which they are tried.
    hosts: Vec<Config>,
    tls: MakeRustlsConnect,
    attempts: Arc<Attempts>,
    connect_timeout: Duration,
    /// Whether a pooler in transaction mode is between, so that nothing outlives a transaction.
    pooled: bool,
    must_be_let_in: bool,
    /// The part of the place that all schemas have in common.
    database: String,
    place: String,
    /// What is set on a new connection, or at the beginning of a transaction.
    settings: String,
}

/// What a connection is notified of, until it ends. The connection works while it is asked for the next one.
pub(super) type Notifications = BoxStream<'static, Result<Notification, Error>>;

/// Drives a connection until it is dropped.
#[derive(Debug)]
pub(super) struct Driving(Option<JoinHandle<()>>);

impl Target {
    /// Reads a `postgres://` URL; on top of what tokio-postgres knows, `sslmode` may be `verify-ca` or
    /// `verify-full` and `sslrootcert` name a file of certificates to trust instead of the system's.
    ///
    /// # Errors
    /// Says what is wrong with the URL, without the password.
    pub(super) fn new(url: &str, schema: &Schema, options: &PostgresOptions) -> Result<Self, StoreError> {
        let &PostgresOptions { connect_timeout, pooler: pooled, must_be_let_in, .. } = options;
        let failed = |reason: String| StoreError::Failed { reason };
        let (mut config, ssl) = parse(url).map_err(failed)?;
        config.ssl_mode(ssl.mode);
        config.connect_timeout(config.get_connect_timeout().copied().unwrap_or(connect_timeout));
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNACKNOWLEDGED_LIMIT);
        }
        if config.get_application_name().is_none() {
            config.application_name("umbel");
        }
        let tls = tls::connector(ssl.verify, ssl.root_certificates.as_deref()).map_err(failed)?;
        let (database, place) = (database(&config), place(&config, schema));
        let hosts = hosts::each(&config, hosts::says_which(url));
        let (attempts, settings) = (Attempts::at(url), SETTINGS.to_owned());
        Ok(Self { hosts, tls, attempts, connect_timeout, pooled, must_be_let_in, database, place, settings })
    }

    /// Host, port, database and schema; never a password.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The same for all stores of the database.
    pub(super) fn of_all_schemas(&self) -> Self {
        Self { place: self.database.clone(), ..self.clone() }
    }

    /// Whether nothing outlives a transaction: no setting, no prepared statement.
    pub(super) fn is_pooled(&self) -> bool {
        self.pooled
    }

    /// What is set, for a transaction that sets it for itself.
    pub(super) fn local_settings(&self) -> String {
        self.settings.replace("SET ", "SET LOCAL ")
    }

    /// The same, with a limit for each statement of its connections.
    pub(super) fn with_statement_timeout(&self, limit: Duration) -> Self {
        // Zero would mean no limit.
        let limit_ms = limit.as_millis().max(1);
        Self { settings: format!("{SETTINGS}; SET statement_timeout = {limit_ms}"), ..self.clone() }
    }

    /// The same, for looking at a schema as a whole, which others may be changing: with a limit for each statement, and one
    /// for waiting for somebody's lock.
    pub(super) fn for_a_visit(&self, options: &PostgresOptions) -> Self {
        let limited = self.with_statement_timeout(options.statement_timeout);
        let limit_ms = options.connect_timeout.as_millis().max(1);
        Self { settings: format!("{}; SET lock_timeout = {limit_ms}", limited.settings), ..limited }
    }

    /// The attempts to connect to its server.
    pub(super) fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// How long opening a connection may take, with the wait for its turn.
    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout.saturating_add(attempts::PAUSE_MAX)
    }

    /// Asks the server to stop what a connection is doing. Best effort: the statement timeout bounds it anyway.
    pub(super) async fn cancel(&self, client: &Client) {
        let token = client.cancel_token();
        let told = token.cancel_query(self.tls.clone());
        if !matches!(tokio::time::timeout(self.connect_timeout, told).await, Ok(Ok(()))) {
            tracing::debug!(
                place = self.place,
                "PostgreSQL could not be told to cancel an abandoned statement"
            );
        }
    }

    /// A new connection with the task that drives it, which runs on the caller's runtime. Where the last attempt failed, at the
    /// [pace](Attempts::make) of all who connect.
    ///
    /// # Errors
    /// Unavailable, or failed with what to do about it.
    pub(super) async fn open(&self) -> Result<(Client, Driving), StoreError> {
        self.connect().await.map_err(|unopened| self.explain_unopened(&unopened))
    }

    /// The same, for who explains an error himself.
    pub(super) async fn connect(&self) -> Result<(Client, Driving), Unopened> {
        let connect = async |config: Config| {
            let (client, connection) = config.connect(self.tls.clone()).await?;
            let driving = Driving(Some(tokio::spawn(async move {
                if let Err(error) = connection.await
                    && kind(&error) != Kind::Lost
                {
                    tracing::warn!(error = %describe(&error), "a connection to PostgreSQL ended");
                }
            })));
            if !self.pooled {
                client.batch_execute(&self.settings).await?;
            }
            Ok((client, driving))
        };
        // As it goes through several hands it is in a box: each of them would have room for all of it.
        let opening = Box::pin(hosts::first(&self.hosts, self.connect_timeout, connect));
        self.attempts.make(opening).await
    }

    /// A new connection for listening, with what it is notified of.
    ///
    /// # Errors
    /// As [`Target::open`].
    pub(super) async fn listen(&self) -> Result<(Client, Notifications), StoreError> {
        let connect = async |mut config: Config| {
            // It waits for ever, and whoever looks at the server's sessions shall see for what.
            config.application_name(format!("{} listener", config.get_application_name().unwrap_or("umbel")));
            let (client, mut connection) = config.connect(self.tls.clone()).await?;
            let messages = stream::poll_fn(move |context| connection.poll_message(context));
            let notified = messages.filter_map(async |message| match message {
                Ok(AsyncMessage::Notification(notification)) => Some(Ok(notification)),
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            });
            Ok((client, notified.boxed()))
        };
        let opening = Box::pin(hosts::first(&self.hosts, self.connect_timeout, connect));
        self.attempts.make(opening).await.map_err(|unopened| self.explain_unopened(&unopened))
    }

    /// The caller's form of an error that a connection met.
    pub(super) fn explain(&self, error: &Error) -> StoreError {
        store_error(error, &self.place)
    }

    /// The same for one that was not opened.
    pub(super) fn explain_unopened(&self, unopened: &Unopened) -> StoreError {
        unopened.explain(&self.place, self.must_be_let_in)
    }

    /// The same for a write that was sent: if the connection is gone, nobody knows whether it took effect.
    pub(super) fn explain_write(&self, error: &Error) -> StoreError {
        match (kind(error), self.explain(error)) {
            (Kind::Lost, StoreError::Unavailable { reason }) => StoreError::OutcomeUnknown { reason },
            (_, other) => other,
        }
    }
}

impl Driving {
    /// Lets it go on until everything that was sent is answered. It ends then, once its client is dropped.
    pub(super) fn detach(mut self) {
        self.0.take();
    }
}

impl Drop for Driving {
    /// Without its driver the connection closes, and the server lets go of whatever it held.
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Where a URL and a schema lead; never a password.
///
/// # Errors
/// Says what is wrong with the URL, without the password.
pub(super) fn place_of(url: &str, schema: &Schema) -> Result<String, String> {
    parse(url).map(|(config, _)| place(&config, schema))
}

fn place(config: &Config, schema: &Schema) -> String {
    format!("{} schema {}", database(config), schema.name())
}

fn database(config: &Config) -> String {
    let database = config.get_dbname().or_else(|| config.get_user()).unwrap_or("its default database");
    format!("{}/{database}", hosts::names(config).join(","))
}

#[derive(Debug)]
struct Ssl {
    mode: SslMode,
    verify: Verify,
    root_certificates: Option<String>,
}

/// Checks what can be known without a server.
pub(super) fn check(url: &str) -> Result<(), String> {
    parse(url).map(drop)
}

fn parse(url: &str) -> Result<(Config, Ssl), String> {
    let (url, ssl) = split_ssl(url)?;
    let config: Config = url.parse().map_err(|error| format!("the store's URL: {}", describe(&error)))?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(
            "the store's URL names no host; it must look like postgres://user@host:5432/database".into()
        );
    }
    // Of an @ in a password, what follows would be taken for the host, and told as such.
    if config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(name) if name.contains('@'))) {
        return Err("the store's URL has more than one @; write that of a name or a password as %40".into());
    }
    Ok((config, ssl))
}

/// Takes the parameters that tokio-postgres does not know out of a URL.
fn split_ssl(url: &str) -> Result<(String, Ssl), String> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err("the store's URL must look like postgres://user@host:5432/database".into());
    }
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut mode, mut root_certificates, mut rest) = ("prefer", None, Vec::new());
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("sslmode", value)) => mode = value,
            Some(("sslrootcert", value)) => root_certificates = Some(percent_decoded(value)),
            _ => rest.push(parameter),
        }
    }
    let (mode, verify) = match mode {
        "disable" => (SslMode::Disable, Verify::Nothing),
        "prefer" | "allow" => (SslMode::Prefer, Verify::Nothing),
        // As libpq: naming a root certificate asks for it to be checked.
        "require" if root_certificates.is_some() => (SslMode::Require, Verify::Chain),
        "require" => (SslMode::Require, Verify::Nothing),
        "verify-ca" => (SslMode::Require, Verify::Chain),
        "verify-full" => (SslMode::Require, Verify::ChainAndName),
        other => {
            return Err(format!(
                "sslmode={other} in the store's URL: use disable, prefer, require, verify-ca or verify-full"
            ));
        }
    };
    let url = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    Ok((url, Ssl { mode, verify, root_certificates }))
}

/// A parameter's text; what is no escape stays as it is.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = (first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<Target, StoreError> {
        Target::new(url, &Schema::new("umbel").unwrap(), &PostgresOptions::default())
    }

    #[test]
    fn the_place_names_everything_but_the_password() {
        let target = target("postgres://ada:s3cret@db.example:6432/shop?sslmode=verify-full").unwrap();
        assert_eq!(target.place(), "db.example:6432/shop schema umbel");
        assert!(!format!("{target:?}").contains("s3cret"));
    }

    #[test]
    fn ssl_modes_of_libpq_are_understood() {
        let parse = |mode: &str| split_ssl(&format!("postgres://h/d?sslmode={mode}&connect_timeout=3"));
        for (mode, verify) in
            [("prefer", Verify::Nothing), ("verify-ca", Verify::Chain), ("verify-full", Verify::ChainAndName)]
        {
            let (url, ssl) = parse(mode).unwrap();
            assert_eq!((url.as_str(), ssl.verify), ("postgres://h/d?connect_timeout=3", verify), "{mode}");
        }
        assert!(parse("yes").unwrap_err().contains("verify-full"));
        let (_, ssl) = split_ssl("postgres://h/d?sslmode=require&sslrootcert=%2Fca%20.pem").unwrap();
        assert_eq!((ssl.verify, ssl.root_certificates.as_deref()), (Verify::Chain, Some("/ca .pem")));
    }

    #[test]
    fn a_wrong_url_says_what_is_wrong_and_not_the_password() {
        for url in [
            "mysql://h",
            "postgres://u:s3cret@h/d?port=x",
            "postgres://u:s3cret@h/d?sslmode=on",
            "postgres://u:p@s3cret@h/d",
        ] {
            let error = target(url).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
