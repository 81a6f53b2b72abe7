//! Topics as keys: a name, and the type of what is published under it.

use std::{any::TypeId, fmt, marker::PhantomData, sync::Arc};

use umbel_core::Notice;

use super::error::TopicError;

/// Bytes that a topic's name may have at most: enough for any path of words, and short enough for a line of a
/// log.
pub const TOPIC_NAME_MAX_BYTES: usize = 255;

/// What can be published: anything that can be shared among threads and shown in a log. It need not be
/// cloned; all subscribers get the same one.
pub trait Payload: fmt::Debug + Send + Sync + 'static {}

impl<T: fmt::Debug + Send + Sync + 'static> Payload for T {}

/// A topic: its name, and the type of what is published under it. Cheap to clone; making one registers
/// nothing.
pub struct Topic<T> {
    name: Arc<str>,
    /// Whether it is the topic that a kind of [`Notice`] names itself.
    pub(crate) own_of_notice: bool,
    carries: PhantomData<fn() -> T>,
}

/// What a registered topic carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carried {
    pub(crate) type_id: TypeId,
    pub(crate) name: &'static str,
}

impl<T: Payload> Topic<T> {
    /// A topic by its name, for names that are known only while running, such as one per tenant. Whether the
    /// name is one is checked when it is registered.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), own_of_notice: false, carries: PhantomData }
    }
}

impl<N: Notice> Topic<N> {
    /// The topic that a kind of notice names itself: that of [`crate::Bus::publish`] and
    /// [`crate::Bus::listen`].
    #[must_use]
    pub fn of_notice() -> Self {
        Self { name: N::TOPIC.into(), own_of_notice: true, carries: PhantomData }
    }
}

impl<T> Topic<T> {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }
}

impl Carried {
    pub(crate) fn of<T: 'static>() -> Self {
        Self { type_id: TypeId::of::<T>(), name: std::any::type_name::<T>() }
    }
}

/// Checks that a name is one: not empty, not too long, without blanks and control characters.
pub(crate) fn check_name(name: &str) -> Result<(), TopicError> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.len() > TOPIC_NAME_MAX_BYTES {
        "it has more than 255 bytes"
    } else if name.chars().any(|char| char.is_whitespace() || char.is_control()) {
        "it has a blank or a control character"
    } else {
        return Ok(());
    };
    Err(TopicError::Name { name: name.to_owned(), reason })
}

impl<T> Clone for Topic<T> {
    fn clone(&self) -> Self {
        Self { name: Arc::clone(&self.name), own_of_notice: self.own_of_notice, carries: PhantomData }
    }
}

impl<T> fmt::Debug for Topic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for name in ["a", "orders.placed", "Ünïcode", &"x".repeat(255)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "two words", "tab\t", "nul\0", &"x".repeat(256)] {
            assert!(matches!(check_name(name), Err(TopicError::Name { .. })), "{name}");
        }
    }
}
