//! Bringing a schema up to what this program knows, once, whoever else tries at the same time.
//!
//! Everything happens in one transaction under an advisory lock of that transaction: a second migrator waits for
//! the first, within a limit, and then finds nothing left to do. A schema that is up to date takes no lock and
//! needs no right to create anything.

use std::time::Duration;

use tokio_postgres::{Client, error::SqlState};
use umbel_core::store::StoreError;

use crate::postgres::{
    sql::Schema,
    statement::{ask, ask_one},
    target::Target,
};

/// In order, each once published never changed.
pub(super) const MIGRATIONS: [(i32, &str, &str); 9] = [
    (1, "log", include_str!("migrations/0001_log.sql")),
    (2, "append", include_str!("migrations/0002_append.sql")),
    (3, "documents", include_str!("migrations/0003_documents.sql")),
    (4, "upkeep", include_str!("migrations/0004_upkeep.sql")),
    (5, "extras", include_str!("migrations/0005_extras.sql")),
    (6, "subscriptions", include_str!("migrations/0006_subscriptions.sql")),
    (7, "letters", include_str!("migrations/0007_letters.sql")),
    (8, "resets_told", include_str!("migrations/0008_resets_told.sql")),
    (9, "begun", include_str!("migrations/0009_begun.sql")),
];

const BOOKKEEPING: &str = r"
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {schema}.schema_migrations (
    number int PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);";

/// Migrates, waiting at most `wait` for another migrator.
///
/// # Errors
/// When another migrator does not end in time, when a migration that was applied is not the one this program
/// knows, when the schema is newer than this program, or with what the database said.
pub(super) async fn migrate(
    client: &Client,
    target: &Target,
    schema: &Schema,
    wait: Duration,
) -> Result<(), StoreError> {
    if pending(client, target, schema).await?.is_empty() {
        return Ok(());
    }
    let explain = |error: &tokio_postgres::Error| target.explain(error);
    client.batch_execute("BEGIN").await.map_err(|error| explain(&error))?;
    let applied = apply(client, target, schema, wait).await;
    let end = if applied.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = client.batch_execute(end).await.map_err(|error| explain(&error));
    applied.and(ended)
}

/// Makes sure that the schema is there and what this program knows, and changes nothing.
///
/// # Errors
/// When it is missing, older or newer, or with what the database said.
pub(super) async fn check(client: &Client, target: &Target, schema: &Schema) -> Result<(), StoreError> {
    let pending = pending(client, target, schema).await?;
    let Some((number, name, _)) = pending.first() else { return Ok(()) };
    let what = if pending.len() == MIGRATIONS.len() {
        "there is no store in this schema yet; `umbel store init` or running the program makes it, or correct \
         store.schema and store.url"
            .to_owned()
    } else {
        format!(
            "migration {number} {name} was not applied yet; `umbel store migrate` or running the program applies it"
        )
    };
    Err(StoreError::Failed { reason: format!("PostgreSQL at {}: {what}", target.place()) })
}

async fn apply(client: &Client, target: &Target, schema: &Schema, wait: Duration) -> Result<(), StoreError> {
    let explain = |error: tokio_postgres::Error| target.explain(&error);
    lock(client, target, schema, wait).await?;
    client.batch_execute(&schema.render(BOOKKEEPING)).await.map_err(explain)?;
    for migration in pending(client, target, schema).await? {
        apply_one(client, schema, migration).await.map_err(explain)?;
        let (number, name, _) = migration;
        tracing::info!(schema = schema.name(), number, name, "migrated");
    }
    Ok(())
}

/// Takes the schema one step further, and records that.
async fn apply_one(
    client: &Client,
    schema: &Schema,
    (number, name, text): &(i32, &'static str, &'static str),
) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(&schema.render(text)).await?;
    let record = schema.render(
        "INSERT INTO {schema}.schema_migrations (number, name, checksum)
         VALUES ($1, $2, encode(sha256(convert_to($3, 'UTF8')), 'hex'))",
    );
    ask(client, &record, &[number, name, text]).await.map(drop)
}

/// Makes a schema as the program left it that knew only the first so many migrations.
#[cfg(test)]
pub(super) async fn make_old(client: &Client, schema: &Schema, migrations: usize) {
    client.batch_execute(&schema.render(BOOKKEEPING)).await.unwrap();
    for migration in &MIGRATIONS[..migrations] {
        apply_one(client, schema, migration).await.unwrap();
    }
}

/// Each migration there is, and whether the schema went through it. Changes nothing.
///
/// # Errors
/// When one was applied in another form or is missing, when the schema is newer, or with what the database said.
pub(super) async fn migrations(
    client: &Client,
    target: &Target,
    schema: &Schema,
) -> Result<Vec<(i64, &'static str, bool)>, StoreError> {
    let applied = MIGRATIONS.len() - pending(client, target, schema).await?.len();
    let tell = |(index, &(number, name, _)): (usize, &(i32, &'static str, _))| {
        (i64::from(number), name, index < applied)
    };
    Ok(MIGRATIONS.iter().enumerate().map(tell).collect())
}

/// Everything that the migrations create in the schema by its name: what it is, as PostgreSQL calls it, and how it is named.
/// What belongs to a table, such as its indexes, goes along with it and is not told.
pub(super) fn made() -> Vec<(String, &'static str)> {
    let texts = MIGRATIONS.iter().map(|(_, _, text)| *text).chain([BOOKKEEPING]);
    let statements = texts.flat_map(|text| text.split("CREATE ").skip(1));
    // What is replaced was made before.
    let statements = statements.filter(|statement| !statement.starts_with("OR REPLACE"));
    let thing = |statement: &'static str| {
        let (what, rest) = statement.split_once("{schema}.")?;
        let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
        let words = what.split_whitespace().filter(|word| !["IF", "NOT", "EXISTS"].contains(word));
        let kind = words.map(str::to_lowercase).collect::<Vec<_>>().join(" ");
        Some((kind, name))
    };
    statements.filter_map(thing).collect()
}

/// The migration of a newer program that the schema went through, if it did.
///
/// # Errors
/// With what the database said.
pub(super) async fn newer(
    client: &Client,
    target: &Target,
    schema: &Schema,
) -> Result<Option<String>, StoreError> {
    let newest = MIGRATIONS.last().map_or(0, |(number, ..)| *number);
    let sql = schema.render(
        "SELECT number || ' ' || name FROM {schema}.schema_migrations WHERE number > $1 ORDER BY number DESC LIMIT 1",
    );
    let row = client.query_opt(&sql, &[&newest]).await.map_err(|error| target.explain(&error))?;
    Ok(row.map(|row| row.get(0)))
}

/// Takes the lock that migrations take, until the transaction ends; waits at most `wait`.
///
/// # Errors
/// When another migration does not end in time, or with what the database said.
pub(super) async fn lock(
    client: &Client,
    target: &Target,
    schema: &Schema,
    wait: Duration,
) -> Result<(), StoreError> {
    let explain = |error: tokio_postgres::Error| target.explain(&error);
    let limit = format!(
        "SET LOCAL client_min_messages = warning; SET LOCAL statement_timeout = 0; \
         SET LOCAL lock_timeout = {}",
        wait.as_millis().max(1)
    );
    client.batch_execute(&limit).await.map_err(explain)?;
    let key = format!("umbel migration {}", schema.name());
    let locked = ask(client, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", &[&key]).await;
    locked.map(drop).map_err(|error| match error.code() {
        Some(&SqlState::LOCK_NOT_AVAILABLE) => StoreError::Unavailable {
            reason: format!(
                "PostgreSQL at {}: another migration is in progress and did not end within {wait:?}",
                target.place()
            ),
        },
        _ => explain(error),
    })
}

/// The migrations still to apply, after a look at those that were: the first ones, without a gap.
async fn pending(
    client: &Client,
    target: &Target,
    schema: &Schema,
) -> Result<&'static [(i32, &'static str, &'static str)], StoreError> {
    let explain = |error: tokio_postgres::Error| target.explain(&error);
    let table = schema.render("{schema}.schema_migrations");
    let exists = ask_one(client, "SELECT to_regclass($1) IS NOT NULL", &[&table]).await.map_err(explain)?;
    if !exists.get::<_, bool>(0) {
        return Ok(&MIGRATIONS);
    }
    let (numbers, texts): (Vec<i32>, Vec<&str>) =
        MIGRATIONS.iter().map(|&(number, _, text)| (number, text)).unzip();
    let compare = schema.render(
        "SELECT applied.number, applied.name, known.text IS NOT NULL AS known,
             applied.checksum = encode(sha256(convert_to(known.text, 'UTF8')), 'hex') AS same
         FROM {schema}.schema_migrations applied
         LEFT JOIN unnest($1::int[], $2::text[]) AS known (number, text) USING (number)
         ORDER BY applied.number",
    );
    let applied = ask(client, &compare, &[&numbers, &texts]).await.map_err(explain)?;
    for (row, &(expected, missing, _)) in applied.iter().zip(&MIGRATIONS) {
        let number: i32 = row.get("number");
        if row.get("known") && number != expected {
            return Err(StoreError::Corrupt {
                reason: format!(
                    "PostgreSQL at {}: the schema is damaged: schema_migrations lacks migration {expected} {missing}, \
                     and has migration {number}; restore a backup, or that row if you removed it by hand",
                    target.place()
                ),
            });
        }
    }
    for row in &applied {
        let (number, name): (i32, &str) = (row.get("number"), row.get("name"));
        if !row.get::<_, bool>("known") {
            return Err(StoreError::Failed {
                reason: format!(
                    "PostgreSQL at {}: the schema is newer than this program (it has migration {number} {name}); \
                     start the newer program",
                    target.place()
                ),
            });
        }
        if row.get::<_, Option<bool>>("same") != Some(true) {
            return Err(StoreError::Failed {
                reason: format!(
                    "PostgreSQL at {}: migration {number} {name} was applied in another form than this program's; \
                     use the program that applied it, or restore its file",
                    target.place()
                ),
            });
        }
    }
    Ok(MIGRATIONS.get(applied.len()..).unwrap_or_default())
}
