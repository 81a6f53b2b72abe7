//! Every event ever published stays readable: a sample of each name and schema lies in `golden/`.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;
use umbel_core::{EventSet, EventType, Json, Payload};

use crate::Published;

/// The samples, by event type. A file is called like its type, `.` for `/`: `articles.published.1.json`.
fn samples() -> Vec<(EventType, Payload)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let (name, schema) = stem.rsplit_once('.').unwrap();
            (
                format!("{name}/{schema}").parse().unwrap(),
                Payload::from(Json::parse(fs::read_to_string(&path).unwrap()).unwrap()),
            )
        })
        .collect()
}

#[test]
fn every_sample_decodes_and_encodes_to_itself() {
    for (event_type, sample) in samples() {
        let event = Published::decode(&event_type, &sample)
            .unwrap_or_else(|error| panic!("{event_type}: {error}"))
            .unwrap_or_else(|| panic!("{event_type} is no longer published, but it is in logs for ever"));
        let encoded = event.encode().unwrap().data;
        let as_value = |data: &Payload| data.decode::<Value>().unwrap();
        assert_eq!(as_value(&encoded), as_value(&sample), "{event_type}");
    }
}

#[test]
fn every_event_has_a_sample() {
    let sampled: BTreeSet<_> = samples().into_iter().map(|(event_type, _)| event_type.name).collect();
    let missing: Vec<_> = Published::NAMES.iter().filter(|name| !sampled.contains(**name)).collect();
    assert!(missing.is_empty(), "add golden/NAME.SCHEMA.json for {missing:?}");
}

/// The two tests above see what is in [`Published`]; this one sees that nothing is left out of it.
#[test]
fn every_event_type_of_the_crate_is_in_the_set() {
    let sources = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
    let sources = sources.map(|source| fs::read_to_string(source.unwrap().path()).unwrap());
    let declared: usize =
        sources.map(|text| text.lines().filter(|line| line.starts_with("impl Event for")).count()).sum();
    assert_eq!(
        declared,
        Published::NAMES.len(),
        "an event is missing from Published in lib.rs, or is there twice"
    );
    assert_eq!(Published::NAMES.iter().collect::<BTreeSet<_>>().len(), declared, "two events share a name");
}
