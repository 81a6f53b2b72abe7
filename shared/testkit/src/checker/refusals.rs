//! Refusals: their reasons were true at some moment between the question and the answer.

use std::ops::RangeInclusive;

use umbel_core::{ExpectedVersion, StreamName, Version};

use super::{
    Broken, Rule,
    attempt::{Outcome, Refusal},
    evidence::{Case, Evidence},
};

pub(super) fn check(evidence: &Evidence<'_>, broken: &mut Vec<Broken>) {
    for case in &evidence.cases {
        if let Outcome::Refused(refusal) = &case.attempt.outcome
            && let Some(what) = untrue(evidence, case, refusal)
        {
            broken.push(case.breaks(Rule::Refusal, what));
        }
    }
}

/// What is wrong with a refusal. Those for claims and conditions are looked at where these are.
fn untrue(evidence: &Evidence<'_>, case: &Case<'_>, refusal: &Refusal) -> Option<String> {
    let expected = |stream: &StreamName| {
        case.attempt.tried.streams.iter().find(|one| one.stream == *stream).map(|one| one.expected)
    };
    match refusal {
        Refusal::WrongVersion { stream, actual } => {
            let was_wrong = match expected(stream) {
                Some(ExpectedVersion::Exact(version)) => version != *actual,
                _ => false,
            };
            if !was_wrong {
                return Some(format!("it expected no other version than {actual} of {stream}"));
            }
            never(evidence, case, stream, *actual)
        }
        Refusal::StreamExists { stream, actual } => {
            if expected(stream) != Some(ExpectedVersion::NoStream) || *actual == Version::START {
                return Some(format!("it did not expect {stream} to be missing, or it was"));
            }
            never(evidence, case, stream, *actual)
        }
        Refusal::StreamNotFound { stream } => {
            if expected(stream) != Some(ExpectedVersion::StreamExists) {
                return Some(format!("it did not expect {stream} to exist"));
            }
            never(evidence, case, stream, Version::START)
        }
        Refusal::Duplicate { id } => {
            if case.attempt.tried.events().all(|(_, event)| event.id != *id) {
                return Some(format!("it does not hold event {id}"));
            }
            let there = evidence.position_of(*id).is_some_and(|position| position < case.before);
            (!there).then(|| format!("event {id} was not in the log then"))
        }
        Refusal::Claimed { .. } | Refusal::Condition { .. } | Refusal::Other { .. } => None,
    }
}

/// Whether a stream cannot have been at this version while the append was decided.
fn never(evidence: &Evidence<'_>, case: &Case<'_>, stream: &StreamName, actual: Version) -> Option<String> {
    let versions = possible(evidence, case, stream);
    (!versions.contains(&actual.get()))
        .then(|| format!("{stream} was at {} to {} then, not at {actual}", versions.start(), versions.end()))
}

fn possible(evidence: &Evidence<'_>, case: &Case<'_>, stream: &StreamName) -> RangeInclusive<u64> {
    evidence.version_at(stream, case.after)..=evidence.version_at(stream, case.before.saturating_sub(1))
}
