//! Whether to try what pays only if it goes well: the more often it has failed of late, the more seldom it is tried.

/// After so many failures in a row, so many chances (at most, doubled from one) are let pass.
const LET_PASS_MAX: u32 = 64;

/// Whether to try.
#[derive(Debug, Default)]
pub(crate) struct Caution {
    left: u32,
    next: u32,
}

impl Caution {
    /// To be asked at each chance.
    pub(crate) fn may_try(&mut self) -> bool {
        let may = self.left == 0;
        self.left = self.left.saturating_sub(1);
        may
    }

    pub(crate) fn went_well(&mut self) {
        self.next /= 2;
    }

    pub(crate) fn failed(&mut self) {
        // The first one alone means nothing.
        self.left = self.next;
        self.next = (self.next * 2).clamp(1, LET_PASS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many chances pass until the next try.
    fn passed(caution: &mut Caution) -> usize {
        (0..).take_while(|_| !caution.may_try()).count()
    }

    #[test]
    fn each_failure_in_a_row_doubles_the_chances_that_pass() {
        let mut caution = Caution::default();
        let passed = |caution: &mut Caution| {
            caution.failed();
            passed(caution)
        };
        let seen: Vec<_> = (0..9).map(|_| passed(&mut caution)).collect();
        assert_eq!(seen, [0, 1, 2, 4, 8, 16, 32, 64, 64]);
        (0..7).for_each(|_| caution.went_well());
        assert_eq!(passed(&mut caution), 0, "what went well is forgiven");
    }
}
