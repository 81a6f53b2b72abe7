//! The list of behaviours and the tests agree: what it lists, a test asserts, and what a test names, it lists.
//!
//! An id is two capitals and two digits, such as `AP-03`. It counts where it stands in the documentation of a function; so
//! does each one from the first to the last of `AP-01 to AP-06`.

use std::collections::BTreeMap;

use super::{Source, files, none, read};

const DOCUMENT: &str = "docs/behaviours.md";

/// Ids that tests name and the list does not yet: what is missing of them.
const HELD_IN_PART: &[(&str, &str)] = &[];

#[test]
fn every_behaviour_has_a_test_that_names_it() {
    let named = named_in(&files(&["apps", "shared", "tests"], ".rs"));
    let missing: Vec<_> = listed().into_iter().filter(|id| !named.contains_key(id)).collect();
    none(
        &missing,
        "docs/behaviours.md lists what no test's documentation names; write the test, or name the id:",
    );
}

#[test]
fn every_id_that_a_test_names_is_a_behaviour() {
    let listed = listed();
    let in_part = |id: &str| HELD_IN_PART.iter().any(|(part, _)| *part == id);
    let named = named_in(&files(&["apps", "shared", "tests"], ".rs"));
    let offences: Vec<_> = named.iter().filter(|(id, _)| !listed.contains(id) && !in_part(id)).collect();
    let offences: Vec<_> = offences.into_iter().map(|(id, path)| format!("{id} in {path}")).collect();
    none(
        &offences,
        "tests name behaviours that docs/behaviours.md does not list; list them, or say in HELD_IN_PART:",
    );
    let stale = HELD_IN_PART.iter().map(|(id, _)| (*id).to_owned());
    let stale: Vec<_> = stale.filter(|id| listed.contains(id) || !named.contains_key(id)).collect();
    none(&stale, "these are listed by now, or named by no test any more; remove them from HELD_IN_PART:");
}

#[test]
fn no_behaviour_is_listed_twice() {
    let mut listed = listed();
    listed.sort();
    let twice: Vec<_> =
        listed.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()).collect();
    none(&twice, "an id has one meaning; docs/behaviours.md gives these several:");
}

/// The checker itself.
#[test]
fn ids_are_found_in_the_documentation_of_functions() {
    let text = "\
        //! AA-01\n/// BB-02, CC-03 to CC-05: a test.\n#[test]\nfn one() {}\n/// DD-06: no function.\nstruct S;\n\
        // EE-07\nfn two() {}\n    /// FF-08's part, UTF-16 and XGG-09-x.\n    pub(super) async fn three() {}";
    let named = named_in(&[Source { path: "a.rs".into(), text: text.into() }]);
    assert_eq!(named.into_keys().collect::<Vec<_>>(), ["BB-02", "CC-03", "CC-04", "CC-05", "FF-08"]);
}

/// The ids of the list, in its order.
fn listed() -> Vec<String> {
    let document = read(DOCUMENT);
    let items = document.lines().filter_map(|line| line.strip_prefix("- "));
    items.filter_map(|item| ids(item).into_iter().next()).collect()
}

/// The ids that the documentation of functions names, each with a file that does.
fn named_in(sources: &[Source]) -> BTreeMap<String, String> {
    let mut named = BTreeMap::new();
    for source in sources {
        let mut documentation = String::new();
        for line in source.text.lines().map(str::trim) {
            if let Some(text) = line.strip_prefix("///") {
                documentation.push_str(text);
            } else if !line.starts_with("#[") {
                if is_function(line) {
                    named.extend(ids(&documentation).into_iter().map(|id| (id, source.path.clone())));
                }
                documentation.clear();
            }
        }
    }
    named
}

fn is_function(line: &str) -> bool {
    let head = line.split('(').next().unwrap_or_default();
    let head = if head == "pub" { line.split_once(") ").map_or(head, |(_, rest)| rest) } else { head };
    head.split_whitespace().take(3).any(|word| word == "fn")
}

/// The ids in a text, those within a range included.
fn ids(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').filter(|word| !word.is_empty());
    let mut found: Vec<String> = Vec::new();
    let mut before = [""; 2];
    for word in words {
        let id = word.split_once('-').filter(|(group, number)| {
            group.len() == 2
                && group.bytes().all(|byte| byte.is_ascii_uppercase())
                && number.len() == 2
                && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        if let Some((group, number)) = id {
            let first = match before {
                [from, "to"] => from.strip_prefix(group).and_then(|from| from.strip_prefix('-')),
                _ => None,
            };
            let number: u32 = number.parse().unwrap();
            let first = first.map_or(number, |from| from.parse::<u32>().unwrap() + 1);
            found.extend((first..=number).map(|number| format!("{group}-{number:02}")));
        }
        before = [before[1], word];
    }
    found
}
