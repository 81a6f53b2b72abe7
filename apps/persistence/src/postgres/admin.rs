//! A schema from outside: which migrations it went through, how large it is, its end; and which stores a database
//! holds. Each function opens a connection of its own for the moment, and waits for nobody's lock for long.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, error::SqlState};
use umbel_core::store::StoreError;

use crate::postgres::{
    PostgresOptions, migrate,
    sql::Schema,
    statement::ask,
    target::{self, Driving, Target},
    typed::Param,
};

const STORES: &str = include_str!("admin/stores.sql");
const OBJECTS: &str = include_str!("admin/objects.sql");
const DROP_OBJECTS: &str = include_str!("admin/drop_objects.sql");
const DROP_TABLES: &str = include_str!("admin/drop_tables.sql");
const DROP: &str = include_str!("admin/drop.sql");
const IN_USE: &str = include_str!("admin/in_use.sql");
const SIZE: &str = include_str!("admin/size.sql");

/// How long removing a store waits for those who are using it: their transactions are short.
const DROP_WAIT: Duration = Duration::from_secs(10);

/// In this order, kind by kind, what a store is made of can go without anything else of it going along.
const DROP_ORDER: [&str; 6] = ["view", "materialized view", "table", "function", "sequence", "type"];

/// Something in a schema.
struct Object {
    /// What it is, as PostgreSQL calls it.
    kind: String,
    /// Of tables and functions.
    name: Option<String>,
    /// With all that tells it from others.
    identity: String,
}

/// How long a process that was killed may be taken for one that runs: as long as its word is believed, by default.
const KILLED_COUNTS: Duration = Duration::from_secs(6);
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

impl Object {
    fn is(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }
}

/// Where the store is: host, port, database and schema, and never a password.
///
/// # Errors
/// When the URL or the schema's name is none.
pub(crate) fn place(url: &str, schema: &str) -> Result<String, StoreError> {
    let schema = Schema::new(schema).map_err(|reason| StoreError::Failed { reason })?;
    target::place_of(url, &schema).map_err(|reason| StoreError::Failed { reason })
}

/// Each migration there is, and whether the schema went through it.
pub(crate) async fn migrations(
    url: &str,
    schema: &str,
    options: &PostgresOptions,
) -> Result<Vec<(i64, &'static str, bool)>, StoreError> {
    let visit = Visit::begin(url, schema, options).await?;
    migrate::migrations(&visit.client, &visit.target, &visit.schema).await
}

/// Bytes on disk.
pub(crate) async fn size(url: &str, schema: &str, options: &PostgresOptions) -> Result<u64, StoreError> {
    let visit = Visit::begin(url, schema, options).await?;
    let bytes: Vec<i64> = visit.column(SIZE, &[&schema]).await?;
    Ok(bytes.first().and_then(|bytes| u64::try_from(*bytes).ok()).unwrap_or_default())
}

/// The schemas of the database that hold a store, by name. `near` is the schema that the settings name.
pub(crate) async fn stores(
    url: &str,
    near: &str,
    options: &PostgresOptions,
) -> Result<Vec<String>, StoreError> {
    Visit::begin(url, near, options).await?.column(STORES, &[&None::<&str>]).await
}

/// Whether anything is in the schema, whoever made it.
pub(crate) async fn holds_anything(
    url: &str,
    schema: &str,
    options: &PostgresOptions,
) -> Result<bool, StoreError> {
    Ok(!Visit::begin(url, schema, options).await?.objects().await?.is_empty())
}

/// Removes the store; whether there was one.
///
/// # Errors
/// When processes run over it, when the schema holds anything that is not ours, when something elsewhere depends on what it holds, when a newer program
/// made it, or with what the database said. Then all of it stays.
pub(crate) async fn drop_store(
    url: &str,
    schema: &str,
    options: &PostgresOptions,
) -> Result<bool, StoreError> {
    let visit = Visit::begin(url, schema, options).await?;
    let until = Instant::now() + KILLED_COUNTS;
    while visit.processes().await? > 0 && Instant::now() < until {
        sleep(BETWEEN_LOOKS).await;
    }
    visit.run("BEGIN").await?;
    let dropped = drop_in_transaction(&visit).await;
    visit.run(if dropped.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
    dropped
}

async fn drop_in_transaction(visit: &Visit) -> Result<bool, StoreError> {
    let Visit { client, target, schema, .. } = visit;
    migrate::lock(client, target, schema, DROP_WAIT).await?;
    let objects = visit.objects().await?;
    if objects.is_empty() {
        return Ok(false);
    }
    let is_store = !visit.column::<String>(STORES, &[&Some(schema.name())]).await?.is_empty();
    if is_store && let Some(migration) = migrate::newer(client, target, schema).await? {
        let why = format!("the store is of a newer program (it has migration {migration})");
        return Err(visit.untouched(&why, "remove it with that program"));
    }
    let foreign = foreign(&objects);
    if !is_store || !foreign.is_empty() {
        let what = if foreign.is_empty() { "all that is in it".to_owned() } else { foreign.join(", ") };
        let why = format!("the schema holds what is not Umbel's ({what})");
        return Err(visit.untouched(&why, "remove that first, or correct store.schema"));
    }
    let processes = visit.processes().await?;
    if processes > 0 {
        let why = format!("the store is in use by other processes ({processes})");
        return Err(visit.untouched(&why, "stop them first"));
    }
    if objects.iter().any(|object| object.is("drop_tables")) {
        visit.drop(&schema.render(DROP_TABLES)).await?;
    }
    for kind in DROP_ORDER {
        let of_kind = objects.iter().filter(|object| object.kind == kind);
        let of_kind: Vec<_> = of_kind.map(|object| object.identity.as_str()).collect();
        if !of_kind.is_empty() {
            let drop = DROP_OBJECTS.replace("{kind}", kind).replace("{objects}", &of_kind.join(", "));
            visit.drop(&drop).await?;
        }
    }
    visit.drop(&schema.render(DROP)).await?;
    Ok(true)
}

/// What the migrations have not made, for people. They make each thing once, so a second function of the same name is another.
fn foreign(objects: &[Object]) -> Vec<String> {
    let mut ours = migrate::made();
    let mut is_ours = |object: &Object| {
        let named = |(kind, name): &(String, &str)| {
            DROP_ORDER.contains(&kind.as_str())
                && *kind == object.kind
                && object.name.as_deref() == Some(*name)
        };
        ours.iter().position(named).map(|at| ours.swap_remove(at)).is_some()
    };
    let foreign = objects.iter().filter(|object| !is_ours(object));
    foreign.map(|object| format!("{} {}", object.kind, object.identity)).collect()
}

/// One connection to one schema, which need not be there.
struct Visit {
    client: Client,
    target: Target,
    schema: Schema,
    _driving: Driving,
}

impl Visit {
    async fn begin(url: &str, schema: &str, options: &PostgresOptions) -> Result<Self, StoreError> {
        let schema = Schema::new(schema).map_err(|reason| StoreError::Failed { reason })?;
        let target = Target::new(url, &schema, options)?.for_a_visit(options);
        let (client, driving) = target.open().await?;
        Ok(Self { client, target, schema, _driving: driving })
    }

    /// Everything in the schema.
    async fn objects(&self) -> Result<Vec<Object>, StoreError> {
        let rows = ask(&self.client, OBJECTS, &[&self.schema.name()]).await;
        let rows = rows.map_err(|error| self.target.explain(&error))?;
        let object = |row: &tokio_postgres::Row| Object {
            kind: row.get("kind"),
            name: row.get("name"),
            identity: row.get("identity"),
        };
        Ok(rows.iter().map(object).collect())
    }

    /// Removes something on which nothing else depends.
    async fn drop(&self, sql: &str) -> Result<(), StoreError> {
        self.client.batch_execute(sql).await.map_err(|error| match error.as_db_error() {
            Some(reason) if *reason.code() == SqlState::DEPENDENT_OBJECTS_STILL_EXIST => {
                let what = reason.detail().unwrap_or("something depends on it").replace('\n', "; ");
                let why = format!("what is not Umbel's depends on what the schema holds ({what})");
                self.untouched(&why, "remove that first")
            }
            _ => self.target.explain(&error),
        })
    }

    fn untouched(&self, why: &str, what_to_do: &str) -> StoreError {
        let place = self.target.place();
        StoreError::Failed {
            reason: format!("PostgreSQL at {place}: {why}, so all of it was left untouched; {what_to_do}"),
        }
    }

    async fn run(&self, sql: &str) -> Result<(), StoreError> {
        self.client.batch_execute(sql).await.map_err(|error| self.target.explain(&error))
    }

    /// How many processes run over the store, as far as they have told.
    async fn processes(&self) -> Result<i64, StoreError> {
        if !self.objects().await?.iter().any(|object| object.is("processes")) {
            return Ok(0);
        }
        let processes = self.column(&self.schema.render(IN_USE), &[]).await?;
        Ok(processes.first().copied().unwrap_or_default())
    }

    /// The first column of the answer.
    async fn column<T>(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<T>, StoreError>
    where
        T: for<'a> tokio_postgres::types::FromSql<'a>,
    {
        let rows = ask(&self.client, sql, params).await.map_err(|error| self.target.explain(&error))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
