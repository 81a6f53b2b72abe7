//! Running the umbrella as its users do: as processes, over HTTP; and its store alone, under writers that keep journals.

mod appends;
mod dice;
mod http;
mod process;
mod store;
mod writers;

pub(crate) use appends::Appends;
pub(crate) use dice::{Dice, seed};
pub(crate) use http::{Answer, Client};
pub(crate) use process::{Exit, Running, Umbel, umbel_in};
pub(crate) use store::{Store, StorePlace, with_store};
pub(crate) use writers::{WriterProcess, Writing, judge};

use std::time::{Duration, Instant};

/// How long anything awaited may take on a busy machine before the test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `look` finds something; fails with `what` when it does not in time.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "the pause between two looks at another process")]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}
