//! Tables of projections' own: each generation's are in a schema of their own, and statements find them by a search path that lasts as
//! long as their transaction.

use futures_util::future::join_all;
use tokio_postgres::{Client, Error, error::SqlState};
use umbel_core::{
    Json, Position,
    store::{
        Generation, ListProjections, OpenTables, QueryTables, SaveProjectionError, SaveTables, StoreError,
        TablesError,
    },
    tables::{InvalidSql, ROWS_MAX, Sql},
};

use super::{
    Param, Reader,
    documents::{bodies, outcome, save_params},
    generations::generation,
};
use crate::postgres::{
    error::{Kind, describe, kind},
    pool::{Abandoned, Pooled},
    statement::ask,
    types::Literal,
    writer::DocumentRows,
};

/// So many statements are on their way to the server before the first of them was answered.
const PIPELINED: usize = 64;

/// How a transaction with tables failed.
enum Failure {
    /// On the way, or in what is not the projection's.
    Database(Error),
    /// In one of the projection's statements.
    Statement(String, Error),
    /// Nothing was to be done.
    Refused(SaveProjectionError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl Reader {
    /// Asked for again and again, as `open_projection`, so it looks before it does anything.
    pub(in crate::postgres) async fn open_tables(
        &self,
        request: OpenTables,
    ) -> Result<Vec<Generation>, TablesError> {
        let OpenTables { opening, tables } = request;
        let invalid = |error| TablesError::Invalid { projection: opening.projection.clone(), error };
        tables.iter().try_for_each(|table| self.check_is_own(table)).map_err(invalid)?;
        let list = ListProjections { projection: Some(opening.projection.clone()) };
        let kept = self.list_projections(list).await?;
        if opening.missing(&kept, Position::START).is_some() {
            self.make_generation(&opening, &tables).await.map_err(|error| match error {
                StoreError::Failed { reason } => TablesError::Statement {
                    projection: opening.projection.clone(),
                    statement: "creating its tables".to_owned(),
                    reason,
                },
                other => other.into(),
            })?;
        }
        let rows = self.query(&self.statements.list_projections, &[&Some(&*opening.projection)]).await?;
        let mut kept = Vec::with_capacity(rows.len());
        for row in &rows {
            let one = generation(row)?;
            let is_own = one.is_current() && one.version == opening.version;
            if is_own && row.get::<_, Vec<String>>("tables") != tables {
                return Err(TablesError::Changed { checkpoint: one.checkpoint() });
            }
            kept.push(one);
        }
        Ok(kept)
    }

    pub(in crate::postgres) async fn save_tables(
        &self,
        request: SaveTables,
    ) -> Result<(), SaveProjectionError> {
        let checkpoint = &request.save.projection;
        for sql in &request.statements {
            sql.check_change().and_then(|()| self.check_is_own(sql.text())).map_err(|error| {
                SaveProjectionError::Tables(TablesError::Invalid { projection: checkpoint.clone(), error })
            })?;
        }
        let lease = self.borrow(Abandoned::LetEnd).await?;
        let client = lease.client();
        let saved = match self.apply(&lease, &request).await {
            Ok(()) => client.batch_execute("COMMIT").await.map_err(|error| match kind(&error) {
                // A constraint that is looked at only now.
                Kind::Final | Kind::WrongGuess => Failure::Statement("COMMIT".to_owned(), error),
                Kind::Lost | Kind::Transient => Failure::Database(error),
            }),
            Err(failure) => {
                // Without an answer the connection is not used again, which ends the transaction, too.
                client.batch_execute("ROLLBACK").await.map_err(|error| self.target.explain(&error))?;
                Err(failure)
            }
        };
        match &saved {
            Err(Failure::Database(error) | Failure::Statement(_, error)) => lease.give_back_after(error),
            Ok(()) | Err(Failure::Refused(_)) => lease.give_back(),
        }
        saved.map_err(|failure| match failure {
            Failure::Refused(refusal) => refusal,
            Failure::Database(error) => self.target.explain_write(&error).into(),
            Failure::Statement(statement, error) => match kind(&error) {
                Kind::Lost | Kind::Transient => self.target.explain_write(&error).into(),
                Kind::WrongGuess | Kind::Final => SaveProjectionError::Tables(TablesError::Statement {
                    projection: checkpoint.clone(),
                    statement,
                    reason: reason(&error),
                }),
            },
        })
    }

    /// Begins a transaction and does in it all there is to do. The checkpoint's row is locked first, as by whoever retires the
    /// generation: after that its tables stay where they are.
    async fn apply(&self, pooled: &Pooled, request: &SaveTables) -> Result<(), Failure> {
        let client = pooled.client();
        let SaveTables { save, statements } = request;
        let (expected, position) = (save.expected.to_i64(), save.position.to_i64());
        let rows = DocumentRows::new(&save.writes);
        let params = save_params(save, (&expected, &position), &rows);
        client.batch_execute(self.pool.begin().unwrap_or("BEGIN")).await?;
        outcome(&ask(client, &self.statements.save_projection, &params).await?).map_err(Failure::Refused)?;
        let entered = ask(client, &self.statements.enter_tables, &[&save.projection]).await?;
        if entered.first().is_none_or(|row| row.get::<_, Option<&str>>("tables_in").is_none()) {
            let changed = TablesError::Changed { checkpoint: save.projection.clone() };
            return Err(Failure::Refused(SaveProjectionError::Tables(changed)));
        }
        for statements in statements.chunks(PIPELINED) {
            // After the first that fails the server refuses the others, which were sent already.
            let applied = join_all(statements.iter().map(|sql| run(client, sql.text(), sql))).await;
            for (sql, applied) in statements.iter().zip(applied) {
                applied.map_err(|error| Failure::Statement(sql.text().to_owned(), error))?;
            }
            pooled.has_answered();
        }
        Ok(())
    }

    /// Should the generation that serves be replaced, and its tables removed, between looking it up and reading them, the next one is
    /// asked.
    pub(in crate::postgres) async fn query_tables(
        &self,
        request: QueryTables,
    ) -> Result<Vec<Json>, TablesError> {
        let QueryTables { projection, query } = request;
        let invalid = |error| TablesError::Invalid { projection: projection.clone(), error };
        query.check_query().and_then(|()| self.check_is_own(query.text())).map_err(invalid)?;
        let mut before = None;
        loop {
            let (tables_in, answered) = self.ask_served(&projection, &query).await?;
            let Some(tables_in) = tables_in else { return Err(TablesError::NotServing { projection }) };
            return match answered {
                Ok(rows) if rows.len() > usize::try_from(ROWS_MAX).unwrap_or(usize::MAX) => {
                    Err(TablesError::TooMany { projection, query: query.text().to_owned() })
                }
                Ok(rows) => Ok(rows),
                Err(error) if is_gone(&error) && before.as_ref() != Some(&tables_in) => {
                    before = Some(tables_in);
                    continue;
                }
                Err(error) => match kind(&error) {
                    Kind::Lost | Kind::Transient => Err(self.target.explain(&error).into()),
                    Kind::WrongGuess | Kind::Final => Err(TablesError::Statement {
                        projection,
                        statement: query.text().to_owned(),
                        reason: reason(&error),
                    }),
                },
            };
        }
    }

    /// The schema that the query was asked in, if there is one, and what came of it.
    async fn ask_served(
        &self,
        projection: &String,
        query: &Sql,
    ) -> Result<(Option<String>, Result<Vec<Json>, Error>), StoreError> {
        let lease = self.borrow(Abandoned::Cancel).await?;
        let client = lease.client();
        let begun = async {
            client.batch_execute(self.pool.begin().unwrap_or("BEGIN")).await?;
            ask(client, &self.statements.enter_served_tables, &[projection]).await
        };
        let entered = begun.await.map_err(|error| self.target.explain(&error))?;
        let tables_in = entered.first().and_then(|row| row.get::<_, Option<String>>("tables_in"));
        let answered = if tables_in.is_some() {
            let most = ROWS_MAX.saturating_add(1).to_string();
            let text = &self.statements.query_tables;
            run(client, &text.replace("{query}", query.text()).replace("{most}", &most), query)
                .await
                .map(|rows| bodies(&rows).into_iter().flatten().collect())
        } else {
            Ok(Vec::new())
        };
        client.batch_execute("ROLLBACK").await.map_err(|error| self.target.explain(&error))?;
        lease.give_back();
        Ok((tables_in, answered))
    }

    /// A projection's SQL leaves the log's schema alone, and those of other projections, whose names begin with its.
    fn check_is_own(&self, sql: &str) -> Result<(), InvalidSql> {
        let schema = self.statements.schema();
        if names(sql, schema) {
            Err(InvalidSql::Foreign { sql: sql.to_owned(), schema: schema.to_owned() })
        } else {
            Ok(())
        }
    }
}

/// Runs a projection's statement; its values are read by the server as literals would be.
async fn run(client: &Client, text: &str, sql: &Sql) -> Result<Vec<tokio_postgres::Row>, Error> {
    let values: Vec<_> = sql.values().iter().map(Literal::new).collect();
    let params: Vec<Param<'_>> = values.iter().map(|value| value as Param<'_>).collect();
    ask(client, text, &params).await
}

/// The database's own words, with what it knows about where and why.
fn reason(error: &Error) -> String {
    let detail = error.as_db_error().and_then(|error| error.detail());
    detail.map_or_else(|| describe(error), |detail| format!("{}; {detail}", describe(error)))
}

/// Whether what was named is not there.
fn is_gone(error: &Error) -> bool {
    matches!(error.code(), Some(&SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME))
}

/// Whether a statement names something in this schema, quoted or not: the name, then a dot.
fn names(sql: &str, schema: &str) -> bool {
    let sql = sql.to_lowercase();
    sql.match_indices(schema).any(|(at, _)| {
        let before = sql.get(..at).and_then(|before| before.chars().next_back());
        let is_begun = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '$');
        let after = sql.get(at + schema.len()..).unwrap_or_default();
        let after = after.strip_prefix('"').unwrap_or(after);
        is_begun && after.trim_start().starts_with('.')
    })
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn the_logs_schema_is_found_however_it_is_written() {
        for sql in [
            "DELETE FROM umbel.events",
            "x(UMBEL . events)",
            "\"umbel\".events",
            "\"umbel.a.b/1\".c",
            "umbel.x",
        ] {
            assert!(names(sql, "umbel"), "{sql}");
        }
        for sql in ["my_umbel.events", "umbels.events", "SELECT umbel FROM a", "umbel", "a.umbel, b.c"] {
            assert!(!names(sql, "umbel"), "{sql}");
        }
    }
}
