//! The store on PostgreSQL.
//!
//! One log row whose lock orders all writers of all processes; one connection of our own that writes, a pool that
//! reads. Statements are in `sql/`, tables and functions in `migrations/`.
//!
//! Promises, beside those of [`Log`]: positions have no gaps and become visible in order, whoever writes;
//! several adapters may work on one schema, and tell each other of appends and of subscriptions; two schemas share nothing. A lost connection
//! is replaced by itself; an append whose connection was lost is settled with its own ids, never stored twice.
//!
//! Every statement names its schema, and correctness relies on no session: no setting, no lock, no temporary table.
//! Speed does, for statements are prepared once on each connection, and settings guide the planner. Behind a pooler in
//! transaction mode ([`PostgresOptions::pooler`]) statements go without names, and settings with each transaction.

pub(crate) mod admin;
mod attempts;
mod error;
mod extras;
pub(crate) mod floor;
mod hosts;
mod migrate;
mod news;
mod pool;
mod reader;
mod recent;
mod sql;
mod statement;
mod subscriptions;
mod target;
#[cfg(test)]
mod tests;
mod tls;
mod typed;
mod types;
mod upkeep;
mod writer;

use std::{sync::Arc, time::Duration};

use futures_util::{
    future::{self, BoxFuture},
    stream::{self, BoxStream},
};
use tokio::{task::yield_now, time::sleep};
use umbel_core::{
    Json, Position, Timestamp,
    document::{DocumentKey, DocumentQuery},
    event::RecordedEvent,
    id::{CommandId, EventId},
    store::{
        AllPage, Append, AppendError, Appended, Claim, ClaimLive, DocumentPage, Generation, ListClaims,
        ListProjections, ListStreams, LoadDocuments, OpenProjection, OpenTables, Parts, QueryTables, ReadAll,
        ReadError, ReadStream, RemoveRetired, SaveProjection, SaveProjectionError, SaveTables, StoreError,
        StoreStatus, StreamInfo, StreamList, StreamPage, SwitchError, SwitchProjection, TablesError,
    },
    stream::StreamName,
    subscription::Change,
};

use self::{
    news::{Announcer, Listener},
    pool::Pool,
    reader::Reader,
    sql::{Schema, Statements},
    target::Target,
    upkeep::Upkeeper,
    writer::Writer,
};
use crate::{
    adapter::{Log, News, ReadModels},
    page::PAGE_MAX_BYTES,
    steps::REMOVAL_STEP_MAX,
};

/// Checks what can be known of a `postgres://` URL without a server.
///
/// # Errors
/// Says what is wrong with it, without the password.
pub(crate) fn check_url(url: &str) -> Result<(), String> {
    target::check(url)
}

/// Checks a schema's name.
///
/// # Errors
/// Says what a name may look like.
pub(crate) fn check_schema(name: &str) -> Result<(), String> {
    Schema::new(name).map(drop)
}

/// Positions in a span: how the function close_spans divides the log.
const SPAN: u64 = 4096;

/// How the adapter uses the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// Whether a pooler in transaction mode is between: then nothing is prepared, and nothing set for longer than a
    /// transaction. Works without a pooler, too, only slower.
    pub pooler: bool,
    /// Whether to tell other processes of appends by NOTIFY, and to hear of theirs by LISTEN; never behind a pooler.
    pub listen: bool,
    /// Whether a role that is not let in, as with a wrong password, is an error and not an outage: whoever asks is not there for as long
    /// as it may take until somebody lets it in.
    pub must_be_let_in: bool,
    /// Connections for reading and for projections; one more is for appending, another one for links and acts of upkeep
    /// once there was one, and another one for listening once somebody follows the log, for all stores that share these.
    pub max_connections: usize,
    /// Bytes of data and metadata in one page; an event that is larger is a page of its own.
    pub page_max_bytes: usize,
    /// Lists of the events of one kind in one span that a page reads at most, or one of each kind.
    pub lists_max: u32,
    /// Places of a stream, or links to them, that one transaction of a removal for good takes.
    pub removal_step_max: u32,
    /// Statements that each of these keeps prepared; beyond that the longest unused are given up.
    pub max_statements: usize,
    /// How long the connections for appending and for acts stay open after they were used; up to twice that.
    pub idle_limit: Duration,
    /// How long opening a connection may take, until it is ready for use. Also how long the look at the schema before waits
    /// for a table that somebody holds locked.
    pub connect_timeout: Duration,
    /// How long a statement of a pooled connection may run: reads, and projections' writes. The server ends it
    /// then, whoever still waits. Somewhat more than callers usually wait, for it is not meant to be met: it bounds
    /// what an abandoned statement costs when the server could not be told to cancel it.
    pub statement_timeout: Duration,
    /// How long a group of appends may take before its connection counts as lost. Waiting for other writers is
    /// part of it, and bounded to ten seconds by the statements themselves.
    pub group_timeout: Duration,
    /// How long a transaction that may hold the log waits for its next statement until the server ends it: that of a
    /// process that froze, or that the network cut off. Shorter than the ten seconds that other writers wait for the log, so
    /// that they get through; what became of the group is found out as after a lost connection.
    pub stall_limit: Duration,
    /// How long after a lost connection the outcome of a group is pursued before it is given up as unknown. Bounds
    /// connecting and storing within it, too.
    pub outage_limit: Duration,
    /// How long to wait for another process that migrates the same schema.
    pub migration_wait: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            pooler: false,
            listen: true,
            must_be_let_in: false,
            max_connections: 8,
            page_max_bytes: PAGE_MAX_BYTES,
            lists_max: 65_536,
            removal_step_max: REMOVAL_STEP_MAX,
            max_statements: 512,
            idle_limit: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(15),
            group_timeout: Duration::from_secs(30),
            stall_limit: Duration::from_secs(5),
            outage_limit: Duration::from_secs(30),
            migration_wait: Duration::from_secs(60),
        }
    }
}

/// Whose connections a store reads on.
#[derive(Clone, Copy, Debug)]
enum Sharing {
    /// Its own.
    Alone,
    /// Those of all stores of its URL in this process.
    OfUrl,
}

/// The store in one schema of a PostgreSQL database.
#[derive(Debug)]
pub struct Postgres {
    reader: Arc<Reader>,
    writer: Writer,
    upkeeper: Arc<Upkeeper>,
    idle_limit: Duration,
    /// `None` where processes do not tell each other.
    news: Option<Ends>,
}

/// Both ends of what processes tell each other.
#[derive(Debug)]
struct Ends {
    announcer: Announcer,
    listener: Listener,
}

impl Postgres {
    /// Connects and brings the schema up to date, creating it if need be. Connections are driven by tasks on the
    /// caller's tokio runtime, which must outlive the adapter; the one that listens is driven by a thread of its own.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is no database yet, or another process migrates for too long;
    /// [`StoreError::Failed`] with what to do about it for everything else.
    pub async fn connect(url: &str, schema: &str, options: PostgresOptions) -> Result<Self, StoreError> {
        Self::over(url, schema, &options, true, Sharing::Alone).await
    }

    /// Connects to a schema as it is, to look at it: creates nothing and migrates nothing.
    ///
    /// # Errors
    /// [`StoreError::Failed`] also when the schema is missing or not up to date; otherwise as [`Postgres::connect`].
    pub async fn connect_existing(
        url: &str,
        schema: &str,
        options: PostgresOptions,
    ) -> Result<Self, StoreError> {
        Self::over(url, schema, &options, false, Sharing::Alone).await
    }

    /// As [`Postgres::connect`] if it may migrate, else as [`Postgres::connect_existing`], with the connections for
    /// reading that all stores of this process share which are opened so, at the same URL and with the same options.
    pub(crate) async fn connect_sharing(
        url: &str,
        schema: &str,
        options: &PostgresOptions,
        may_migrate: bool,
    ) -> Result<Self, StoreError> {
        Self::over(url, schema, options, may_migrate, Sharing::OfUrl).await
    }

    async fn over(
        url: &str,
        schema: &str,
        options: &PostgresOptions,
        may_migrate: bool,
        sharing: Sharing,
    ) -> Result<Self, StoreError> {
        let schema = Schema::new(schema).map_err(|reason| StoreError::Failed { reason })?;
        let target = Arc::new(Target::new(url, &schema, options)?);
        let (client, driving) = target.for_a_visit(options).open().await?;
        let ready = if may_migrate {
            migrate::migrate(&client, &target, &schema, options.migration_wait).await
        } else {
            migrate::check(&client, &target, &schema).await
        };
        drop(driving);
        ready?;
        let statements = Arc::new(Statements::new(&schema));
        let pool = match sharing {
            Sharing::Alone => Arc::new(Pool::new(&target, options)?),
            Sharing::OfUrl => Pool::shared(url, &target, options)?,
        };
        let listening = Arc::clone(pool.listening());
        let reader = Arc::new(Reader::new(Arc::clone(&target), Arc::clone(&statements), pool, options));
        // A session that listens is what poolers do not like.
        let news = (options.listen && !options.pooler).then(|| Ends {
            announcer: Announcer::new(Arc::clone(&reader), &schema),
            listener: Listener::new(Arc::clone(&reader), &listening, &schema),
        });
        Ok(Self {
            reader,
            news,
            idle_limit: options.idle_limit,
            upkeeper: Arc::new(Upkeeper::new(Arc::clone(&target), Arc::clone(&statements), options)),
            writer: Writer::new(target, statements, options),
        })
    }

    /// Tells other processes, if this one is to: subscriptions have changed. Who changed them may end right after, so it is said
    /// before that is answered.
    async fn tell_change(&self, change: Option<Change>) {
        if let (Some(news), Some(change)) = (&self.news, change) {
            news.announcer.changed(change).await;
        }
    }

    /// Gives up connections that nobody uses, for ever: with many tenants most are idle most of the time.
    async fn close_what_is_idle(&self) {
        loop {
            sleep(self.idle_limit).await;
            self.upkeeper.close_if_idle();
            self.writer.close_if_idle().await;
        }
    }

    /// Tells other processes, if this one is to: the log goes at least so far.
    fn tell(&self, head: Position) {
        if let Some(news) = &self.news {
            news.announcer.committed(head);
        }
    }
}

/// Drops what was stored when the next group is on its way: the database would be idle meanwhile.
fn drop_later(group: Vec<Append>) {
    if group.len() > 1 {
        tokio::spawn(async move {
            yield_now().await;
            drop(group);
        });
    }
}

impl Log for Postgres {
    fn append(
        &self,
        group: Vec<Append>,
        now: Timestamp,
    ) -> BoxFuture<'_, Vec<Result<Appended, AppendError>>> {
        Box::pin(async move {
            let outcomes = self.writer.append(&group, now).await;
            if let Some(head) = outcomes.iter().flatten().filter_map(|done| done.last_position).max() {
                self.tell(head);
            }
            drop_later(group);
            outcomes
        })
    }

    fn read_stream(&self, request: ReadStream) -> BoxFuture<'_, Result<StreamPage, ReadError>> {
        Box::pin(self.reader.read_stream(request))
    }

    fn read_all(&self, request: ReadAll) -> BoxFuture<'_, Result<AllPage, StoreError>> {
        Box::pin(self.reader.read_all(request))
    }

    fn read_stream_in_parts(
        &self,
        request: ReadStream,
        parts: Parts,
    ) -> BoxFuture<'_, Result<StreamPage, ReadError>> {
        Box::pin(self.reader.read_stream_in_parts(request, parts))
    }

    fn read_all_in_parts(
        &self,
        request: ReadAll,
        parts: Parts,
    ) -> BoxFuture<'_, Result<AllPage, StoreError>> {
        Box::pin(self.reader.read_all_in_parts(request, parts))
    }

    fn find_event(&self, id: EventId) -> BoxFuture<'_, Result<Option<RecordedEvent>, StoreError>> {
        Box::pin(self.reader.find_event(id))
    }

    fn stream_info(&self, stream: StreamName) -> BoxFuture<'_, Result<StreamInfo, ReadError>> {
        Box::pin(self.reader.stream_info(stream))
    }

    fn list_claims(&self, request: ListClaims) -> BoxFuture<'_, Result<Vec<Claim>, StoreError>> {
        Box::pin(self.reader.list_claims(request))
    }

    fn list_streams(&self, request: ListStreams) -> BoxFuture<'_, Result<StreamList, StoreError>> {
        Box::pin(self.reader.list_streams(request))
    }

    fn find_command(&self, id: CommandId) -> BoxFuture<'_, Result<Option<Appended>, StoreError>> {
        Box::pin(self.reader.find_command(id))
    }

    fn status(&self) -> BoxFuture<'_, Result<StoreStatus, StoreError>> {
        Box::pin(self.reader.status())
    }

    fn connections(&self) -> Option<u64> {
        Some(self.reader.target().attempts().made())
    }

    fn attend(&self) -> BoxFuture<'_, ()> {
        self.reader.read_here();
        Box::pin(async move {
            let speaking = async {
                if let Some(news) = &self.news {
                    news.announcer.speak().await;
                }
            };
            future::join(speaking, self.close_what_is_idle()).await;
        })
    }

    fn news(&self) -> BoxStream<'static, News> {
        match &self.news {
            Some(news) => news.listener.news(),
            None => Box::pin(stream::pending()),
        }
    }
}

impl ReadModels for Postgres {
    fn get_documents(&self, keys: Vec<DocumentKey>) -> BoxFuture<'_, Result<Vec<Option<Json>>, StoreError>> {
        Box::pin(self.reader.get_documents(keys))
    }

    fn query_documents(&self, query: DocumentQuery) -> BoxFuture<'_, Result<DocumentPage, StoreError>> {
        Box::pin(self.reader.query_documents(query))
    }

    fn load_checkpoint(&self, projection: String) -> BoxFuture<'_, Result<Position, StoreError>> {
        Box::pin(self.reader.load_checkpoint(projection))
    }

    fn save_projection(&self, request: SaveProjection) -> BoxFuture<'_, Result<(), SaveProjectionError>> {
        Box::pin(self.reader.save_projection(request))
    }

    fn load_documents(&self, request: LoadDocuments) -> BoxFuture<'_, Result<Vec<Option<Json>>, StoreError>> {
        Box::pin(self.reader.load_documents(request))
    }

    fn open_projection(&self, request: OpenProjection) -> BoxFuture<'_, Result<Vec<Generation>, StoreError>> {
        Box::pin(self.reader.open_projection(request))
    }

    fn open_tables(&self, request: OpenTables) -> BoxFuture<'_, Result<Vec<Generation>, TablesError>> {
        Box::pin(self.reader.open_tables(request))
    }

    fn save_tables(&self, request: SaveTables) -> BoxFuture<'_, Result<(), SaveProjectionError>> {
        Box::pin(self.reader.save_tables(request))
    }

    fn query_tables(&self, request: QueryTables) -> BoxFuture<'_, Result<Vec<Json>, TablesError>> {
        Box::pin(self.reader.query_tables(request))
    }

    fn list_projections(
        &self,
        request: ListProjections,
    ) -> BoxFuture<'_, Result<Vec<Generation>, StoreError>> {
        Box::pin(self.reader.list_projections(request))
    }

    fn switch_projection(&self, request: SwitchProjection) -> BoxFuture<'_, Result<(), SwitchError>> {
        Box::pin(self.reader.switch_projection(request))
    }

    fn remove_retired(&self, request: RemoveRetired) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.reader.remove_retired(request))
    }

    fn claim_live(&self, request: ClaimLive) -> BoxFuture<'_, Result<Position, StoreError>> {
        Box::pin(self.reader.claim_live(request))
    }
}
