//! What a decision plans for later, and takes back: the same for aggregates and boundaries.

#![allow(clippy::panic, reason = "a failed expectation of a test is a panic")]

use serde_json::{Value, json};
use umbel_core::{
    Command, Timestamp,
    schedule::{PlanStep, PlannedCommand, Plans},
};

/// When a command is to be carried out.
pub use umbel_core::schedule::When as Later;

/// A command that is expected to be planned, or taken back.
pub struct Planned(Box<dyn FnOnce(Timestamp) -> Value>);

/// This command is planned, for then.
pub fn later<D: Command>(command: D, when: Later) -> Planned {
    planned(None, command, when)
}

/// This command is planned under a name, for then.
pub fn later_as<D: Command>(name: &str, command: D, when: Later) -> Planned {
    planned(Some(name.to_owned()), command, when)
}

/// What waits under this name is taken back.
#[must_use]
pub fn taken_back(name: &str) -> Planned {
    let name = name.to_owned();
    Planned(Box::new(move |now| told(&PlanStep::Cancel(&name), now)))
}

/// Exactly these are planned and taken back, in this order.
#[track_caller]
pub(crate) fn are_planned(plans: &Plans, expected: impl IntoIterator<Item = Planned>, now: Timestamp) {
    let expected: Vec<_> = expected.into_iter().map(|planned| planned.0(now)).collect();
    let planned: Vec<_> = plans.steps().map(|step| told(&step, now)).collect();
    assert_eq!(planned, expected, "what is planned and taken back (left) is not the expected (right)");
}

fn planned<D: Command>(name: Option<String>, command: D, when: Later) -> Planned {
    Planned(Box::new(move |now| {
        let mut plans = Plans::default();
        match name {
            Some(name) => plans.schedule_as(name, command, when),
            None => plans.schedule(command, when),
        }
        plans.steps().map(|step| told(&step, now)).next().unwrap_or_default()
    }))
}

/// A plan as it goes over the wire, and its moment: "in an hour" is the same as the moment an hour from now.
#[track_caller]
fn told(step: &PlanStep<'_>, now: Timestamp) -> Value {
    match step {
        PlanStep::Schedule(name, PlannedCommand { command, body, when, .. }) => {
            let body = body.as_ref().unwrap_or_else(|error| panic!("{command} cannot be kept: {error}"));
            let body: Value = body.decode().expect("encoded as JSON a moment ago");
            json!({ "name": name, "command": command, "body": body, "at": when.from(now).to_string() })
        }
        PlanStep::Cancel(name) => json!({ "taken back": name }),
    }
}
