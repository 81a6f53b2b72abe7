//! Places in the log, and what a writer expects of a place.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! place {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Before the first event.
            pub const START: Self = Self(0);
            /// Far beyond the last event. Stores keep places as signed 64-bit numbers, hence this bound.
            pub const MAX: Self = Self(i64::MAX.unsigned_abs());

            /// The place with this number; numbers beyond [`Self::MAX`] become it.
            #[must_use]
            pub const fn new(number: u64) -> Self {
                if number > Self::MAX.0 { Self::MAX } else { Self(number) }
            }

            /// The number: 0 before the first event, 1 for the first.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The number as databases hold it.
            #[must_use]
            pub fn to_i64(self) -> i64 {
                i64::try_from(self.0).unwrap_or(i64::MAX)
            }

            /// From a database's number. A negative one, which no healthy store holds, becomes the start.
            #[must_use]
            pub fn from_i64(number: i64) -> Self {
                Self(u64::try_from(number).unwrap_or(0))
            }

            /// The place `count` events later.
            #[must_use]
            pub const fn plus(self, count: u64) -> Self {
                Self::new(self.0.saturating_add(count))
            }

            /// The next place.
            #[must_use]
            pub const fn next(self) -> Self {
                self.plus(1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

place! {
    /// An event's place in its stream: 1 for the first, contiguous. 0 is an empty stream.
    Version
}

place! {
    /// An event's place in the log of all streams: 1 for the first, contiguous in commit order.
    /// Nobody sees position n+1 before n. 0 is an empty log.
    Position
}

place! {
    /// A place in what a subscription follows: a position of the log, or a version of the one stream it follows. 0 is before the
    /// first event.
    Place
}

impl From<Position> for Place {
    fn from(position: Position) -> Self {
        Self::new(position.get())
    }
}

impl From<Version> for Place {
    fn from(version: Version) -> Self {
        Self::new(version.get())
    }
}

/// What a writer believes about a stream at the moment of the append: the optimistic lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedVersion {
    /// Nothing; the append succeeds whatever others wrote.
    Any,
    /// The stream has no events yet. A stream row without events counts as none.
    NoStream,
    /// The stream has at least one event, whichever.
    StreamExists,
    /// The stream's last event has exactly this version. `Exact(0)` means the same as [`Self::NoStream`].
    Exact(Version),
}

impl fmt::Display for ExpectedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::NoStream => f.write_str("no stream"),
            Self::StreamExists => f.write_str("stream exists"),
            Self::Exact(version) => write!(f, "version {version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stay_within_what_a_database_can_hold() {
        assert_eq!(Version::new(u64::MAX), Version::MAX);
        assert_eq!(Version::MAX.next(), Version::MAX);
        assert_eq!(Position::from_i64(-1), Position::START);
        assert_eq!(Position::from_i64(Position::new(7).to_i64()), Position::new(7));
    }
}
