//! An independent judge of a store: what writers tried and were told, against the log as it reads afterwards.
//!
//! Every writer process keeps a [`Journal`] of what it sends and of what it is answered. [`check`] takes these journals
//! and the log, and accepts, or says exactly which promise was broken by which append. It knows nothing of how a store
//! decides: it shares no code with the planner, so a mistake there shows here.
//!
//! What it relies on: nothing was removed from the log, every event of an append has data that no other append has (the
//! same append sent again excepted), and every command record has a reply of its own.

mod attempt;
mod claims;
mod commands;
mod conditions;
mod evidence;
mod journal;
mod order;
mod refusals;
mod stored;

#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt};

use umbel_core::{CommandId, RecordedEvent, store::Appended};

use self::evidence::Evidence;
pub use self::{
    attempt::{
        Attempt, Outcome, Refusal, Tried, TriedClaims, TriedCommand, TriedCondition, TriedEvent, TriedItem,
        TriedStream,
    },
    journal::{History, Journal, JournalError},
};
use crate::conformance::check_log;

/// The promises that are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// Positions and versions are contiguous from 1, event ids are unique.
    Log,
    /// Every event in the log was written by an append that was not refused.
    Origin,
    /// An acknowledged append is in the log, whole and uninterrupted.
    Lost,
    /// An append with an unknown outcome is in the log whole, or not at all.
    Torn,
    /// An answer names the versions and the position at which the append really is.
    Answer,
    /// A command id was carried out once, and whoever sent it got the first reply.
    Command,
    /// What an append expected of its streams was true at its place in the log.
    Expected,
    /// An append that was answered before another was sent has the lower position.
    Order,
    /// A refusal gives a reason that was true between the question and the answer.
    Refusal,
    /// At every position a claim has at most one owner.
    Claim,
    /// Nothing that an append's condition is about is between its position and the append.
    Condition,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub rule: Rule,
    /// By what, and what was found instead.
    pub what: String,
}

/// What was judged, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Appends that writers sent.
    pub sent: usize,
    /// Of these: acknowledged as stored.
    pub stored: usize,
    /// Answered with the first reply of a command that was carried out before.
    pub repeated: usize,
    /// Refused, for whatever reason.
    pub refused: usize,
    /// Without an answer, or with one that says that the outcome is unknown.
    pub unknown: usize,
    /// Of the unknown ones with events: stored after all.
    pub unknown_stored: usize,
    /// Events in the log.
    pub events: usize,
}

/// Judges a log, in position order, by what its writers were told. `commands` holds what the store knows of each
/// command id in the history; an id that it does not know is left out.
///
/// # Errors
/// All promises that were broken; if the log alone is not sound, only that.
pub fn check(
    history: &History,
    log: &[RecordedEvent],
    commands: &HashMap<CommandId, Appended>,
) -> Result<Accepted, Vec<Broken>> {
    check_log(log).map_err(|what| vec![Broken { rule: Rule::Log, what }])?;
    let evidence = Evidence::new(history, log, commands);
    let mut broken = Vec::new();
    for rules in
        [stored::check, commands::check, order::check, refusals::check, claims::check, conditions::check]
    {
        rules(&evidence, &mut broken);
    }
    if broken.is_empty() { Ok(evidence.accepted()) } else { Err(broken) }
}

/// The commands of a history, to ask the store about them.
#[must_use]
pub fn command_ids(history: &History) -> Vec<CommandId> {
    let records = history.attempts.iter().filter_map(|attempt| attempt.tried.command.as_ref());
    let mut ids: Vec<_> = records.map(|record| record.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, stored, repeated, refused, unknown, unknown_stored, events } = self;
        write!(
            f,
            "{sent} appends: {stored} stored, {repeated} repeated, {refused} refused, {unknown} unknown (of which \
             {unknown_stored} stored); {events} events"
        )
    }
}
