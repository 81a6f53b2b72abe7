//! Connections that die: told to by the server, or by somebody on the way.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use super::between::{Upstream, through};

/// Ends all connections of an application, as an administrator would; blocks until the server has been told. The answer
/// is how many there were. A URL names its application as `?application_name=...`.
///
/// # Errors
/// When the server cannot be reached.
pub fn disconnect(url: &str, application: &str) -> Result<usize, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ending = async {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        client.query(include_str!("disconnect.sql"), &[&application]).await
    };
    let ended = runtime.map_err(|error| error.to_string())?.block_on(ending);
    ended.map(|rows| rows.len()).map_err(|error| error.to_string())
}

/// What a client sends to commit a transaction.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// Stands between clients and a server and passes everything on, until it is told to refuse, to cut or to stall.
#[derive(Debug)]
pub struct CuttingProxy {
    url: String,
    told: Told,
}

/// What it was told and has not done yet.
#[derive(Clone, Debug, Default)]
struct Told {
    refuse: Arc<AtomicBool>,
    cut: Arc<AtomicBool>,
    stall: Arc<AtomicBool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

impl CuttingProxy {
    /// Begins to listen. It stays until the process ends.
    ///
    /// # Errors
    /// When the URL does not name one server reached by TCP, or there is no port.
    pub fn start(url: &str) -> Result<Self, String> {
        let server = Upstream::of(url)?.address;
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let told = Told::default();
        let to_all = told.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Without a server the client finds its connection closed.
                if !to_all.refuse.swap(false, Ordering::SeqCst) {
                    drop(join(client, &server, &to_all));
                }
            }
        });
        Ok(Self { url: through(url, address), told })
    }

    /// Where it listens, as a URL of the same database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Lets it close the next client's connection before anything is said.
    pub fn refuse(&self) {
        self.told.refuse.store(true, Ordering::SeqCst);
    }

    /// Lets it swallow what the server says next, to whichever client, and close that connection: whatever it was
    /// the answer to is done, and the client never learns.
    pub fn cut(&self) {
        self.told.cut.store(true, Ordering::SeqCst);
    }

    /// Lets the next transaction, whichever client's, stall before its commit: everything before has arrived, and nothing
    /// more does, while the connection stays open. So it is with a process that froze, or that the network cut off.
    pub fn stall(&self) {
        self.told.stall.store(true, Ordering::SeqCst);
    }

    /// Whether it was told to stall and has not yet.
    #[must_use]
    pub fn is_about_to_stall(&self) -> bool {
        self.told.stall.load(Ordering::SeqCst)
    }

    /// Whether it was told to cut and has not yet.
    #[must_use]
    pub fn is_about_to_cut(&self) -> bool {
        self.told.cut.load(Ordering::SeqCst)
    }
}

fn join(client: TcpStream, server: &str, told: &Told) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    let to_server = (client.try_clone()?, server.try_clone()?, Way::ToServer);
    for (from, to, way) in [to_server, (server, client, Way::ToClient)] {
        let told = told.clone();
        thread::spawn(move || pass_on(from, to, way, &told));
    }
    Ok(())
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, way: Way, told: &Told) {
    // Only slower without it.
    drop(to.set_nodelay(true));
    let mut buffer = [0; 65_536];
    let mut stalled = false;
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let mut said = &buffer[..length];
        match way {
            Way::ToServer => {
                let commit = said.windows(COMMIT.len()).position(|part| part == COMMIT);
                if let Some(commit) = commit
                    && told.stall.load(Ordering::SeqCst)
                {
                    stalled = true;
                    drop(to.write_all(&said[..commit]));
                    told.stall.store(false, Ordering::SeqCst);
                }
                if stalled {
                    said = &[];
                }
            }
            Way::ToClient if told.cut.swap(false, Ordering::SeqCst) => break,
            Way::ToClient => {}
        }
        if to.write_all(said).is_err() {
            break;
        }
    }
    // The other direction ends with this one.
    drop((from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::TestPostgres;

    async fn connect(url: &str) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    #[tokio::test]
    async fn a_cut_swallows_one_answer() {
        let proxy = CuttingProxy::start(TestPostgres::get().unwrap().url()).unwrap();
        let client = connect(proxy.url()).await;
        client.batch_execute("SELECT 1").await.unwrap();
        proxy.cut();
        assert!(client.batch_execute("SELECT 1").await.is_err());
        assert!(!proxy.is_about_to_cut());
        connect(proxy.url()).await.batch_execute("SELECT 1").await.unwrap();
    }

    #[tokio::test]
    async fn a_stalled_transaction_stays_open() {
        let proxy = CuttingProxy::start(TestPostgres::get().unwrap().url()).unwrap();
        let client = connect(proxy.url()).await;
        client.batch_execute("BEGIN; SET LOCAL idle_in_transaction_session_timeout = '100ms'").await.unwrap();
        proxy.stall();
        let error = client.batch_execute("COMMIT").await.unwrap_err();
        assert_eq!(error.code().map(tokio_postgres::error::SqlState::code), Some("25P03"), "{error}");
        assert!(!proxy.is_about_to_stall());
        connect(proxy.url()).await.batch_execute("BEGIN; SELECT 1; COMMIT").await.unwrap();
    }

    #[tokio::test]
    async fn only_one_applications_connections_end() {
        let url = TestPostgres::get().unwrap().url().to_owned();
        let named = |name: &str| format!("{url}?application_name={name}");
        let name = format!("faults_{}", std::process::id());
        let (one, other) = (connect(&named(&name)).await, connect(&url).await);
        let ended = tokio::task::spawn_blocking(move || disconnect(&url, &name)).await.unwrap();
        assert_eq!(ended, Ok(1));
        assert!(one.batch_execute("SELECT 1").await.is_err());
        other.batch_execute("SELECT 1").await.unwrap();
    }
}
