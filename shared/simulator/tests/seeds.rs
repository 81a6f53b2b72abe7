//! A fixed set of seeds, always the same. `make sim` runs as many others as one likes.

use umbel_simulator::{Run, Seen};

/// Invariants 2, 3, 6 and 7; SU-06, SU-09, SU-16 to SU-18, SU-24: whatever is lost, doubled or late, whoever crashes, freezes or fails, in
/// these worlds nothing is broken; and what must be survived does happen in them.
#[test]
fn nothing_is_broken_whatever_fails() {
    let mut seen = Seen::new();
    for seed in 0..300 {
        match Run::of(seed).live() {
            Ok(in_one) => {
                for (what, times) in in_one {
                    *seen.entry(what).or_default() += times;
                }
            }
            Err(failure) => {
                let failure = failure.shrink();
                panic!(
                    "{}\n{}\nmake sim {} TRACE=1",
                    failure.trace().join("\n"),
                    failure.broken,
                    failure.run
                );
            }
        }
    }
    for what in [
        "append tried again",
        "commands gone with their letter",
        "condition failed",
        "condition held",
        "crash",
        "crash amid what is left to do",
        "crash between effects",
        "dead letter of a process",
        "deletion",
        "discarded letter",
        "discarded letter of a process",
        "due letter",
        "due letter of a process",
        "event delivered again",
        "event parked behind a letter",
        "event parked behind a letter of a process",
        "freed key",
        "freeze",
        "group given up",
        "group planned again",
        "group refused",
        "group settled",
        "key found parked",
        "lost announcement",
        "lost answer",
        "lost request",
        "node stopped",
        "partition given back",
        "pause",
        "redelivery",
        "refused append",
        "refused command",
        "refused checkpoint",
        "refused letter",
        "reminder",
        "reset",
        "restarted worker",
        "retry",
        "run of a schedule",
        "schedule taken back",
        "revoked event",
        "slow consumer",
        "subscription deleted under its owner",
        "supervisor gave up",
        "vanished consumer",
        "visible",
    ] {
        assert!(seen.get(what).is_some_and(|times| *times > 0), "{what} never happens: {seen:?}");
    }
}

/// The same seed leads to the same, line by line.
#[test]
fn a_seed_determines_everything() {
    for seed in 0..5 {
        let (one, other) = (Run::of(seed).tell(), Run::of(seed).tell());
        assert!(one.lines.len() > 500, "{} lines", one.lines.len());
        assert_eq!(one, other);
    }
    assert_ne!(Run::of(1).tell(), Run::of(2).tell());
}
