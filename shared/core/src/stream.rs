//! Stream names and the categories they fall into.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// Longest stream name, in bytes. It keeps the unique index on names small and a log line readable.
pub const NAME_MAX_BYTES: usize = 250;

/// The name of a stream, such as `article-0190f5e2`. Clones share the text.
///
/// A name is 1 to [`NAME_MAX_BYTES`] bytes without control characters and does not begin with `$`, which is
/// kept for the system's own streams (`$all`). Everything else is legal, commas and spaces included.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamName(Arc<str>);

/// The part of a stream name before the first `-`: all streams of one kind of aggregate share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Category<'a>(pub &'a str);

/// Why a text is no stream name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamNameError {
    /// It is empty.
    #[error("a stream name cannot be empty")]
    Empty,
    /// It begins with `$`. Nobody appends to `$all`; it is what every append adds to.
    #[error("stream name {0:?} is reserved: names that begin with '$' are the system's own")]
    Reserved(String),
    /// It is too long.
    #[error("a stream name has at most {NAME_MAX_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// It holds a control character.
    #[error("stream name {0:?} holds a control character")]
    NotPrintable(String),
}

impl StreamNameError {
    /// The same of the id that a name was to be made of, for whoever knows no more than that; what is said follows the id.
    #[must_use]
    pub fn of_id(&self) -> String {
        match self {
            Self::Empty => "cannot be empty".into(),
            Self::Reserved(_) => "cannot begin with '$'".into(),
            Self::TooLong(length) => {
                format!(
                    "is too long: with the kind before it, it has {length} bytes of at most {NAME_MAX_BYTES}"
                )
            }
            Self::NotPrintable(_) => "cannot hold control characters, such as an end of line".into(),
        }
    }
}

impl StreamName {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// When the text breaks the rules of [`StreamName`].
    pub fn new(name: impl Into<Arc<str>>) -> Result<Self, StreamNameError> {
        let name = name.into();
        if name.is_empty() {
            Err(StreamNameError::Empty)
        } else if name.starts_with('$') {
            Err(StreamNameError::Reserved(name.to_string()))
        } else if name.len() > NAME_MAX_BYTES {
            Err(StreamNameError::TooLong(name.len()))
        } else if name.chars().any(char::is_control) {
            Err(StreamNameError::NotPrintable(name.to_string()))
        } else {
            Ok(Self(name))
        }
    }

    /// The stream of one aggregate: `category-id`.
    ///
    /// # Errors
    /// When the id is empty or makes the name break the rules of [`StreamName`].
    pub fn of(category: &str, id: &str) -> Result<Self, StreamNameError> {
        if id.is_empty() { Err(StreamNameError::Empty) } else { Self::new(format!("{category}-{id}")) }
    }

    /// The log of all streams, as it is called in lists and infos. Read it by [`ReadAll`](crate::store::ReadAll).
    #[must_use]
    pub fn all() -> Self {
        Self("$all".into())
    }

    /// The system's own stream that records every act of upkeep.
    #[must_use]
    pub fn audit() -> Self {
        Self("$audit".into())
    }

    /// Whether it is one of the system's own, to which nobody appends.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.0.starts_with('$')
    }

    /// Takes a name that a store checked when it was written.
    #[must_use]
    pub fn from_store(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The category: everything before the first `-`, or the whole name when there is none.
    #[must_use]
    pub fn category(&self) -> Category<'_> {
        Category(self.0.split_once('-').map_or(&*self.0, |(category, _)| category))
    }

    /// What follows the category's `-`; empty when there is none.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, id)| id)
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for StreamName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for StreamName {
    type Error = StreamNameError;

    /// Also takes the system's own names: what was written is read again, such as an export of the log.
    fn try_from(name: String) -> Result<Self, Self::Error> {
        [Self::all(), Self::audit()]
            .into_iter()
            .find(|own| own.as_str() == name)
            .map_or_else(|| Self::new(name), Ok)
    }
}

impl From<StreamName> for String {
    fn from(name: StreamName) -> Self {
        name.0.as_ref().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_splits_at_its_first_dash() {
        let name = StreamName::of("article", "a-b").unwrap();
        assert_eq!((name.category(), name.id()), (Category("article"), "a-b"));
        assert_eq!(StreamName::new("lonely").unwrap().category(), Category("lonely"));
    }

    /// AP-10: appending to `$all` is a specific error value.
    #[test]
    fn a_name_that_breaks_a_rule_says_which() {
        assert_eq!(StreamName::new(""), Err(StreamNameError::Empty));
        assert_eq!(StreamName::of("article", ""), Err(StreamNameError::Empty));
        assert_eq!(StreamName::new("$all"), Err(StreamNameError::Reserved("$all".into())));
        assert_eq!(StreamName::new("x".repeat(251)), Err(StreamNameError::TooLong(251)));
        assert_eq!(StreamName::new("a\nb"), Err(StreamNameError::NotPrintable("a\nb".into())));
        assert!(StreamName::new("a, b;ü").is_ok());
    }
}
