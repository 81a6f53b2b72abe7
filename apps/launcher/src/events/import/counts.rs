//! What became of the lines, and what is said of it.

use serde::{Serialize, Serializer};

use super::exports::{CutOff, Exports};
use crate::print::counted;

/// What must not be taken for imported.
const NO_CLAIMS: &str = "\
There were no claims, such as unique names, among the lines. What is taken there is free here until somebody takes it; see --help.
";

/// What became of the lines.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Appended now.
    pub(super) imported: u64,
    /// In the log before.
    pub(super) skipped: u64,
    /// Records of upkeep in the other log.
    pub(super) audit_records: u64,
    /// Claims that their owners have, now or since before.
    pub(super) claims: u64,
    /// Claims that others hold here.
    pub(super) claims_held_by_others: u64,
    /// Claims that the ends of exports tell of and that were not among the lines.
    pub(super) claims_missing: u64,
    /// Whether it is told how many claims there are.
    #[serde(skip)]
    pub(super) tells_claims: bool,
    /// Whether an export has no end, so that some of its lines may be missing.
    #[serde(serialize_with = "whether")]
    pub(super) cut_off: Option<CutOff>,
}

impl Counts {
    /// All lines were read.
    pub(super) fn end(&mut self, exports: &Exports) {
        (self.cut_off, self.claims_missing) = (exports.cut_off(), exports.claims_missing);
        self.tells_claims = exports.tells_claims;
    }

    pub(super) fn words(&self) -> String {
        let mut words = format!("imported {}", counted(self.imported, "event"));
        if self.skipped > 0 {
            words += &format!("; {} in the log before", counted(self.skipped, "event"));
        }
        if self.audit_records > 0 {
            words += &format!("; left out {} of upkeep", counted(self.audit_records, "record"));
        }
        if self.claims > 0 {
            words += &format!("; {} taken by their owners", counted(self.claims, "claim"));
        }
        words.push('\n');
        let untold = !self.tells_claims && self.claims + self.claims_held_by_others == 0;
        if untold && self.imported + self.skipped > 0 {
            words += NO_CLAIMS;
        }
        words
    }

    /// What is left to be done, though all lines were gone through.
    pub(super) fn left(&self) -> Option<String> {
        let held = (self.claims_held_by_others > 0).then(|| {
            let claims = counted(self.claims_held_by_others, "claim");
            format!(
                "left {claims} to others, who hold them here; all else was imported. Once they have given them up, the same import again \
                 takes them"
            )
        });
        let cut_off = self.cut_off.map(|cut_off| {
            format!(
                "{}: it was interrupted, or is of an older program. What there is was imported; events and claims may be missing. Export \
                 again, and import that",
                without_end(cut_off)
            )
        });
        let missing = (self.claims_missing > 0).then(|| {
            format!(
                "{} that an export tells of in its last line are not among its lines: what they stand for is free here. Export again, and \
                 import that",
                counted(self.claims_missing, "claim")
            )
        });
        let left: Vec<_> = held.into_iter().chain(missing).chain(cut_off).collect();
        (!left.is_empty()).then(|| left.join(". And "))
    }
}

fn without_end(CutOff { first, next }: CutOff) -> String {
    let before = next.map_or_else(String::new, |next| format!(" before the next one begins at line {next}"));
    format!("the export that begins at line {first} has no end{before}")
}

fn whether<S: Serializer>(cut_off: &Option<CutOff>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(cut_off.is_some())
}
