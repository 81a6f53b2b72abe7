//! Why an import stops, and what to do then.

use umbel_core::{ExpectedVersion, Version, store::AppendError};

use super::{batch::Run, counts::Counts};
use crate::{
    print::counted,
    tool::{Stop, failed},
};

/// What becomes of an import that ends before its end.
pub(super) const GOES_ON: &str =
    "What stands before it is in the log; once that is mended, the same import again goes on there";

/// The same where it is not known how far it came.
pub(super) const AGAIN: &str = "The same import again goes on where it came to";

/// Somebody has told the import to stop, behind a line.
pub(super) fn interrupted(line: u64, counts: &Counts) -> Stop {
    let (imported, skipped) = (counted(counts.imported, "event"), counts.skipped);
    failed(format!(
        "interrupted behind line {line}, with {imported} imported and {skipped} in the log before. What stands up to there is in the log; \
         the same import again goes on there"
    ))
}

/// Lines of one log are not appended to another one.
pub(super) fn foreign(others: u64, line: u64) -> Stop {
    failed(format!(
        "line {line}: the log holds {}, and what begins here is not among them. Nothing was imported: import into an empty store, or \
         say --into-existing if the two logs shall become one",
        counted(others, "event")
    ))
}

pub(super) fn refused(run: &Run, error: &AppendError) -> Stop {
    if let AppendError::Store(error) = error {
        // With the exit code that it has everywhere.
        let at = || format!("line {}: {GOES_ON}", run.line_of(&error.clone().into()));
        return Stop::from(error.clone()).while_at(at);
    }
    stopped_at(run.line_of(error), &format!("{error}{}", hint(error)))
}

pub(super) fn stopped_at(line: u64, what: &str) -> Stop {
    let before = if line > 1 { GOES_ON } else { "Nothing was imported" };
    failed(format!("line {line}: {what}. {before}"))
}

/// What to do about it.
fn hint(error: &AppendError) -> String {
    match error {
        AppendError::WrongExpectedVersion { expected: ExpectedVersion::Exact(expected), actual, .. }
            if actual < expected =>
        {
            missing(*actual, *expected)
        }
        AppendError::WrongExpectedVersion { .. } | AppendError::StreamExists { .. } => {
            "; the stream is not what it was where the export comes from: import into an empty store, or leave the stream \
             out"
            .to_owned()
        }
        AppendError::StreamDeleted(_) => "; leave the stream out".to_owned(),
        AppendError::SubjectForgotten { .. } => "; leave the event out".to_owned(),
        _ => String::new(),
    }
}

/// Of a stream that ends here before what the line follows upon.
fn missing(here: Version, before: Version) -> String {
    let first = here.next();
    let (which, are) = if first == before {
        (format!("its version {first}"), "is")
    } else {
        (format!("its versions {first} to {before}"), "are")
    };
    format!(
        "; {which} {are} neither here nor on a line before this one: left out of the export by a condition, a link, or removed for good. \
         Export whole streams, which --category and --until do and other conditions do not, or leave the stream out"
    )
}

#[cfg(test)]
mod tests {
    use umbel_core::StreamName;

    use super::*;

    #[test]
    fn what_is_missing_is_told_from_what_is_too_much() {
        let hint = |expected, actual| {
            hint(&AppendError::WrongExpectedVersion {
                stream: StreamName::new("a-1").unwrap(),
                expected: ExpectedVersion::Exact(Version::new(expected)),
                actual: Version::new(actual),
            })
        };
        assert!(hint(1, 0).contains("its version 1 is neither"));
        assert!(hint(7, 4).contains("its versions 5 to 7 are neither"));
        assert!(hint(4, 7).contains("import into an empty store"));
    }
}
