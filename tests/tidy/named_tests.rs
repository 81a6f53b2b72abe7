//! The tests that ARCHITECTURE.md names exist.
//!
//! A name is written in backticks as `test:MEMBER::MODULE::FUNCTION`: the member's folder (`bus`, `core`, `tests`), the
//! modules that lead to the file, and the function; or as `test:conformance::CASE` for a case that every store passes.

use super::{Source, files, none, root};

const DOCUMENT: &str = "ARCHITECTURE.md";

#[test]
fn the_tests_that_the_architecture_names_exist() {
    // Absent only while the tree is being set up; afterwards the next test insists on it.
    let Ok(text) = std::fs::read_to_string(root().join(DOCUMENT)) else { return };
    let sources = files(&["apps", "shared", "tests"], ".rs");
    let offences: Vec<_> = names(&text)
        .into_iter()
        .filter(|name| !exists(&sources, name))
        .map(|name| format!("`test:{name}`"))
        .collect();
    none(&offences, "ARCHITECTURE.md names tests that do not exist; write them, or correct the names:");
}

#[test]
fn the_architecture_is_written_down() {
    let text = std::fs::read_to_string(root().join(DOCUMENT)).unwrap_or_default();
    assert!(!text.is_empty(), "{DOCUMENT} is missing: write it, with a test for each invariant");
    assert!(text.contains("## Invariants"), "{DOCUMENT} has no section Invariants: write it");
}

/// The checker itself.
#[test]
fn a_name_is_found_where_it_says_and_nowhere_else() {
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let sources = [
        source("apps/bus/src/tests/send.rs", "/// X\n#[test]\nfn works() {}\nfn helper() {}"),
        source("shared/testkit/src/conformance/cases.rs", "[\n    a_case,\n]"),
        source("shared/core/src/stream.rs", "mod tests {\n    #[tokio::test]\n    async fn inner() {}\n}"),
    ];
    assert_eq!(
        names("see `test:bus::tests::send::works` and `test:x::y`"),
        ["bus::tests::send::works", "x::y"]
    );
    for there in
        ["bus::tests::send::works", "bus::works", "core::stream::tests::inner", "conformance::a_case"]
    {
        assert!(exists(&sources, there), "{there}");
    }
    for missing in
        ["host::works", "bus::other::works", "bus::tests::send::helper", "conformance::b", "bus", "a_case"]
    {
        assert!(!exists(&sources, missing), "{missing}");
    }
}

/// All names in a text, in order.
fn names(text: &str) -> Vec<&str> {
    text.split("`test:").skip(1).filter_map(|rest| rest.split('`').next()).collect()
}

fn exists(sources: &[Source], name: &str) -> bool {
    let Some((modules, function)) = name.rsplit_once("::") else { return false };
    let mut modules = modules.split("::");
    match modules.next() {
        Some("conformance") => sources
            .iter()
            .filter(|source| source.path.ends_with("conformance/cases.rs"))
            .any(|source| source.text.lines().any(|line| line.trim().trim_end_matches(',') == function)),
        Some(member) => {
            let modules: Vec<_> = modules.collect();
            let mut in_member = sources.iter().filter(|source| source.is_in(member));
            in_member.any(|source| source.leads_to(&modules) && source.has_test(function))
        }
        None => false,
    }
}

impl Source {
    fn is_in(&self, member: &str) -> bool {
        let mut folders = self.path.split('/');
        match folders.next() {
            Some("tests") => member == "tests",
            _ => folders.next() == Some(member),
        }
    }

    /// Whether each of the modules is a part of the path, or is written in the file itself.
    fn leads_to(&self, modules: &[&str]) -> bool {
        let parts: Vec<_> = self.path.trim_end_matches(".rs").split('/').collect();
        modules.iter().all(|module| {
            parts.contains(module) || self.text.contains(&format!("mod {module} {{")) || *module == "tests"
        })
    }

    /// Whether it has a function of this name with an attribute that makes it a test.
    fn has_test(&self, function: &str) -> bool {
        let mut is_test = false;
        self.text.lines().map(str::trim).any(|line| {
            if line.starts_with("#[") {
                is_test |= line.contains("test]") || line.contains("test(");
                return false;
            }
            let name = line.trim_start_matches("async ").strip_prefix("fn ");
            let found = is_test && name.is_some_and(|name| name.starts_with(&format!("{function}(")));
            is_test &= line.starts_with("//");
            found
        })
    }
}
