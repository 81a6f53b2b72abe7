//! A pooler in transaction mode, as PgBouncer is one, without support for prepared statements.
//!
//! Clients share a few connections to the server: each transaction takes one and gives it back when the server says that
//! it is idle, so that the next transaction of the same client runs on another one. What a client set, prepared or
//! locked for its session is therefore not there any more, and fails tests that rely on it every time: connections are
//! handed out in turn, the one longest unused first.
//!
//! It speaks just enough of the protocol: simple and extended queries, each batch answered before the next is
//! looked at. COPY and Flush are refused, notifications are swallowed, cancelling does nothing, and the server must trust
//! its local users, as a private [`Server`](super::Server) does.

use std::{
    collections::VecDeque,
    io::{self, BufReader, BufWriter, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use super::{
    Server, TestSchema,
    between::{Upstream, through},
    wire::{Message, Startup, read_startup, write_startup},
};

/// Connections of the pooler that tests share: fewer than they have clients.
const SHARED: usize = 4;

/// Startup parameters that a pooler takes care of; it refuses others, as PgBouncer does.
const PARAMETERS: &[&str] =
    &["user", "database", "client_encoding", "application_name", "DateStyle", "TimeZone"];

/// A pooler before a server. Stops taking clients when dropped.
#[derive(Debug)]
pub struct Pooler {
    url: String,
    server_url: String,
    address: SocketAddr,
    closed: Arc<AtomicBool>,
}

/// The connections to the server.
struct Pool {
    upstream: Upstream,
    /// Those that no client uses, the longest unused first; an empty place is for a connection yet to be opened.
    idle: Mutex<VecDeque<Option<Link>>>,
    returned: Condvar,
    /// What the server tells each new client about itself.
    greeting: Vec<Message>,
}

/// A connection, to a client or to the server.
struct Link {
    reader: BufReader<TcpStream>,
    writer: BufWriter<TcpStream>,
}

/// A place of the pool that a client holds. Unless it is handed back, its connection closes: it may be in the middle of
/// a transaction.
struct Lease<'a> {
    pool: &'a Pool,
    server: Option<Link>,
}

impl Pooler {
    /// The pooler that all tests of this process share, before a server of its own, which trusts it; the first call
    /// starts both.
    ///
    /// # Errors
    /// One line that says what is missing and how to get it.
    pub fn get() -> Result<&'static Self, String> {
        static STARTED: OnceLock<Result<(Pooler, Server), String>> = OnceLock::new();
        let start = || {
            let server = Server::start_without_sync()?;
            Ok((Self::start(server.url(), SHARED)?, server))
        };
        STARTED.get_or_init(start).as_ref().map(|(pooler, _)| pooler).map_err(Clone::clone)
    }

    /// A schema name that nobody else uses, reached through the pooler and dropped with the value.
    #[must_use]
    pub fn fresh_schema(&self) -> TestSchema {
        TestSchema::new(&self.url, &self.url)
    }

    /// Opens so many connections to the server of a URL, and begins to listen. Two at least, for one connection would keep
    /// every client's session.
    ///
    /// # Errors
    /// When the server cannot be reached, or wants a password.
    pub fn start(url: &str, connections: usize) -> Result<Self, String> {
        let failed = |error: io::Error| format!("the pooler cannot start: {error}");
        let upstream = Upstream::of(url)?;
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (first, greeting) = Link::to_server(&upstream).map_err(failed)?;
        let mut idle = VecDeque::from([Some(first)]);
        idle.resize_with(connections.max(2), || None);
        let pool = Pool { upstream, idle: Mutex::new(idle), returned: Condvar::new(), greeting };
        let (pool, closed) = (Arc::new(pool), Arc::new(AtomicBool::new(false)));
        let no_more = Arc::clone(&closed);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if no_more.load(Ordering::SeqCst) {
                    return;
                }
                let pool = Arc::clone(&pool);
                // A client that breaks off, or is refused, knows why.
                thread::spawn(move || drop(pool.serve(client)));
            }
        });
        Ok(Self { url: through(url, address), server_url: url.to_owned(), address, closed })
    }

    /// Where it listens, as a URL of the same database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the server itself is, for who looks from outside at what goes through here.
    #[must_use]
    pub fn server_url(&self) -> &str {
        &self.server_url
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        // Wakes the listener, so that it sees this.
        drop(TcpStream::connect(self.address));
    }
}

impl Pool {
    /// One client, to its end.
    fn serve(&self, client: TcpStream) -> io::Result<()> {
        let mut client = Link::new(client)?;
        if !self.greet(&mut client)? {
            return Ok(());
        }
        let mut lease: Option<Lease<'_>> = None;
        while let Some(message) = Message::read(&mut client.reader)? {
            match message.kind() {
                b'X' => break,
                // Flush, and the parts of a COPY.
                b'H' | b'd' | b'c' | b'f' => {
                    return client.refuse("0A000", "the pooler takes no COPY or Flush");
                }
                _ => {}
            }
            let ends_batch = matches!(message.kind(), b'Q' | b'S' | b'F');
            let mut held = match lease.take() {
                Some(held) => held,
                None => match self.take() {
                    Ok(taken) => taken,
                    Err(error) => return client.refuse("08006", &format!("no server: {error}")),
                },
            };
            let server = held.link()?;
            message.write(&mut server.writer)?;
            if ends_batch {
                server.writer.flush()?;
                if relay(server, &mut client)? == b'I' {
                    held.hand_back();
                    continue;
                }
            }
            lease = Some(held);
        }
        Ok(())
    }

    /// The beginning of a client's connection; whether it may go on.
    fn greet(&self, client: &mut Link) -> io::Result<bool> {
        let parameters = loop {
            match read_startup(&mut client.reader)? {
                Startup::Parameters(parameters) => break parameters,
                Startup::Encrypt => {
                    client.writer.write_all(b"N")?;
                    client.writer.flush()?;
                }
                Startup::Cancel => return Ok(false),
            }
        };
        if let Some(unknown) = parameters.iter().find(|name| !PARAMETERS.contains(&name.as_str())) {
            client.refuse("08P01", &format!("unsupported startup parameter: {unknown}"))?;
            return Ok(false);
        }
        Message::new(b'R', &0_u32.to_be_bytes()).write(&mut client.writer)?;
        for status in &self.greeting {
            status.write(&mut client.writer)?;
        }
        Message::new(b'K', &[0; 8]).write(&mut client.writer)?;
        Message::new(b'Z', b"I").write(&mut client.writer)?;
        client.writer.flush()?;
        Ok(true)
    }

    /// A connection to the server, as soon as one is free.
    fn take(&self) -> io::Result<Lease<'_>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let place = loop {
            match idle.pop_front() {
                Some(place) => break place,
                None => idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(idle);
        // From here on the place goes back, whatever happens.
        let mut lease = Lease { pool: self, server: place };
        if lease.server.is_none() {
            lease.server = Some(Link::to_server(&self.upstream)?.0);
        }
        Ok(lease)
    }

    fn put(&self, place: Option<Link>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push_back(place);
        self.returned.notify_one();
    }
}

impl Lease<'_> {
    fn link(&mut self) -> io::Result<&mut Link> {
        self.server.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// The transaction is over: somebody else may have the connection.
    fn hand_back(mut self) {
        self.pool.put(self.server.take());
        std::mem::forget(self);
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.pool.put(None);
    }
}

impl Link {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::new(stream.try_clone()?), writer: BufWriter::new(stream) })
    }

    /// A new connection to the server that is ready for use, with what it said about itself.
    fn to_server(upstream: &Upstream) -> io::Result<(Self, Vec<Message>)> {
        let mut link = Self::new(TcpStream::connect(&upstream.address)?)?;
        let parameters = [("user", &*upstream.user), ("database", &*upstream.database)];
        write_startup(&mut link.writer, &parameters)?;
        link.writer.flush()?;
        let mut greeting = Vec::new();
        while let Some(message) = Message::read(&mut link.reader)? {
            match message.kind() {
                b'Z' => return Ok((link, greeting)),
                b'S' => greeting.push(message),
                b'R' if message.body() == 0_u32.to_be_bytes() => {}
                b'R' => return Err(io::Error::other("the server wants a password; use one that trusts")),
                b'E' => return Err(io::Error::other(String::from_utf8_lossy(message.body()).into_owned())),
                _ => {}
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    /// Tells a client what is wrong; it is to close then.
    fn refuse(&mut self, code: &str, what: &str) -> io::Result<()> {
        let body = format!("SFATAL\0VFATAL\0C{code}\0M{what}\0\0");
        Message::new(b'E', body.as_bytes()).write(&mut self.writer)?;
        self.writer.flush()
    }
}

/// Passes on what the server answers to a batch; the status of the transaction at its end.
fn relay(server: &mut Link, client: &mut Link) -> io::Result<u8> {
    while let Some(message) = Message::read(&mut server.reader)? {
        match message.kind() {
            // Notifications are of a session, and nobody has one.
            b'A' => continue,
            b'G' | b'H' | b'W' => {
                client.refuse("0A000", "the pooler takes no COPY")?;
                return Err(io::ErrorKind::Unsupported.into());
            }
            _ => message.write(&mut client.writer)?,
        }
        if message.kind() == b'Z' {
            client.writer.flush()?;
            return Ok(message.body().first().copied().unwrap_or_default());
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use tokio_postgres::{Client, NoTls, types::Type};

    use super::*;

    /// A pooler before a server that trusts, whatever server the other tests use.
    fn pooler() -> Pooler {
        static SERVER: OnceLock<Server> = OnceLock::new();
        Pooler::start(SERVER.get_or_init(|| Server::start().unwrap()).url(), 2).unwrap()
    }

    async fn connect(pooler: &Pooler) -> Client {
        let (client, connection) = tokio_postgres::connect(pooler.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// The server's process that serves a client now, asked by an unnamed statement.
    async fn served_by(client: &Client) -> i32 {
        let types: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] = &[(&1_i32, Type::INT4)];
        client.query_typed("SELECT pg_backend_pid() * $1", types).await.unwrap()[0].get(0)
    }

    #[tokio::test]
    async fn each_transaction_may_be_on_another_connection() {
        let pooler = pooler();
        let client = connect(&pooler).await;
        let (one, other) = (served_by(&client).await, served_by(&client).await);
        assert_ne!(one, other);

        client.batch_execute("BEGIN").await.unwrap();
        let within = served_by(&client).await;
        assert_eq!(served_by(&client).await, within, "a transaction stays where it is");
        client.batch_execute("COMMIT").await.unwrap();
        assert_ne!(served_by(&client).await, within);

        // What a session knows does not stick.
        client.batch_execute("SET umbel.test = 'here'").await.unwrap();
        let ask = "SELECT current_setting('umbel.test', true)";
        let setting: Option<String> = client.query_typed(ask, &[]).await.unwrap()[0].get(0);
        assert_eq!(setting, None);
        let statement = client.prepare("SELECT 1").await.unwrap();
        let error = client.query(&statement, &[]).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "26000", "{error}");

        // An error ends its transaction, not the connection.
        assert!(client.batch_execute("SELECT 1 / 0").await.is_err());
        assert!(client.batch_execute("COPY pg_class TO STDOUT").await.is_err());
    }

    #[tokio::test]
    async fn clients_share_the_connections_and_leave_nothing_behind() {
        let pooler = pooler();
        // More clients than connections at once, each with transactions of several statements.
        let mut clients = tokio::task::JoinSet::new();
        for number in 0..6_i32 {
            let client = connect(&pooler).await;
            clients.spawn(async move {
                for _ in 0..5 {
                    let begin = format!("BEGIN; SET LOCAL umbel.number = '{number}'");
                    client.batch_execute(&begin).await.unwrap();
                    tokio::task::yield_now().await;
                    let ask = "SELECT current_setting('umbel.number')::int";
                    let found: i32 = client.query_typed(ask, &[]).await.unwrap()[0].get(0);
                    assert_eq!(found, number);
                    client.batch_execute("COMMIT").await.unwrap();
                }
            });
        }
        clients.join_all().await;
        // A client that goes away in the middle of a transaction ends it.
        let gone = connect(&pooler).await;
        gone.batch_execute("BEGIN; CREATE TABLE half (n int)").await.unwrap();
        drop(gone);
        let client = connect(&pooler).await;
        let ask = "SELECT to_regclass('half') IS NULL AND NOT EXISTS \
                   (SELECT FROM pg_stat_activity WHERE state = 'idle in transaction')";
        while !client.query_typed(ask, &[]).await.unwrap()[0].get::<_, bool>(0) {
            tokio::task::yield_now().await;
        }
        for _ in 0..4 {
            served_by(&client).await;
        }
    }

    #[tokio::test]
    async fn what_a_session_would_need_is_refused() {
        let pooler = pooler();
        let url = format!("{}&options=-c%20jit=off", pooler.url());
        let Err(error) = tokio_postgres::connect(&url, NoTls).await else { panic!("it connected") };
        assert!(error.as_db_error().unwrap().message().contains("options"), "{error}");
    }
}
