//! Who is started next: which children wait for their start, and which are at it.
//!
//! Pure: a moment is whatever can be compared.

use std::collections::BTreeMap;

use crate::policy::Restart;

/// Who of the pending is started next, and when. In the declared order, one after the other, but for independent ones: nobody waits for these,
/// neither for their pauses nor until they are ready. They wait for those before them that are being started, as at the first start.
///
/// `pending` has the moments before which nobody is started, `starting` those that are not ready yet.
pub(crate) fn next_start<T: Copy + Ord>(
    kinds: impl Fn(usize) -> Restart,
    pending: &BTreeMap<usize, T>,
    starting: impl IntoIterator<Item = usize>,
) -> Option<(usize, T)> {
    let in_order = |child: usize| kinds(child) != Restart::Independent;
    // At most one of those in order is started at a time.
    let at_it = starting.into_iter().find(|child| in_order(*child));
    let pending = || pending.iter().map(|(child, due)| (*child, *due));
    let next = pending().find(|(child, _)| at_it.is_none() && in_order(*child));
    let independent =
        pending().filter(|(child, _)| !in_order(*child) && at_it.is_none_or(|before| *child < before));
    // Of those with one moment the first that is declared.
    independent.chain(next).min_by_key(|(child, due)| (*due, *child))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever hangs: independent ones hold up nobody, of the others one is started at a time, in the declared order.
        #[test]
        fn nobody_waits_for_independent_ones(
            independent in prop::collection::vec(any::<bool>(), 1..6),
            dues in prop::collection::vec(0u8..3, 6),
            hangs in prop::collection::vec(any::<bool>(), 6),
        ) {
            let kinds = |child: usize| if independent[child] { Restart::Independent } else { Restart::Permanent };
            let in_order = |child: &usize| !independent[*child];
            let mut pending: BTreeMap<usize, u8> =
                (0..independent.len()).map(|child| (child, dues[child])).collect();
            let (mut starting, mut order) = (Vec::new(), Vec::new());
            while let Some((child, due)) = next_start(kinds, &pending, starting.iter().copied()) {
                prop_assert_eq!(pending.remove(&child), Some(due));
                prop_assert!(independent[child] || !starting.iter().any(in_order));
                order.push(child);
                if hangs[child] {
                    starting.push(child);
                }
            }
            let stuck = starting.iter().copied().find(in_order);
            for child in pending.keys() {
                prop_assert!(stuck.is_some_and(|stuck| stuck < *child), "{child} waits for {stuck:?}");
            }
            let ordered: Vec<_> = order.into_iter().filter(in_order).collect();
            prop_assert!(ordered.is_sorted());
        }
    }
}
