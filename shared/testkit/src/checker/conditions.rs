//! Conditions: nothing that an append depends on is in the log that it had not read, and who is refused is shown what is.

use super::{
    Broken, Rule,
    attempt::{Outcome, Refusal},
    evidence::{Case, Evidence},
};

pub(super) fn check(evidence: &Evidence<'_>, broken: &mut Vec<Broken>) {
    for case in &evidence.cases {
        broken.extend(check_stored(evidence, case));
        broken.extend(check_refused(evidence, case));
    }
}

/// Whatever is before it in the log, and behind the position, must be of no concern to it.
fn check_stored(evidence: &Evidence<'_>, case: &Case<'_>) -> Option<Broken> {
    let (first, _) = case.span().filter(|_| case.is_stored())?;
    case.attempt.tried.conditions.iter().find_map(|condition| {
        let met = evidence.upto(first.saturating_sub(1)).iter().find(|event| condition.forbids(event))?;
        let what = format!(
            "it is at {first}, and demands that there be no event such as {} behind {}",
            met.position, condition.after
        );
        Some(case.breaks(Rule::Condition, what))
    })
}

/// What it was refused for was there when it was answered, and is the first that one of its conditions forbids.
fn check_refused(evidence: &Evidence<'_>, case: &Case<'_>) -> Option<Broken> {
    let Outcome::Refused(Refusal::Condition { position, after }) = &case.attempt.outcome else { return None };
    let conditions = case.attempt.tried.conditions.iter().filter(|condition| condition.after == *after);
    let mut first =
        conditions.filter_map(|condition| evidence.log.iter().find(|event| condition.forbids(event)));
    let is_right = first.any(|event| event.position == *position);
    if is_right && position.get() < case.before {
        return None;
    }
    let what = format!("the event at {position} is none that it forbids behind {after}, or came later");
    Some(case.breaks(Rule::Refusal, what))
}
