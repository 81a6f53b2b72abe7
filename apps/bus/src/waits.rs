//! Who waits for whom from within its own work: so that handlers of this process do not wait for each other in a circle.
//!
//! A handler that dispatches while it handles an event, and waits for what others make of that, goes on only after they do. If one of these
//! waits for it, by itself or through others, neither would go on before its deadline. So the last one to begin, who would close the circle,
//! does not wait for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{handle::Bus, visible::Awaited};

/// The graph of who waits for whom, each edge with how often. It never has a circle.
#[derive(Debug, Default)]
struct WaitsFor(BTreeMap<&'static str, BTreeMap<String, usize>>);

impl WaitsFor {
    /// These begin to wait, for this one if it does not wait for one of them; whether they do.
    fn begin(&mut self, waiters: &[&'static str], awaited: &str) -> bool {
        if self.reaches(awaited, waiters) {
            return false;
        }
        for waiter in waiters {
            *self.0.entry(waiter).or_default().entry(awaited.to_owned()).or_default() += 1;
        }
        true
    }

    /// A wait that had begun is over.
    fn end(&mut self, waiters: &[&'static str], awaited: &str) {
        for waiter in waiters {
            let Some(edges) = self.0.get_mut(waiter) else { continue };
            if let Some(count) = edges.get_mut(awaited) {
                *count -= 1;
                if *count == 0 {
                    edges.remove(awaited);
                }
            }
            if edges.is_empty() {
                self.0.remove(waiter);
            }
        }
    }

    /// Whether this one is one of those, or waits for one of them, by itself or through others.
    fn reaches(&self, from: &str, these: &[&'static str]) -> bool {
        let (mut seen, mut ahead) = (BTreeSet::new(), vec![from]);
        while let Some(one) = ahead.pop() {
            if these.contains(&one) {
                return true;
            }
            if seen.insert(one) {
                ahead.extend(self.0.get(one).into_iter().flat_map(|edges| edges.keys().map(String::as_str)));
            }
        }
        false
    }
}

/// That of the handlers of this process.
#[derive(Debug, Default)]
struct Waits(Mutex<WaitsFor>);

impl Waits {
    fn graph(&self) -> MutexGuard<'_, WaitsFor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A wait that goes on.
pub(crate) struct Waiting {
    waits: Arc<Waits>,
    waiters: Vec<&'static str>,
    awaited: Vec<String>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut graph = self.waits.graph();
        self.awaited.iter().for_each(|one| graph.end(&self.waiters, one));
    }
}

impl Bus {
    /// Handlers begin to wait for these, but for those who wait for them: those that remain, and what is to be kept for as long as the wait
    /// goes on.
    pub(crate) fn begin_to_wait(
        &self,
        waiters: &[&'static str],
        mut awaited: Vec<Awaited>,
    ) -> (Vec<Awaited>, Waiting) {
        let waits = self.common::<Waits>();
        let mut names = Vec::new();
        // Nobody waits for who is no handler.
        if !waiters.is_empty() {
            let mut graph = waits.graph();
            awaited.retain(|one| graph.begin(waiters, &one.name));
            names = awaited.iter().map(|one| one.name.clone()).collect();
        }
        (awaited, Waiting { waits, waiters: waiters.to_vec(), awaited: names })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

    fn has_circle(graph: &WaitsFor) -> bool {
        let goes_back =
            |waiter: &&'static str| graph.0[waiter].keys().any(|next| graph.reaches(next, &[*waiter]));
        graph.0.keys().any(goes_back)
    }

    /// SC-08: who would close a circle does not wait, however long it is; once a wait is over, its ways are free.
    #[test]
    fn a_circle_is_not_closed() {
        let mut graph = WaitsFor::default();
        assert!(graph.begin(&["a"], "b") && graph.begin(&["b"], "c"));
        assert!(!graph.begin(&["c"], "a") && !graph.begin(&["a"], "a"));
        assert!(graph.begin(&["c"], "d"));
        assert!(!graph.begin(&["x", "d"], "b"));
        graph.end(&["b"], "c");
        assert!(graph.begin(&["c"], "a"));
        for (waiter, awaited) in [("a", "b"), ("c", "d"), ("c", "a")] {
            graph.end(&[waiter], awaited);
        }
        assert!(graph.0.is_empty());
    }

    proptest! {
        /// However waits begin and end: there is no circle, only who would close one does not wait, and nothing is left in the end.
        #[test]
        fn there_is_never_a_circle(
            steps in prop::collection::vec((prop::sample::subsequence(&NAMES[..], 1..3), 0usize..5, any::<bool>()), 0..60)
        ) {
            let (mut graph, mut going) = (WaitsFor::default(), Vec::new());
            for (waiters, awaited, ends) in steps {
                if ends && !going.is_empty() {
                    let (waiters, awaited): (Vec<&'static str>, _) = going.swap_remove(awaited % going.len());
                    graph.end(&waiters, awaited);
                } else if graph.begin(&waiters, NAMES[awaited]) {
                    going.push((waiters, NAMES[awaited]));
                } else {
                    prop_assert!(graph.reaches(NAMES[awaited], &waiters));
                }
                prop_assert!(!has_circle(&graph));
            }
            for (waiters, awaited) in going {
                graph.end(&waiters, awaited);
            }
            prop_assert!(graph.0.is_empty());
        }
    }
}
