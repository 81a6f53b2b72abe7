//! Parameters that say their type.
//!
//! A statement that was prepared knows the types of its parameters. One that is sent in one go, without a name, must be
//! told them: each type of Rust that travels as a parameter stands for one of PostgreSQL's.

use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::types::{JsonIn, Literal, PgTimestamp};

/// A parameter of a statement.
pub(super) type Param<'a> = &'a dyn Value;

/// What can be a parameter.
pub(super) trait Value: ToSql + Sync {
    /// PostgreSQL's type of it.
    fn sql_type(&self) -> Type;
}

/// A type that always travels as the same one of PostgreSQL's.
pub(super) trait Typed {
    const TYPE: Type;
}

/// One of which lists travel, too.
pub(super) trait Element: Typed {
    const LIST: Type;
}

impl<T: Typed + ToSql + Sync> Value for T {
    fn sql_type(&self) -> Type {
        T::TYPE
    }
}

impl<T: Typed> Typed for Option<T> {
    const TYPE: Type = T::TYPE;
}

impl<T: Element> Element for Option<T> {
    const LIST: Type = T::LIST;
}

impl<T: Element> Typed for Vec<T> {
    const TYPE: Type = T::LIST;
}

impl Typed for Literal {
    const TYPE: Type = Type::UNKNOWN;
}

macro_rules! typed {
    ($($rust:ty: $one:ident, $list:ident;)+) => {
        $(impl Typed for $rust {
            const TYPE: Type = Type::$one;
        }

        impl Element for $rust {
            const LIST: Type = Type::$list;
        }

        impl Typed for &[$rust] {
            const TYPE: Type = Type::$list;
        })+
    };
}

typed! {
    bool: BOOL, BOOL_ARRAY;
    i32: INT4, INT4_ARRAY;
    i64: INT8, INT8_ARRAY;
    &str: TEXT, TEXT_ARRAY;
    String: TEXT, TEXT_ARRAY;
    &[u8]: BYTEA, BYTEA_ARRAY;
    Uuid: UUID, UUID_ARRAY;
    PgTimestamp: TIMESTAMPTZ, TIMESTAMPTZ_ARRAY;
    JsonIn<'_>: JSON, JSON_ARRAY;
}
