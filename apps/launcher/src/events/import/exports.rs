//! Whether the exports that the lines are of are whole: several may stand one behind the other.

use super::super::lines::Beside;

/// The exports, as far as their lines were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Exports {
    /// Whether there was a line.
    any: bool,
    /// The first line of the one that has no end yet.
    begun: Option<u64>,
    /// The first one that had no end where another begins.
    cut_off: Option<CutOff>,
    /// Claims of the one that has no end yet.
    claims: u64,
    /// Claims that ends tell of and that were not there.
    pub(super) claims_missing: u64,
    /// Whether an end says how many claims there are.
    pub(super) tells_claims: bool,
}

/// An export without an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CutOff {
    /// Its first line.
    pub(super) first: u64,
    /// The first one of the next export; `None` when there is none.
    pub(super) next: Option<u64>,
}

impl Exports {
    /// The line with this number, and what it is if it is no event's.
    pub(super) fn read(&mut self, number: u64, beside: Option<&Beside>) {
        self.any = true;
        match beside {
            Some(Beside::End(claims)) => {
                let read = std::mem::take(&mut self.claims);
                self.claims_missing += claims.unwrap_or_default().saturating_sub(read);
                self.tells_claims |= claims.is_some();
                self.begun = None;
            }
            Some(Beside::Begin) => {
                self.claims = 0;
                if let Some(first) = self.begun.replace(number) {
                    self.cut_off.get_or_insert(CutOff { first, next: Some(number) });
                }
            }
            Some(Beside::Claim(_)) => {
                self.claims += 1;
                self.begun.get_or_insert(number);
            }
            None => {
                self.begun.get_or_insert(number);
            }
        }
    }

    /// The first that has no end when there are no more lines; no line is no export either.
    pub(super) fn cut_off(&self) -> Option<CutOff> {
        let last = self.begun.or((!self.any).then_some(1)).map(|first| CutOff { first, next: None });
        self.cut_off.or(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = r#"{"export":{"from":1}}"#;
    const EVENT: &str = r#"{"position":1}"#;
    const CLAIM: &str = r#"{"claim":{"scope":"test.name","value":"ada","owner":"a-1"}}"#;
    const END: &str = r#"{"end": {"claims": 1}}"#;
    const END_BEFORE: &str = r#"{"claims":1}"#;

    fn cut_off(lines: &[&str]) -> Option<CutOff> {
        let mut exports = Exports::default();
        for (number, line) in (1..).zip(lines) {
            let beside = Beside::read(line.as_bytes()).transpose().unwrap();
            exports.read(number, beside.as_ref());
        }
        exports.cut_off()
    }

    /// OP-15: the end of each export tells how many claims it has, and those that are missing are counted.
    #[test]
    fn claims_are_counted() {
        let missing = |lines: &[&str]| {
            let mut exports = Exports::default();
            for (number, line) in (1..).zip(lines) {
                exports.read(number, Beside::read(line.as_bytes()).transpose().unwrap().as_ref());
            }
            (exports.claims_missing, exports.tells_claims)
        };
        let three = r#"{"end":{"last_position":9,"claims":3}}"#;
        assert_eq!(missing(&[BEGIN, EVENT, CLAIM, END]), (0, true));
        assert_eq!(
            missing(&[BEGIN, CLAIM, three, EVENT, CLAIM, CLAIM, CLAIM, END_BEFORE, BEGIN, three]),
            (5, true)
        );
        assert_eq!(missing(&[BEGIN, EVENT, r#"{"end":{"last_position":1,"claims":null}}"#]), (0, false));
        assert_eq!(missing(&[BEGIN, CLAIM, BEGIN, CLAIM, END, END_BEFORE]), (1, true));
    }

    /// OP-15: each of several exports has its own end; those of older programs have no first line, and had another end or none.
    #[test]
    fn each_export_has_an_end() {
        for whole in [
            &[BEGIN, END][..],
            &[BEGIN, EVENT, CLAIM, END],
            &[EVENT, END],
            &[EVENT, CLAIM, END_BEFORE],
            &[BEGIN, EVENT, END, BEGIN, EVENT, END],
            &[EVENT, END_BEFORE, BEGIN, EVENT, END],
            &[BEGIN, EVENT, END, EVENT, END],
        ] {
            assert_eq!(cut_off(whole), None, "{whole:?}");
        }
        for (lines, first, next) in [
            (&[][..], 1, None),
            (&[BEGIN], 1, None),
            (&[EVENT], 1, None),
            (&[BEGIN, EVENT, CLAIM], 1, None),
            (&[BEGIN, EVENT, END, BEGIN], 4, None),
            (&[CLAIM, END, CLAIM], 3, None),
            (&[BEGIN, EVENT, BEGIN, EVENT, END], 1, Some(3)),
            (&[EVENT, BEGIN, EVENT, END], 1, Some(2)),
            (&[BEGIN, END, BEGIN, BEGIN, END, BEGIN], 3, Some(4)),
        ] {
            assert_eq!(cut_off(lines), Some(CutOff { first, next }), "{lines:?}");
        }
    }
}
