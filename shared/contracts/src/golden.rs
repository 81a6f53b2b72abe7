//! Every event ever published stays readable: a sample of each name and schema lies in `golden/`.

use std::{fs, path::Path};

use umbel_core::{EventSet, Lineage};

use crate::Published;

/// UX-18: no published shape changes without a new schema version, and every one there ever was is read.
#[test]
fn every_sample_is_read_as_it_was() {
    umbel_testkit::golden::check::<Published>(concat!(env!("CARGO_MANIFEST_DIR"), "/golden"));
}

/// The test above sees what is in [`Published`]; this one sees that nothing is left out of it, or there twice.
#[test]
fn every_event_type_of_the_crate_is_in_the_set() {
    let mut declared: Vec<_> = sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")))
        .iter()
        .flat_map(|source| names_declared_in(source))
        .collect();
    let mut published: Vec<_> = Published::KINDS.iter().map(Lineage::name).collect();
    declared.sort();
    published.sort_unstable();
    assert_eq!(published, declared, "left: in Published of lib.rs, right: declared by #[event(...)]");
}

/// The checker itself: a declaration counts wherever it stands, but for comments.
#[test]
fn names_are_found_wherever_an_attribute_stands() {
    let source = r#"
        #[derive(Event)] #[event(name = "a.one")] struct One; #[ event (name="a.two") ] struct Two;
        /// #[event(name = "a.told")]
        #[event(
            schema = 2, // #[event(name = "a.mentioned")]
            upcasters = [|old| old.next(&old.data::<String>()?)],
            name = "a.three",
        )]
        /* #[event(name = "a.former")]
           struct Former; */ struct Three;
        impl umbel_core::Event for Four { const NAME: &'static str = "a.four"; }
    "#;
    assert_eq!(names_declared_in(source), ["a.one", "a.two", "a.three", "a.four"]);
}

/// The Rust sources of a folder and those within, but this one.
fn sources(folder: &Path) -> Vec<String> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.file_name() != Path::new(file!()).file_name())
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![fs::read_to_string(path).unwrap()] })
        .collect()
}

/// The names of the events that a source declares, by attribute or by hand: nothing compiles that declares one without a name.
fn names_declared_in(source: &str) -> Vec<String> {
    let code = code(source);
    let names = [("#[event(", "name=\""), ("Eventfor", "NAME:&'staticstr=\"")].map(|(start, name)| {
        code.split(start).skip(1).map(move |rest| {
            let named = rest.split_once(name).and_then(|(_, rest)| rest.split_once('"'));
            named.unwrap_or_else(|| panic!("{start} without a name: {rest}")).0.to_owned()
        })
    });
    names.into_iter().flatten().collect()
}

/// A source without its comments and without blanks.
fn code(source: &str) -> String {
    let lines = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<String>();
    let mut parts = lines.split("/*");
    let before = parts.next().unwrap_or_default();
    let behind = parts.filter_map(|part| Some(part.split_once("*/")?.1));
    [before].into_iter().chain(behind).collect::<String>().split_whitespace().collect()
}
