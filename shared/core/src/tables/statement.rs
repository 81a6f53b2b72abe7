//! One statement with the values of its parameters.

use std::borrow::Cow;

use uuid::Uuid;

use super::InvalidSql;
use crate::{json::Json, time::Timestamp, version::Position};

/// What a rule's statements may begin with.
const CHANGES: [&str; 5] = ["INSERT", "UPDATE", "DELETE", "MERGE", "WITH"];

/// What a query may begin with.
const QUERIES: [&str; 3] = ["SELECT", "WITH", "VALUES"];

/// A statement over a projection's tables, which it names as they were declared. Its parameters are `$1`, `$2` and so on.
///
/// ```
/// use umbel_core::tables::Sql;
///
/// let liked = Sql::new("UPDATE listed SET likes = likes + $2 WHERE slug = $1").bind("how-to").bind(1);
/// assert_eq!(liked.check_change(), Ok(()));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sql {
    text: Cow<'static, str>,
    values: Vec<SqlValue>,
}

/// The value of a parameter. The database makes of it what the parameter's place wants, as of a literal in quotes: text becomes a `uuid`
/// or a `date`, a number a `numeric`, JSON a `jsonb`. Where the place does not tell it is text, until the statement says
/// otherwise, such as `$1::bigint`.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Text, and whatever is written as text.
    Text(String),
    /// Bytes, for a `bytea`.
    Bytes(Vec<u8>),
    /// An array, such as for `= ANY ($1)`.
    List(Vec<Self>),
}

impl Sql {
    /// A statement without values yet.
    #[must_use]
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    /// With the value of its next parameter.
    #[must_use]
    pub fn bind(mut self, value: impl Into<SqlValue>) -> Self {
        self.values.push(value.into());
        self
    }

    /// The statement.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The values, `$1` first.
    #[must_use]
    pub fn values(&self) -> &[SqlValue] {
        &self.values
    }

    /// Whether a rule may ask for it: it changes rows.
    ///
    /// # Errors
    /// When it begins with another word.
    pub fn check_change(&self) -> Result<(), InvalidSql> {
        self.begins_with(&CHANGES, "INSERT, UPDATE, DELETE, MERGE or WITH, which change rows")
    }

    /// Whether it is a query.
    ///
    /// # Errors
    /// When it begins with another word, or has a semicolon or a comment, which a query must do without.
    pub fn check_query(&self) -> Result<(), InvalidSql> {
        if !super::is_one(&self.text) {
            return Err(InvalidSql::NotOne(self.text.clone().into_owned()));
        }
        self.begins_with(&QUERIES, "SELECT, WITH or VALUES")
    }

    fn begins_with(&self, words: &[&str], allowed: &'static str) -> Result<(), InvalidSql> {
        let text = self.text.trim_start();
        let first = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        if words.iter().any(|word| word.eq_ignore_ascii_case(first)) {
            Ok(())
        } else {
            Err(InvalidSql::Verb { sql: self.text.clone().into_owned(), allowed })
        }
    }
}

macro_rules! values {
    ($($from:ty: |$value:ident| $into:expr;)+) => {
        $(impl From<$from> for SqlValue {
            fn from($value: $from) -> Self {
                $into
            }
        })+
    };
}

values! {
    bool: |value| Self::Bool(value);
    i32: |value| Self::Integer(value.into());
    u32: |value| Self::Integer(value.into());
    i64: |value| Self::Integer(value);
    f64: |value| Self::Float(value);
    &str: |value| Self::Text(value.to_owned());
    String: |value| Self::Text(value);
    Vec<u8>: |value| Self::Bytes(value);
    Uuid: |value| Self::Text(value.to_string());
    Timestamp: |value| Self::Text(value.to_string());
    Json: |value| Self::Text(value.as_str().to_owned());
    Position: |value| Self::Integer(value.to_i64());
    Vec<String>: |value| Self::List(value.into_iter().map(Self::Text).collect());
    Vec<i64>: |value| Self::List(value.into_iter().map(Self::Integer).collect());
}

impl<T: Into<Self>> From<Option<T>> for SqlValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_changes_rows_and_nothing_else() {
        for good in
            ["INSERT INTO a VALUES ($1)", "\n update a SET n = 1", "WITH x AS (SELECT 1) DELETE FROM a"]
        {
            assert_eq!(Sql::new(good).check_change(), Ok(()), "{good}");
        }
        for wrong in [
            "",
            "COMMIT",
            "SET search_path = umbel",
            "DROP TABLE a",
            "SELECT 1",
            "-- x\nCOMMIT",
            "(SELECT 1)",
        ] {
            assert!(matches!(Sql::new(wrong).check_change(), Err(InvalidSql::Verb { .. })), "{wrong}");
        }
    }

    #[test]
    fn a_query_is_one() {
        assert_eq!(Sql::new("select * FROM a WHERE n < $1").bind(3).check_query(), Ok(()));
        for wrong in ["DELETE FROM a", "SELECT 1; SELECT 2", "SELECT 1 -- all", "SELECT 1 /* all"] {
            assert!(Sql::new(wrong).check_query().is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_are_bound_in_order() {
        let sql = Sql::new("").bind("a").bind(None::<i64>).bind(Some(2)).bind(vec!["b".to_owned()]);
        let list = SqlValue::List(vec![SqlValue::Text("b".into())]);
        assert_eq!(sql.values(), [SqlValue::Text("a".into()), SqlValue::Null, SqlValue::Integer(2), list]);
    }
}
