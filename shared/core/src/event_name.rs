//! The name of a kind of event, cheap to copy: a page of thousands of events has a handful of names.

use std::{
    borrow::Borrow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Stable wire name of a kind of event, such as `articles.published`. Clones share the text.
#[derive(Clone)]
pub struct EventName(Text);

/// Where the text is. Equal texts are equal wherever they are.
#[derive(Clone)]
enum Text {
    /// In the program, for kinds that it knows.
    Static(&'static str),
    /// In memory, for what was read.
    Shared(Arc<str>),
}

impl EventName {
    /// The name of a kind that this program knows.
    #[must_use]
    pub const fn known(name: &'static str) -> Self {
        Self(Text::Static(name))
    }
}

impl Deref for EventName {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Text::Static(name) => name,
            Text::Shared(name) => name,
        }
    }
}

impl AsRef<str> for EventName {
    fn as_ref(&self) -> &str {
        self
    }
}

/// Hashes and compares as the text does.
impl Borrow<str> for EventName {
    fn borrow(&self) -> &str {
        self
    }
}

impl From<&str> for EventName {
    fn from(name: &str) -> Self {
        Self(Text::Shared(name.into()))
    }
}

impl From<String> for EventName {
    fn from(name: String) -> Self {
        Self(Text::Shared(name.into()))
    }
}

impl Serialize for EventName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for EventName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl PartialEq for EventName {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for EventName {}

impl PartialEq<str> for EventName {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for EventName {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl PartialOrd for EventName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EventName {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl Hash for EventName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn where_the_text_is_makes_no_difference() {
        let (known, read) = (EventName::known("bank.opened"), EventName::from("bank.opened".to_owned()));
        assert_eq!(known, read);
        assert_eq!(known.cmp(&read), Ordering::Equal);
        assert_eq!(HashMap::from([(known, 1)]).get("bank.opened"), Some(&1));
        assert_ne!(read, EventName::known("bank.closed"));
        assert_eq!(read.to_string(), "bank.opened");
    }
}
