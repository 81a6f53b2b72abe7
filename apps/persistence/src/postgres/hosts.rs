//! Several hosts in one URL: one of them is where the log is written, and which one that is may change.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_postgres::{
    Config, Error,
    config::{Host, TargetSessionAttrs},
};
use umbel_core::store::StoreError;

use crate::postgres::error::{connect_error, describe};

/// Why there is no connection: what came of the last host, and of those before it.
#[derive(Clone, Debug)]
pub(super) struct Unopened {
    cause: Cause,
    before: Vec<String>,
    /// Whether this process was connected before.
    was_open: bool,
}

/// What came of one.
#[derive(Clone, Debug)]
enum Cause {
    /// It was refused, or lost again at once.
    Refused(Arc<Error>),
    /// No answer within so long.
    Silent(Duration),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => f.write_str(&describe(error)),
            Self::Silent(limit) => write!(f, "no answer within {limit:?}"),
        }
    }
}

impl fmt::Display for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.cause, self.others())
    }
}

impl Unopened {
    /// There was no answer within so long.
    #[cfg(test)]
    pub(super) const fn silent(limit: Duration) -> Self {
        Self { cause: Cause::Silent(limit), before: Vec::new(), was_open: false }
    }

    /// The same, by whether the process was connected before.
    pub(super) fn knowing(self, was_open: bool) -> Self {
        Self { was_open, ..self }
    }

    /// The caller's form of it, by whether a role that is not let in is an outage or an error.
    pub(super) fn explain(&self, place: &str, must_be_let_in: bool) -> StoreError {
        let mut error = match &self.cause {
            Cause::Refused(error) => connect_error(error, place, must_be_let_in, self.was_open),
            Cause::Silent(_) => {
                StoreError::Unavailable { reason: format!("PostgreSQL at {place}: {}", self.cause) }
            }
        };
        if let StoreError::Unavailable { reason } | StoreError::Failed { reason } = &mut error {
            reason.push_str(&self.others());
        }
        error
    }

    fn others(&self) -> String {
        if self.before.is_empty() {
            String::new()
        } else {
            format!("; before that, {}", self.before.join(", "))
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
    let mut came = Vec::new();
    for host in hosts {
        let cause = match timeout(share, open(host.clone())).await {
            Ok(Ok(opened)) => return Ok(opened),
            Ok(Err(error)) => Cause::Refused(Arc::new(error)),
            Err(_elapsed) => Cause::Silent(share),
        };
        came.push((host, cause));
    }
    let cause = came.pop().map_or(Cause::Silent(limit), |(_, cause)| cause);
    let before = came.iter().map(|(host, cause)| format!("{}: {cause}", names(host).join(","))).collect();
    Err(Unopened { cause, before, was_open: false })
}

/// Host and port of each.
pub(super) fn names(config: &Config) -> Vec<String> {
    let name = |(index, host): (usize, &Host)| {
        let ports = config.get_ports();
        let port = ports.get(index).or_else(|| ports.first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            Host::Unix(path) => format!("{}:{port}", path.display()),
        }
    };
    config.get_hosts().iter().enumerate().map(name).collect()
}

/// Whether a URL says itself which of its hosts will do.
pub(super) fn says_which(url: &str) -> bool {
    let parameters = url.split_once('?').map_or("", |(_, query)| query).split('&');
    parameters.into_iter().any(|parameter| parameter.starts_with("target_session_attrs="))
}

/// One configuration for each host. Where there are several, one that takes no writes will not do, unless the URL says which will: it is
/// a standby, or was the primary once, and what is read there may be old.
pub(super) fn each(config: &Config, is_said: bool) -> Vec<Config> {
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
        if !is_said {
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
        let attributes = |url: &str| each(&config(url), says_which(url))[0].get_target_session_attrs();
        assert_eq!(attributes("postgres://one,two/shop"), TargetSessionAttrs::ReadWrite);
        assert_eq!(attributes("postgres://one,two/shop?target_session_attrs=any"), TargetSessionAttrs::Any);
        assert_eq!(attributes("postgres://one/shop"), TargetSessionAttrs::Any);
    }

    #[tokio::test]
    async fn what_came_of_each_host_is_told() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = taken.local_addr().unwrap();
        let hosts = each(&config(&format!("postgres://ada@127.0.0.1:1,{silent}/shop")), false);
        let open = async |host: Config| host.connect(tokio_postgres::NoTls).await.map(drop);
        let unopened = first(&hosts, Duration::from_millis(400), open).await.unwrap_err();
        let StoreError::Unavailable { reason } = unopened.explain("both", false) else {
            panic!("{unopened}")
        };
        let (last, before) = reason.split_once("; before that, 127.0.0.1:1: ").unwrap();
        assert_eq!(last, "PostgreSQL at both: no answer within 200ms");
        assert!(before.contains("refused"), "{before}");
    }
}
