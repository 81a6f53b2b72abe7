//! The machine in many worlds: whatever happens in them, nothing that it promises is broken.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Bug, world::World};

/// Lets a world happen; how it broke, if it did.
fn live(seed: u64, steps: u32, bug: Option<Bug>) -> Result<(), String> {
    let mut world = World::new(seed, bug);
    let lived = world.run(steps).and_then(|()| world.come_to_rest());
    lived.map_err(|broken| format!("seed {seed}, {steps} steps: {}", world.tell(&broken)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 150, ..ProptestConfig::default() })]

    /// SU-06, SU-09, SU-16 to SU-18: whatever is lost, doubled or late, whoever crashes or freezes, every event is handled, each
    /// key in order, no checkpoint passes what is not done, and all comes to rest by itself.
    #[test]
    fn nothing_is_lost_or_swapped(seed in any::<u64>(), steps in 1_u32..1500) {
        if let Err(broken) = live(seed, steps, None) {
            prop_assert!(false, "{broken}");
        }
    }
}

/// What the property says something about does happen in these worlds.
#[test]
fn the_worlds_are_not_dull() {
    let mut seen: BTreeMap<_, u32> = BTreeMap::new();
    for seed in 0..400 {
        let mut world = World::new(seed, None);
        world.run(1000).and_then(|()| world.come_to_rest()).unwrap();
        for (what, times) in &world.seen {
            *seen.entry(*what).or_default() += times;
        }
    }
    for what in [
        "refused checkpoint",
        "refused letter",
        "refused settling",
        "freed key",
        "due letter",
        "key found parked",
        "revoked event",
        "partition given back",
        "event parked behind a letter",
        "retry",
        "redelivery",
        "acknowledged one by one",
    ] {
        assert!(seen.get(what).is_some_and(|times| *times > 1), "{what}: {seen:?}");
    }
}

/// The first of these seeds in whose world a bug shows.
fn seed_that_finds(bug: Bug) -> Option<String> {
    (0..100).find_map(|seed| live(seed, 1000, Some(bug)).err())
}

#[test]
fn a_checkpoint_saved_too_far_is_found() {
    let found = seed_that_finds(Bug::SavesWhatWasSeen).unwrap();
    assert!(found.contains("is not done"), "{found}");
}

#[test]
fn a_partition_that_skips_what_others_have_read_is_found() {
    let found = seed_that_finds(Bug::GapsAreSkipped).unwrap();
    assert!(found.contains("is not done") || found.contains("before it was not"), "{found}");
}

#[test]
fn a_retry_that_lets_later_events_pass_is_found() {
    let found = seed_that_finds(Bug::RetryLetsOthersPass).unwrap();
    assert!(found.contains("before it was not"), "{found}");
}

#[test]
fn a_store_that_does_not_check_the_epoch_is_found() {
    let found = seed_that_finds(Bug::EpochIsNotChecked).unwrap();
    assert!(found.contains("not the owner"), "{found}");
}
