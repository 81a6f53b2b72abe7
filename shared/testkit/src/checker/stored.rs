//! What is in the log, and what is not.

use std::collections::HashMap;

use umbel_core::EventId;

use super::{
    Broken, Rule,
    attempt::Outcome,
    evidence::{Case, Evidence, Place},
};

pub(super) fn check(evidence: &Evidence<'_>, broken: &mut Vec<Broken>) {
    check_origin(evidence, broken);
    broken.extend(evidence.cases.iter().filter_map(check_place));
}

/// Every event has a writer who was not refused.
fn check_origin(evidence: &Evidence<'_>, broken: &mut Vec<Broken>) {
    let mut senders: HashMap<EventId, Vec<&Case<'_>>> = HashMap::new();
    for case in &evidence.cases {
        for (stream, event) in case.attempt.tried.events() {
            if evidence.recorded(stream, event).is_some() {
                senders.entry(event.id).or_default().push(case);
            }
        }
    }
    // What the store writes itself has no writer.
    for event in evidence.log.iter().filter(|event| !event.stream.is_system()) {
        let senders = senders.get(&event.id).map_or(&[][..], Vec::as_slice);
        if senders.iter().any(|case| case.may_have_stored) {
            continue;
        }
        let place = format!("event {} at position {} of {}", event.id, event.position, event.stream);
        broken.push(match senders {
            [] => Broken { rule: Rule::Origin, what: format!("nobody sent {place} like this") },
            // An append whose command was carried out by another one.
            [case, ..] if !matches!(case.attempt.outcome, Outcome::Refused(_)) => {
                case.breaks(Rule::Command, format!("{place} is of a command that was carried out otherwise"))
            }
            [case, ..] => case.breaks(Rule::Origin, format!("it was refused, but {place} is its own")),
        });
    }
}

/// Whole where it was acknowledged, whole or nowhere where nobody knows.
fn check_place(case: &Case<'_>) -> Option<Broken> {
    match (&case.attempt.outcome, &case.place) {
        (Outcome::Stored { last_position, versions }, Place::Whole(events)) => {
            let version = |stream: &umbel_core::StreamName| {
                let last = events.iter().rev().find(|event| event.stream == *stream);
                last.map(|event| event.version)
            };
            let found: Vec<_> =
                case.attempt.tried.streams.iter().filter_map(|one| version(&one.stream)).collect();
            let last = events.last().map(|event| event.position);
            (*last_position != last || *versions != found).then(|| {
                let what = format!("the answer does not fit: it ends at {last:?} with versions {found:?}");
                case.breaks(Rule::Answer, what)
            })
        }
        (Outcome::Stored { last_position, versions }, Place::NoEvents) => {
            let nothing = last_position.is_none() && versions.is_empty();
            (!nothing).then(|| case.breaks(Rule::Answer, "the answer names places, but it has no events"))
        }
        (Outcome::Stored { .. }, Place::Nowhere) => {
            Some(case.breaks(Rule::Lost, "it was acknowledged, but it is not there"))
        }
        (Outcome::Stored { .. }, Place::Partly(how)) => Some(case.breaks(Rule::Lost, how)),
        (Outcome::Unknown | Outcome::Repeated { .. }, Place::Partly(how)) => {
            Some(case.breaks(Rule::Torn, how))
        }
        _ => None,
    }
}
