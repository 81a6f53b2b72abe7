//! How the core's values travel in PostgreSQL's binary protocol.

use std::error::Error;

use tokio_postgres::types::{
    Format, FromSql, IsNull, ToSql, Type, accepts, private::BytesMut, to_sql_checked,
};
use umbel_core::{Json, Timestamp, tables::SqlValue};

/// Microseconds from 1970, where the core's timestamps begin, to 2000, where PostgreSQL's do.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// A `timestamptz`.
#[derive(Clone, Copy, Debug)]
pub(super) struct PgTimestamp(pub(super) Timestamp);

/// A `json` to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonIn<'a>(pub(super) &'a str);

/// A value that the server reads as it would read a literal, as whatever type its place wants. `None` is no value.
#[derive(Debug)]
pub(super) struct Literal(Option<String>);

/// A `json` that was read.
#[derive(Debug)]
pub(super) struct JsonOut(pub(super) Json);

impl ToSql for PgTimestamp {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.0.as_micros().saturating_sub(EPOCH_MICROS).to_sql(ty, out)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for PgTimestamp {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let micros = i64::from_sql(ty, raw)?;
        Ok(Self(Timestamp::from_micros(micros.saturating_add(EPOCH_MICROS))))
    }

    accepts!(TIMESTAMPTZ);
}

impl Literal {
    pub(super) fn new(value: &SqlValue) -> Self {
        Self(text(value))
    }
}

/// The value as a literal has it between its quotes.
fn text(value: &SqlValue) -> Option<String> {
    Some(match value {
        SqlValue::Null => return None,
        SqlValue::Bool(value) => value.to_string(),
        SqlValue::Integer(value) => value.to_string(),
        SqlValue::Float(value) => value.to_string(),
        SqlValue::Text(value) => value.clone(),
        SqlValue::Bytes(value) => {
            value.iter().fold("\\x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
        }
        SqlValue::List(values) => {
            let element = |value: &SqlValue| match (value, text(value)) {
                (_, None) => "NULL".to_owned(),
                (SqlValue::List(_), Some(list)) => list,
                (_, Some(text)) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
            };
            format!("{{{}}}", values.iter().map(element).collect::<Vec<_>>().join(","))
        }
    })
}

impl ToSql for Literal {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.0.as_deref().to_sql(ty, out)
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl ToSql for JsonIn<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.0.to_sql(ty, out)
    }

    accepts!(JSON);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for JsonOut {
    fn from_sql(_ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Json::from_store(std::str::from_utf8(raw)?)))
    }

    accepts!(JSON);
}
