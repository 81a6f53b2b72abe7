//! The optimistic lock, and the order of appends in time.

use umbel_core::{ExpectedVersion, RecordedEvent, StreamName};

use super::{
    Broken, Rule,
    evidence::{Case, Evidence, Place},
};

pub(super) fn check(evidence: &Evidence<'_>, broken: &mut Vec<Broken>) {
    for case in evidence.cases.iter().filter(|case| case.is_stored()) {
        broken.extend(check_expected(case));
        // The same append sent again is where the first one is.
        if let Some((first, _)) = case.span()
            && case.sole
            && first <= case.after
        {
            let what = format!("it is at {first}, but {} was answered before it was sent", case.after);
            broken.push(case.breaks(Rule::Order, what));
        }
    }
}

/// What was expected of each stream was true just before its first event. Versions are contiguous, so the version
/// before it is one less.
fn check_expected(case: &Case<'_>) -> Option<Broken> {
    let Place::Whole(events) = &case.place else { return None };
    let version_before = |stream: &StreamName| {
        let first: &&RecordedEvent = events.iter().find(|event| event.stream == *stream)?;
        first.version.get().checked_sub(1)
    };
    case.attempt.tried.streams.iter().find_map(|one| {
        let actual = version_before(&one.stream)?;
        let holds = match one.expected {
            ExpectedVersion::Any => true,
            ExpectedVersion::NoStream => actual == 0,
            ExpectedVersion::StreamExists => actual > 0,
            ExpectedVersion::Exact(version) => version.get() == actual,
        };
        (!holds).then(|| {
            let what = format!("it expected {} of {}, which was at {actual}", one.expected, one.stream);
            case.breaks(Rule::Expected, what)
        })
    })
}
