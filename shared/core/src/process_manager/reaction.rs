//! What an instance answers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    id::CommandId,
    json::{Json, JsonError},
    message::Command,
    personal::Owned,
    time::Timestamp,
    waiting::{first_schema, is_first_schema, schema_of},
};

/// What follows: commands, timers, an end. All of it is stored as one with what the instance remembers, or nothing is.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use std::time::Duration;
/// # use umbel_core::{Command, process_manager::Reaction};
/// # #[derive(Debug, Serialize, Deserialize, Command)]
/// # #[command(name = "shop.ship", rejection = String)]
/// # struct Ship { order: u32 }
/// Reaction::nothing();
/// Reaction::command(Ship { order: 1 }).timer("arrival", Duration::from_secs(86_400)).cancel("payment");
/// Reaction::nothing().stop();
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Reaction {
    pub(super) commands: Vec<Encoded>,
    pub(super) timers: Vec<TimerChange>,
    pub(super) stop: bool,
}

/// A command in its wire form, or why it has none.
pub(super) type Encoded = Result<(&'static str, u32, Owned), (&'static str, JsonError)>;

/// What becomes of a timer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerChange {
    /// Which.
    pub name: String,
    /// When it runs out; `None` when it does not any more.
    pub until: Option<Until>,
}

/// When a timer runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// So long after it is set.
    After(Duration),
    /// Then.
    At(Timestamp),
}

/// A command that is to be dispatched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The same whenever the same instance orders it because of the same event.
    pub id: CommandId,
    /// The command's name.
    pub name: String,
    /// Version of its shape.
    #[serde(default = "first_schema", skip_serializing_if = "is_first_schema")]
    pub schema: u32,
    /// The command, and whose personal data it holds.
    pub body: Owned,
}

impl Reaction {
    /// Nothing follows.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// This command is to be carried out.
    pub fn command<C: Command>(command: C) -> Self {
        Self::default().and(command)
    }

    /// And then this one.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "an author writes a command here, and not a reference to one"
    )]
    pub fn and<C: Command>(mut self, command: C) -> Self {
        let encoded = Json::encode(&command).map(|body| Owned::new(body, command.subject()));
        let schema = const { schema_of::<C>() };
        self.commands.push(encoded.map(|body| (C::NAME, schema, body)).map_err(|error| (C::NAME, error)));
        self
    }

    /// The instance is to be told when this time has passed. One timer of a name runs at a time: the last one set.
    pub fn timer(self, name: impl Into<String>, after: Duration) -> Self {
        self.change(name, Some(Until::After(after)))
    }

    /// The instance is to be told at this moment.
    pub fn timer_at(self, name: impl Into<String>, at: Timestamp) -> Self {
        self.change(name, Some(Until::At(at)))
    }

    /// The timer of this name is not needed any more. If there is none, that changes nothing.
    pub fn cancel(self, name: impl Into<String>) -> Self {
        self.change(name, None)
    }

    /// It has come to its end: what it remembers and its timers are deleted. The commands are dispatched all the same.
    pub fn stop(mut self) -> Self {
        self.stop = true;
        self
    }

    /// The commands, by name, in their wire form.
    pub fn commands(&self) -> impl Iterator<Item = (&'static str, Option<&Json>)> {
        self.commands.iter().map(|encoded| match encoded {
            Ok((name, _, body)) => (*name, Some(body.json())),
            Err((name, _)) => (*name, None),
        })
    }

    /// Why it cannot be stored, if one of its commands has no JSON form.
    #[must_use]
    pub fn unencodable(&self) -> Option<String> {
        let mut wrong = self.commands.iter().filter_map(|encoded| encoded.as_ref().err());
        wrong.next().map(|(name, error)| format!("command {name} has no JSON form: {error}"))
    }

    /// What becomes of timers, in order.
    #[must_use]
    pub fn timers(&self) -> &[TimerChange] {
        &self.timers
    }

    /// Whether the instance has come to its end.
    #[must_use]
    pub const fn stops(&self) -> bool {
        self.stop
    }

    fn change(mut self, name: impl Into<String>, until: Option<Until>) -> Self {
        self.timers.push(TimerChange { name: name.into(), until });
        self
    }
}

impl Until {
    /// The moment, for a timer that is set now.
    #[must_use]
    pub fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::After(time) => now.plus(time),
            Self::At(at) => at,
        }
    }
}
