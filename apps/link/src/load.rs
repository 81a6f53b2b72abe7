//! The bytes of what is in flight on a connection, which have a bound beside its count. Pure.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// How many bytes are in flight, and may be.
#[derive(Debug)]
pub(crate) struct Load {
    bytes: AtomicUsize,
    most: usize,
}

/// Bytes that are in flight as long as this lives.
#[derive(Debug)]
pub(crate) struct Held {
    load: Arc<Load>,
    bytes: usize,
}

impl Load {
    /// None yet, and so many at most.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { bytes: AtomicUsize::new(0), most })
    }

    /// Takes room for so many, if there is as much.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize) -> Option<Held> {
        let within = |now: usize| now.checked_add(bytes).filter(|sum| *sum <= self.most);
        let taken = self.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, within);
        taken.is_ok().then(|| Held { load: Arc::clone(self), bytes })
    }
}

impl Held {
    /// Holds room for so many from now on, be there as much or not: for an answer, whose size nobody knew before it was there. Whoever comes
    /// next finds that much less.
    pub(crate) fn become_of(&mut self, bytes: usize) {
        self.load.bytes.fetch_add(bytes, Ordering::AcqRel);
        self.load.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.load.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// LK-19: what does not fit into what is left is not taken, and what has ended leaves its room.
    #[test]
    fn bytes_in_flight_have_a_bound() {
        let load = Load::new(10);
        let mut six = load.take(6).unwrap();
        let four = load.take(4).unwrap();
        assert!(load.take(1).is_none() && load.take(usize::MAX).is_none());
        drop(four);
        // An answer may be larger than there is room; until it is gone nothing else comes.
        six.become_of(12);
        assert!(load.take(1).is_none());
        six.become_of(1);
        assert!(load.take(9).is_some());
        drop(six);
        assert!(load.take(10).is_some());
    }
}
