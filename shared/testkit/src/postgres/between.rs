//! What stands between a client and a server: whose place it takes, and under which URL it is reached.

use std::net::SocketAddr;

use tokio_postgres::{Config, config::Host};

/// Where the server of a URL is, and as whom to connect.
#[derive(Clone, Debug)]
pub(super) struct Upstream {
    /// `host:port`.
    pub(super) address: String,
    pub(super) user: String,
    pub(super) database: String,
}

impl Upstream {
    /// # Errors
    /// When the URL is none, or does not name one server reached by TCP.
    pub(super) fn of(url: &str) -> Result<Self, String> {
        let config: Config = url.parse().map_err(|error: tokio_postgres::Error| error.to_string())?;
        let [Host::Tcp(host)] = config.get_hosts() else {
            return Err("a proxy needs the URL of one server that is reached by TCP".into());
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let user = config.get_user().unwrap_or("postgres").to_owned();
        let database = config.get_dbname().map_or_else(|| user.clone(), str::to_owned);
        Ok(Self { address: format!("{host}:{port}"), user, database })
    }
}

/// The URL that leads to the same database through a proxy at `address`, which speaks no TLS.
pub(super) fn through(url: &str, address: SocketAddr) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let user = authority.rsplit_once('@').map_or_else(String::new, |(user, _)| format!("{user}@"));
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    format!("{scheme}://{user}{address}{path}?sslmode=disable")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_leads_through_the_proxy() {
        let upstream = Upstream::of("postgres://ada:s@db:77/conduit?connect_timeout=3").unwrap();
        let Upstream { address, user, database } = upstream;
        assert_eq!((&*address, &*user, &*database), ("db:77", "ada", "conduit"));
        let proxy = "127.0.0.1:9".parse().unwrap();
        assert_eq!(
            through("postgres://ada:s@db:77/conduit?connect_timeout=3", proxy),
            "postgres://ada:s@127.0.0.1:9/conduit?sslmode=disable"
        );
        assert_eq!(through("postgres://db", proxy), "postgres://127.0.0.1:9?sslmode=disable");
        assert!(Upstream::of("postgres://a,b/c").is_err());
    }
}
