//! Several hosts in one URL: one of them is where the log is written, and which one that is may change.

use std::{fmt, future::Future, time::Duration};

use tokio_postgres::{
    Config, Error,
    config::{Host, TargetSessionAttrs},
};
use umbel_core::store::StoreError;

use crate::postgres::error::{describe, store_error};

/// Why there is no connection: what the last host said, or that it said nothing.
#[derive(Debug)]
pub(super) enum Unopened {
    /// It was refused, or lost again at once.
    Refused(Error),
    /// No answer within so long.
    Silent(Duration),
}

impl fmt::Display for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => f.write_str(&describe(error)),
            Self::Silent(limit) => write!(f, "no answer within {limit:?}"),
        }
    }
}

impl Unopened {
    /// The caller's form of it.
    pub(super) fn explain(&self, place: &str) -> StoreError {
        match self {
            Self::Refused(error) => store_error(error, place),
            Self::Silent(_) => StoreError::Unavailable { reason: format!("PostgreSQL at {place}: {self}") },
        }
    }
}

/// Opens at the first host that will do, in their order. Each has an equal share of the limit, greeting and all: one that accepts and
/// says nothing, as a server that hangs does, leaves the others theirs.
pub(super) async fn first<T, F: Future<Output = Result<T, Error>>>(
    hosts: &[Config],
    limit: Duration,
    open: impl Fn(Config) -> F,
) -> Result<T, Unopened> {
    let share = limit / u32::try_from(hosts.len()).unwrap_or(u32::MAX).max(1);
    let mut unopened = Unopened::Silent(limit);
    for host in hosts {
        unopened = match tokio::time::timeout(share, open(host.clone())).await {
            Ok(Ok(opened)) => return Ok(opened),
            Ok(Err(error)) => Unopened::Refused(error),
            Err(_elapsed) => Unopened::Silent(share),
        };
    }
    Err(unopened)
}

/// One configuration for each host. Where there are several, one that takes no writes will not do, unless it is said that any does: it is
/// a standby, or was the primary once, and what is read there may be old.
pub(super) fn each(config: &Config, any_will_do: bool) -> Vec<Config> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = hosts.len().max(addresses.len());
    if count < 2 {
        return vec![config.clone()];
    }
    let one = |index: usize| {
        let mut one = without_hosts(config);
        match hosts.get(index) {
            Some(Host::Tcp(name)) => drop(one.host(name)),
            Some(Host::Unix(path)) => drop(one.host_path(path)),
            None => {}
        }
        if let Some(address) = addresses.get(index) {
            one.hostaddr(*address);
        }
        if let Some(port) = ports.get(index).or_else(|| ports.first()) {
            one.port(*port);
        }
        if !any_will_do {
            one.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        one
    };
    (0..count).map(one).collect()
}

/// There is no way to take hosts out of one.
fn without_hosts(config: &Config) -> Config {
    let mut other = Config::new();
    if let Some(user) = config.get_user() {
        other.user(user);
    }
    if let Some(password) = config.get_password() {
        other.password(password);
    }
    if let Some(database) = config.get_dbname() {
        other.dbname(database);
    }
    if let Some(options) = config.get_options() {
        other.options(options);
    }
    if let Some(name) = config.get_application_name() {
        other.application_name(name);
    }
    if let Some(limit) = config.get_connect_timeout() {
        other.connect_timeout(*limit);
    }
    if let Some(limit) = config.get_tcp_user_timeout() {
        other.tcp_user_timeout(*limit);
    }
    if let Some(interval) = config.get_keepalives_interval() {
        other.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        other.keepalives_retries(retries);
    }
    other
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .target_session_attrs(config.get_target_session_attrs())
        .channel_binding(config.get_channel_binding());
    other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Config {
        url.parse().unwrap()
    }

    #[test]
    fn each_host_has_all_else_in_common() {
        let url = "postgres://ada:s3cret@one:1,two:2/shop?application_name=till&connect_timeout=3";
        let hosts = each(&config(url), true);
        assert_eq!(hosts[0], config(&url.replace(",two:2", "")));
        assert_eq!(hosts[1], config(&url.replace("one:1,", "")));
        assert_eq!(hosts.len(), 2);
    }

    #[test]
    fn of_several_only_one_that_takes_writes_will_do_and_a_single_one_is_taken_as_it_is() {
        let attributes = |url: &str, any| each(&config(url), any)[0].get_target_session_attrs();
        assert_eq!(attributes("postgres://one,two/shop", false), TargetSessionAttrs::ReadWrite);
        assert_eq!(attributes("postgres://one,two/shop", true), TargetSessionAttrs::Any);
        assert_eq!(attributes("postgres://one/shop", false), TargetSessionAttrs::Any);
    }
}
