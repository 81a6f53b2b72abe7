//! Commands: carried out once, and everybody gets the first reply.

use std::collections::BTreeMap;

use umbel_core::{CommandId, store::Appended};

use super::{
    Broken, Rule,
    attempt::Outcome,
    evidence::{Case, Evidence, Place},
};

pub(super) fn check(evidence: &Evidence<'_>, broken: &mut Vec<Broken>) {
    let mut by_command: BTreeMap<CommandId, Vec<&Case<'_>>> = BTreeMap::new();
    for case in &evidence.cases {
        if let Some(command) = &case.attempt.tried.command {
            by_command.entry(command.id).or_default().push(case);
        }
    }
    for (id, cases) in by_command {
        match evidence.commands.get(&id) {
            Some(recorded) => check_recorded(recorded, &cases, broken),
            None => broken.extend(cases.into_iter().filter_map(check_unrecorded)),
        }
    }
}

/// A command that the store does not know was not carried out.
fn check_unrecorded(case: &Case<'_>) -> Option<Broken> {
    let acknowledged = matches!(case.attempt.outcome, Outcome::Stored { .. } | Outcome::Repeated { .. });
    acknowledged.then(|| case.breaks(Rule::Command, "the store does not know its command"))
}

fn check_recorded(recorded: &Appended, cases: &[&Case<'_>], broken: &mut Vec<Broken>) {
    let Some(first) = &recorded.repeated else { return };
    let own = |case: &&&Case<'_>| {
        case.attempt.tried.command.as_ref().is_some_and(|command| command.reply == *first)
    };
    let carriers: Vec<_> = cases.iter().filter(own).filter(|case| case.may_have_stored).collect();
    if carriers.is_empty() {
        let what = format!("{} is recorded with {first}, which nobody got stored", cases[0].attempt);
        broken.push(Broken { rule: Rule::Command, what });
    }
    let told_stored = cases.iter().filter(|case| matches!(case.attempt.outcome, Outcome::Stored { .. }));
    for again in told_stored.skip(1) {
        broken.push(again.breaks(Rule::Command, "its command was carried out by two appends"));
    }
    for case in cases {
        match &case.attempt.outcome {
            Outcome::Stored { .. } if !own(&case) => {
                let what = format!("it was carried out, but what is recorded is {first}");
                broken.push(case.breaks(Rule::Command, what));
            }
            Outcome::Repeated { last_position, reply }
                if reply != first || *last_position != recorded.last_position =>
            {
                let what = format!("the first reply was {first} at {:?}", recorded.last_position);
                broken.push(case.breaks(Rule::Command, what));
            }
            _ => {}
        }
    }
    for carrier in carriers {
        // Where it was told a place, other rules look at it.
        let last = match &carrier.place {
            Place::NoEvents => None,
            Place::Whole(events) => events.last().map(|event| event.position),
            Place::Nowhere => {
                broken.push(carrier.breaks(Rule::Lost, "its command is recorded, but its events are not"));
                continue;
            }
            Place::Partly(_) => continue,
        };
        if last != recorded.last_position {
            let what = format!("recorded at {:?}, but its events end at {last:?}", recorded.last_position);
            broken.push(carrier.breaks(Rule::Command, what));
        }
    }
}
