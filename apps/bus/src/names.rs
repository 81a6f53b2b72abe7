//! Names that come from other processes.
//!
//! Within a program names of commands, handlers and middleware are texts of the program. One that comes from another process mostly is one
//! of these, too; one that is not is kept, once and for as long as this process runs.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// Names of others that are kept at most. There are as many as the programs that run together have, so some hundreds; the bound is for
/// one that makes them up.
const KEPT_MAX: usize = 4096;

/// The longest that is kept, in bytes: as long as a stream's name.
const LENGTH_MAX: usize = umbel_core::stream::NAME_MAX_BYTES;

static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// The name as a text that lasts; `None` when it is longer than names are, or there are too many by now.
#[must_use]
pub fn lasting(name: &str) -> Option<&'static str> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.get(name) {
        return Some(known);
    }
    if name.len() > LENGTH_MAX || kept.len() >= KEPT_MAX {
        return None;
    }
    let lasting: &'static str = Box::leak(name.into());
    kept.insert(lasting);
    Some(lasting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once() {
        let again = String::from("names.once");
        let (first, second) = (lasting("names.once"), lasting(&again));
        assert!(std::ptr::eq(first.unwrap(), second.unwrap()));
        assert_eq!(lasting(&"x".repeat(LENGTH_MAX + 1)), None);
        assert!(lasting(&"x".repeat(LENGTH_MAX)).is_some());
    }
}
