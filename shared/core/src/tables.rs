//! Tables of a projection's own: SQL as data, which a store applies in the transaction that moves the projection's checkpoint.
//!
//! A store keeps the tables of each generation apart, and lets statements find them by their plain names. What it cannot promise by
//! that is refused here, before it gets anywhere: a rule changes rows, and nothing else.

mod statement;

pub use statement::{Sql, SqlValue};

/// A table's name has at most so many bytes: what PostgreSQL keeps of one.
pub const TABLE_NAME_MAX_BYTES: usize = 63;

/// One query of tables answers at most so many rows.
pub const ROWS_MAX: u32 = 1000;

/// A table that a projection keeps, as SQL declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    name: &'static str,
    columns: &'static str,
    indexes: Vec<&'static str>,
}

/// SQL that is refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSql {
    /// A table's name that would have to be quoted, or is too long.
    #[error(
        "{0:?} cannot be the name of a table: use up to {TABLE_NAME_MAX_BYTES} lower-case letters, digits and underscores, \
         not beginning with a digit or pg_"
    )]
    Name(String),
    /// Two tables of one name.
    #[error("table {0} is declared twice; leave one of them out")]
    Twice(String),
    /// More than one statement, or part of one.
    #[error("{0:?} is not one statement: leave out semicolons and comments")]
    NotOne(String),
    /// A statement that names what is not the projection's.
    #[error(
        "{sql:?} names the schema {schema}, which holds the log; a projection has its own tables only, by their plain names"
    )]
    Foreign {
        /// The statement.
        sql: String,
        /// The schema.
        schema: String,
    },
    /// A statement that does something else than its place allows.
    #[error("{sql:?} does not begin with {allowed}")]
    Verb {
        /// The statement.
        sql: String,
        /// What it may begin with.
        allowed: &'static str,
    },
}

impl Table {
    /// A table of this name. `columns` is what stands between the parentheses of `CREATE TABLE`: columns with their types, and constraints.
    ///
    /// ```
    /// use umbel_core::tables::Table;
    ///
    /// let listed = Table::new("listed", "slug text PRIMARY KEY, author text NOT NULL, likes bigint NOT NULL DEFAULT 0")
    ///     .index("(author, likes DESC)");
    /// assert_eq!(listed.check(), Ok(()));
    /// ```
    #[must_use]
    pub const fn new(name: &'static str, columns: &'static str) -> Self {
        Self { name, columns, indexes: Vec::new() }
    }

    /// With an index. `on` is what follows the table's name in `CREATE INDEX`, such as `(author)` or `USING gin (tags)`.
    #[must_use]
    pub fn index(mut self, on: &'static str) -> Self {
        self.indexes.push(on);
        self
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it can be created, as far as that shows without a database.
    ///
    /// # Errors
    /// Says what is wrong with its name or its text.
    pub fn check(&self) -> Result<(), InvalidSql> {
        let letter = |c: char| c.is_ascii_lowercase() || c == '_';
        let is_name = self.name.starts_with(letter)
            && self.name.chars().all(|c| letter(c) || c.is_ascii_digit())
            && self.name.len() <= TABLE_NAME_MAX_BYTES
            && !self.name.starts_with("pg_");
        if !is_name {
            return Err(InvalidSql::Name(self.name.to_owned()));
        }
        let mut texts = self.indexes.iter().chain([&self.columns]);
        texts.find(|text| !is_one(text)).map_or(Ok(()), |text| Err(InvalidSql::NotOne((*text).to_owned())))
    }

    /// The statements that create it.
    #[must_use]
    pub fn creation(&self) -> Vec<String> {
        let Self { name, columns, indexes } = self;
        let indexes = indexes.iter().map(|on| format!("CREATE INDEX ON \"{name}\" {on}"));
        std::iter::once(format!("CREATE TABLE \"{name}\" ({columns})")).chain(indexes).collect()
    }
}

/// The statements that create these tables, in their order.
///
/// # Errors
/// When one of them cannot be created, or two have one name.
pub fn creation(tables: &[Table]) -> Result<Vec<String>, InvalidSql> {
    let mut statements = Vec::new();
    for (at, table) in tables.iter().enumerate() {
        table.check()?;
        if tables.iter().take(at).any(|before| before.name == table.name) {
            return Err(InvalidSql::Twice(table.name.to_owned()));
        }
        statements.extend(table.creation());
    }
    Ok(statements)
}

/// Whether nothing in it ends a statement or hides from who looks for that.
fn is_one(text: &str) -> bool {
    !text.contains(';') && !text.contains("--") && !text.contains("/*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_need_quotes_are_refused() {
        let check = |name| Table::new(name, "n bigint").check();
        assert_eq!((check("listed"), check("_2")), (Ok(()), Ok(())));
        for wrong in ["", "Listed", "2nd", "pg_class", "umbel.events", "a\"b", "ä"] {
            assert_eq!(check(wrong), Err(InvalidSql::Name(wrong.into())));
        }
        let long: &str = Box::leak("a".repeat(TABLE_NAME_MAX_BYTES + 1).into_boxed_str());
        assert!(check(long).is_err() && check(&long[1..]).is_ok());
    }

    #[test]
    fn tables_are_created_in_order_with_their_indexes() {
        let tables = [Table::new("one", "n bigint").index("(n)"), Table::new("two", "m text")];
        let expected = [
            r#"CREATE TABLE "one" (n bigint)"#,
            r#"CREATE INDEX ON "one" (n)"#,
            r#"CREATE TABLE "two" (m text)"#,
        ];
        assert_eq!(creation(&tables).unwrap(), expected);
        let twice = [Table::new("one", "n bigint"), Table::new("one", "m text")];
        assert_eq!(creation(&twice), Err(InvalidSql::Twice("one".into())));
        let several = [Table::new("one", "n bigint); DROP TABLE events; --")];
        assert!(matches!(creation(&several), Err(InvalidSql::NotOne(_))));
    }
}
