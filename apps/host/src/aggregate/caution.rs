//! When to decide on what is not stored yet, and when rather not.

/// Commands that are carried out one after the other once a state that was decided on turned out never to have been.
const FIRST: u32 = 16;
/// At most so many, where that happens again and again: where others write to the same stream all the time.
const MOST: u32 = 1024;

/// Counts the commands until the next is decided on what is not stored yet.
#[derive(Debug)]
pub(super) struct Caution {
    left: u32,
    next: u32,
}

impl Default for Caution {
    fn default() -> Self {
        Self { left: 0, next: FIRST }
    }
}

impl Caution {
    /// What was decided on never came to be.
    pub(super) fn learn(&mut self) {
        self.left = self.next;
        self.next = self.next.saturating_mul(2).min(MOST);
    }

    /// A command was stored as it was decided.
    pub(super) fn forget(&mut self) {
        if self.left > 0 {
            self.left -= 1;
        } else {
            self.next = self.next.saturating_sub(1).max(FIRST);
        }
    }

    /// Whether the next command waits until the one before it is stored.
    pub(super) const fn waits(&self) -> bool {
        self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_longer_each_time_and_is_forgotten() {
        let mut caution = Caution::default();
        let lasts = |caution: &mut Caution| {
            let stored = std::iter::from_fn(|| caution.waits().then(|| caution.forget()));
            stored.count()
        };
        assert_eq!(lasts(&mut caution), 0);
        let lasted: Vec<_> = (0..8)
            .map(|_| {
                caution.learn();
                lasts(&mut caution)
            })
            .collect();
        assert_eq!(lasted, [16, 32, 64, 128, 256, 512, 1024, 1024]);
        (0..2000).for_each(|_| caution.forget());
        caution.learn();
        assert_eq!(lasts(&mut caution), 16);
    }
}
