//! Commands that wait in the store: by the time they are carried out, their type may have another name or another shape.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{
    event::{UpcastFailure, version_behind, words},
    json::Json,
    message::Command,
};

/// Makes of a command in one shape what it is in the next: see [`Command::UPCASTERS`]. A pure function.
pub type CommandUpcaster = fn(&Json) -> Result<Json, UpcastFailure>;

/// Why a command that waited cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaitingError {
    /// Its shape is one that this program does not know (yet).
    #[error("it waits as {command}/{schema}, and this program knows versions 1 to {known}")]
    UnknownSchema {
        /// The command's name.
        command: &'static str,
        /// What it was stored with.
        schema: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// It has an old shape, of which the next one cannot be made.
    #[error("the upcaster of {command}/{schema} fails: {cause}; mend it, and start anew")]
    Upcast {
        /// The command's name.
        command: &'static str,
        /// Of which version.
        schema: u32,
        /// Why.
        cause: String,
    },
    /// It has not the shape of its type.
    #[error("{0}")]
    Malformed(String),
}

/// The version of a command's shape, for what keeps it.
///
/// # Panics
/// While compiling, unless there is an upcaster for each version before it.
#[must_use]
pub const fn schema_of<C: Command>() -> u32 {
    assert!(
        C::SCHEMA == version_behind(C::UPCASTERS),
        "a command of schema version n has n - 1 upcasters, one for each version before"
    );
    C::SCHEMA
}

/// A command as it was stored, in the shape of today.
///
/// # Errors
/// See [`WaitingError`].
pub fn decode<C: Command>(schema: u32, stored: &Json) -> Result<C, WaitingError> {
    let (command, known) = (C::NAME, const { schema_of::<C>() });
    let read = |body: &Json| body.decode().map_err(|error| WaitingError::Malformed(error.to_string()));
    if schema == known {
        return read(stored);
    }
    let first = schema.checked_sub(1).and_then(|index| usize::try_from(index).ok());
    let steps = first.filter(|_| schema < known).and_then(|first| C::UPCASTERS.get(first..));
    let steps = steps.ok_or(WaitingError::UnknownSchema { command, schema, known })?;
    let mut body = stored.clone();
    for (schema, step) in (schema..).zip(steps) {
        let failed = |cause| WaitingError::Upcast { command, schema, cause };
        body = match catch_unwind(AssertUnwindSafe(|| step(&body))) {
            Ok(next) => next.map_err(|error| failed(error.to_string()))?,
            Err(panic) => return Err(failed(format!("it panicked: {}", words(&*panic)))),
        };
    }
    read(&body)
}

/// What is kept of commands whose shape never changed says no version.
pub(crate) const fn first_schema() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) const fn is_first_schema(schema: &u32) -> bool {
    *schema == 1
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Ship {
        order: u64,
        by: String,
        express: bool,
    }

    impl Command for Ship {
        const NAME: &'static str = "shop.ship";
        const SCHEMA: u32 = 3;
        const UPCASTERS: &'static [CommandUpcaster] = &[
            |old| {
                let order: u64 = old.decode()?;
                assert!(order < 1000, "a number too large");
                Ok(Json::encode(&json!({ "order": order, "by": "post" }))?)
            },
            |old| {
                let mut fields: serde_json::Map<_, _> = old.decode()?;
                if fields.contains_key("express") {
                    return Err("it is express already".into());
                }
                fields.insert("express".into(), false.into());
                Ok(Json::encode(&fields)?)
            },
        ];
        type Reply = ();
        type Rejection = String;
    }

    fn read(schema: u32, body: &str) -> Result<Ship, WaitingError> {
        decode(schema, &Json::parse(body).unwrap())
    }

    #[test]
    fn an_old_shape_becomes_that_of_today_step_by_step() {
        let ship = |by: &str, express| Ok(Ship { order: 7, by: by.into(), express });
        assert_eq!(read(1, "7"), ship("post", false));
        assert_eq!(read(2, r#"{"order": 7, "by": "bike"}"#), ship("bike", false));
        assert_eq!(read(3, r#"{"order": 7, "by": "bike", "express": true}"#), ship("bike", true));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let unknown = |schema| WaitingError::UnknownSchema { command: "shop.ship", schema, known: 3 };
        assert_eq!(read(4, "7"), Err(unknown(4)));
        assert_eq!(read(0, "7"), Err(unknown(0)));
        let failed = |schema, word: &str| match read(schema, r#"{"order": 7, "by": "x", "express": true}"#) {
            Err(WaitingError::Upcast { schema: of, cause, .. }) => of == schema && cause.contains(word),
            _ => false,
        };
        assert!(failed(1, "expected u64") && failed(2, "express already"));
        assert!(read(1, "1000").unwrap_err().to_string().contains("panicked: a number too large"));
        assert!(matches!(read(3, "7"), Err(WaitingError::Malformed(_))));
    }
}
