//! Pages are bounded in bytes as well as in events.

/// Bytes of data and metadata that the events of one page may have together, unless an adapter is told otherwise.
pub(crate) const PAGE_MAX_BYTES: usize = 8 << 20;

/// Room for the events of a page. The first one always has room: a page that is never empty leads on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    left: usize,
    holds_any: bool,
    full: bool,
}

impl Room {
    /// A page of so many bytes at most.
    pub(crate) const fn new(max_bytes: usize) -> Self {
        Self { left: max_bytes, holds_any: false, full: false }
    }

    /// Whether an event of so many bytes still goes in. The first one that does not ends the page.
    pub(crate) const fn takes(&mut self, bytes: usize) -> bool {
        if self.full || self.holds_any && bytes > self.left {
            self.full = true;
            return false;
        }
        self.left = self.left.saturating_sub(bytes);
        self.holds_any = true;
        true
    }

    /// Nothing more goes in.
    pub(crate) const fn close(&mut self) {
        self.full = true;
    }

    /// Whether an event was left out.
    pub(crate) const fn is_full(&self) -> bool {
        self.full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_before_the_event_that_is_too_much() {
        let taken = |sizes: &[usize]| {
            let mut room = Room::new(10);
            let taken = sizes.iter().take_while(|size| room.takes(**size)).count();
            (taken, room.is_full())
        };
        assert_eq!(taken(&[4, 6, 0, 1, 1]), (3, true));
        assert_eq!(taken(&[11, 0, 1]), (2, true));
        assert_eq!(taken(&[0, 11, 1]), (1, true));
        assert_eq!(taken(&[5, 5]), (2, false));
        let mut full = Room::new(1);
        assert!(full.takes(1) && !full.takes(1) && !full.takes(0), "what comes behind stays out");
    }
}
