//! Every event ever published stays readable: a sample of each name and schema lies in `golden/`.

use std::{collections::BTreeSet, fs};

use umbel_core::EventSet;

use crate::Published;

/// UX-18: no published shape changes without a new schema version, and every one there ever was is read.
#[test]
fn every_sample_is_read_as_it_was() {
    umbel_testkit::golden::check::<Published>(concat!(env!("CARGO_MANIFEST_DIR"), "/golden"));
}

/// The test above sees what is in [`Published`]; this one sees that nothing is left out of it.
#[test]
fn every_event_type_of_the_crate_is_in_the_set() {
    let sources = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
    let sources = sources.map(|source| fs::read_to_string(source.unwrap().path()).unwrap());
    let sources: String = sources.collect();
    let declared = |line| ["#[event(", "impl Event for "].iter().any(|begin| str::starts_with(line, begin));
    let declared: Vec<_> = sources.lines().filter(|line| declared(line)).collect();
    let names: BTreeSet<_> = Published::KINDS.iter().map(umbel_core::Lineage::name).collect();
    assert_eq!(
        Published::KINDS.len(),
        declared.len(),
        "an event is missing from Published in lib.rs, or is there twice; there are {declared:#?}"
    );
    assert_eq!(names.len(), declared.len(), "two events share a name");
}
