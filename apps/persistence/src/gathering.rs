//! How many appends to wait for before the next group is begun, where others write to the log as well.
//!
//! A process that has the log for itself begins its next group at once: what arrives meanwhile is the group after it, and the
//! database is never idle. Where another process takes turns at the log's lock, a group begun early only queues for the lock, and
//! whoever arrives while it does has to wait for one turn more: half of the callers go with each turn. So there the callers who
//! were just told are waited for, for a moment, and all go together. Callers who come back at once, as those of a busy process do,
//! lose nothing by that; where they do not, it is soon tried only seldom.

use umbel_core::Position;

use crate::caution::Caution;

/// What the writer knows of who writes beside it, and of those who may come back.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    /// The last position of our last group.
    last: Option<Position>,
    /// So many are waited for; zero is nobody.
    expected: usize,
    caution: Caution,
}

impl Gathering {
    /// A group was stored from `first` to `last`, and so many callers are there or may be back in a moment.
    pub(crate) fn stored(&mut self, first: Position, last: Position, callers: usize) {
        let before = self.last.replace(last);
        let is_shared = before.is_some_and(|before| before.next() != first);
        self.expected = if is_shared && callers > 1 && self.caution.may_try() { callers } else { 0 };
    }

    /// Whether the next group waits for more than these.
    pub(crate) fn waits(&self, waiting: usize) -> bool {
        waiting < self.expected
    }

    /// The next group is begun: all are there.
    pub(crate) fn begun(&mut self) {
        if std::mem::take(&mut self.expected) > 0 {
            self.caution.went_well();
        }
    }

    /// They did not come back in time.
    pub(crate) fn give_up(&mut self) {
        if std::mem::take(&mut self.expected) > 0 {
            self.caution.failed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stores groups of these lengths, with so many events of others before each; what is waited for after each.
    fn stored(gathering: &mut Gathering, groups: &[(u64, u64)], callers: usize) -> Vec<usize> {
        let mut head = gathering.last.unwrap_or(Position::START);
        let expected = groups.iter().map(|&(others, own)| {
            let first = head.plus(others).next();
            head = head.plus(others + own);
            gathering.stored(first, head, callers);
            gathering.expected
        });
        expected.collect()
    }

    #[test]
    fn who_writes_alone_waits_for_nobody() {
        let mut gathering = Gathering::default();
        assert_eq!(stored(&mut gathering, &[(7, 3), (0, 5), (0, 1)], 8), [0, 0, 0]);
        assert!(!gathering.waits(0));
    }

    #[test]
    fn beside_others_all_callers_are_waited_for_and_one_alone_is_not() {
        let mut gathering = Gathering::default();
        assert_eq!(stored(&mut gathering, &[(0, 3), (4, 5)], 8), [0, 8]);
        assert!(gathering.waits(7));
        assert!(!gathering.waits(8));
        assert_eq!(stored(&mut gathering, &[(4, 1)], 1), [0], "its caller alone");
    }

    #[test]
    fn those_who_do_not_come_back_are_seldom_waited_for() {
        let mut gathering = Gathering::default();
        stored(&mut gathering, &[(0, 1)], 8);
        let tries = (0..200).filter(|_| {
            let waits = stored(&mut gathering, &[(1, 1)], 8) == [8];
            gathering.give_up();
            waits
        });
        assert!(tries.count() < 10);
    }
}
