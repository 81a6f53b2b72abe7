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

/// Stands between clients and a server and passes everything on, until it is told to cut.
#[derive(Debug)]
pub struct CuttingProxy {
    url: String,
    cut: Arc<AtomicBool>,
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
        let cut = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&cut);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Without a server the client finds its connection closed.
                drop(join(client, &server, &told));
            }
        });
        Ok(Self { url: through(url, address), cut })
    }

    /// Where it listens, as a URL of the same database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Lets it swallow what the server says next, to whichever client, and close that connection: whatever it was
    /// the answer to is done, and the client never learns.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    /// Whether it was told to cut and has not yet.
    #[must_use]
    pub fn is_about_to_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }
}

fn join(client: TcpStream, server: &str, told: &Arc<AtomicBool>) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    let ways = [(client.try_clone()?, server.try_clone()?, None), (server, client, Some(Arc::clone(told)))];
    for (from, to, cut) in ways {
        thread::spawn(move || pass_on(from, to, cut.as_deref()));
    }
    Ok(())
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, cut: Option<&AtomicBool>) {
    // Only slower without it.
    drop(to.set_nodelay(true));
    let mut buffer = [0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let swallow = cut.is_some_and(|cut| cut.swap(false, Ordering::SeqCst));
        if swallow || to.write_all(&buffer[..length]).is_err() {
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
