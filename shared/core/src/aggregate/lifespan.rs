//! How long an aggregate stays in memory, as the domain says.

use std::{any::Any, fmt, time::Duration};

/// How long an aggregate stays in memory after something, unless something else comes. Whatever it says, no command is lost: one that
/// meets an aggregate which has left memory reads it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifespan {
    /// As long as the settings say: `host.aggregate_idle_ms`.
    #[default]
    Default,
    /// For this time; for one of nothing it stops.
    Keep(Duration),
    /// It leaves memory as soon as no command waits for it.
    Stop,
    /// Until the process ends, or others need the room: `host.aggregates_live_max` holds for all.
    Forever,
}

/// What has just become of a command, for [`Aggregate::lifespan`](crate::Aggregate::lifespan).
pub enum After<'a, E> {
    /// Events happened; this was the last one.
    Event(&'a E),
    /// It was carried out, and nothing happened.
    Nothing(Asked<'a>),
    /// The domain said no.
    Rejection(Asked<'a>, Why<'a>),
    /// It failed otherwise: conflicts without end, a store that is away, a panic.
    Failure(Asked<'a>),
}

/// A command of one of the types that an aggregate decides.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    name: &'static str,
    command: &'a (dyn Any + Send + Sync),
}

/// The rejection of a command of one of the types that an aggregate decides.
#[derive(Clone, Copy)]
pub struct Why<'a>(&'a (dyn Any + Send));

impl<'a> Asked<'a> {
    /// This command.
    #[must_use]
    pub fn of<C: crate::Command>(command: &'a C) -> Self {
        Self { name: C::NAME, command }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The command, if it is of this type.
    #[must_use]
    pub fn command<C: crate::Command>(&self) -> Option<&'a C> {
        self.command.downcast_ref()
    }
}

impl<'a> Why<'a> {
    /// This rejection.
    #[must_use]
    pub fn of<R: Send + 'static>(rejection: &'a R) -> Self {
        Self(rejection)
    }

    /// The rejection, if it is of this type.
    #[must_use]
    pub fn rejection<R: 'static>(&self) -> Option<&'a R> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Debug for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a rejection")
    }
}

impl<E: fmt::Debug> fmt::Debug for After<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => f.debug_tuple("Event").field(event).finish(),
            Self::Nothing(asked) => f.debug_tuple("Nothing").field(asked).finish(),
            Self::Rejection(asked, _) => f.debug_tuple("Rejection").field(asked).finish_non_exhaustive(),
            Self::Failure(asked) => f.debug_tuple("Failure").field(asked).finish(),
        }
    }
}
