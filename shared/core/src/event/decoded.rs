//! What a recorded event is to a reader: one event as a rule, none or several if its shape is an old one.

use std::{option, vec};

/// The events that a recorded event is to its reader, in order. One, without any allocation, unless it has an old shape of which
/// upcasters made none or several, or is none that the reader wants.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Decoded<T>(Events<T>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Events<T> {
    One(Option<T>),
    /// Never of one, nor of none.
    Several(Vec<T>),
}

/// See [`Decoded`].
#[derive(Debug)]
pub struct IntoIter<T>(Rest<T>);

#[derive(Debug)]
enum Rest<T> {
    One(option::IntoIter<T>),
    Several(vec::IntoIter<T>),
}

impl<T> Decoded<T> {
    /// None.
    pub const fn nothing() -> Self {
        Self(Events::One(None))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Events::One(one) => usize::from(one.is_some()),
            Events::Several(events) => events.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The only one there is; none if there are several.
    #[must_use]
    pub fn one(self) -> Option<T> {
        match self.0 {
            Events::One(one) => one,
            Events::Several(_) => None,
        }
    }
}

impl<T> From<T> for Decoded<T> {
    fn from(one: T) -> Self {
        Self(Events::One(Some(one)))
    }
}

impl<T> FromIterator<T> for Decoded<T> {
    fn from_iter<I: IntoIterator<Item = T>>(events: I) -> Self {
        let mut events: Vec<T> = events.into_iter().collect();
        match events.len() {
            0 | 1 => Self(Events::One(events.pop())),
            _ => Self(Events::Several(events)),
        }
    }
}

impl<T> IntoIterator for Decoded<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter(match self.0 {
            Events::One(one) => Rest::One(one.into_iter()),
            Events::Several(events) => Rest::Several(events.into_iter()),
        })
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match &mut self.0 {
            Rest::One(one) => one.next(),
            Rest::Several(events) => events.next(),
        }
    }
}
