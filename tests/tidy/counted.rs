//! The lines of code that README counts are those there are.

use super::{Source, files, read};

/// What README compares: messages, decisions, read model and query, tests, wiring.
type Counts = [usize; 5];

const APP: &str = "apps/launcher/templates/new_app";
const COMMANDED: &str = "docs/compared/commanded";
const CQRS_ES: &str = "docs/compared/cqrs-es";
const EVENTO: &str = "docs/compared/evento";

#[test]
fn readme_counts_the_lines_of_a_new_app() {
    let app = read(&format!("{APP}/lib.rs"));
    let (wiring, rest) = split(&app, "umbel_core::events! {");
    let (decisions, rest) = split(rest, "/// An item as it is listed");
    let (read_model, tests) = split(rest, "#[cfg(test)]");
    let lines = |text: &str| counted(text, "//");
    let messages = lines(&read(&format!("{APP}/contracts.rs")));
    let wiring = lines(wiring) + lines(&read(&format!("{APP}/main.rs")));
    let counts = [messages, lines(decisions), lines(read_model), lines(tests), wiring];
    assert_eq!(counts_of("Umbel: "), counts, "correct README, \"How much code that is\"");
}

#[test]
fn readme_counts_the_lines_of_the_same_app_in_commanded() {
    let sources: Vec<_> = [".ex", ".exs"].iter().flat_map(|ending| files(&[COMMANDED], ending)).collect();
    let of = |part: &str| -> usize {
        let of_part = |source: &&Source| source.path[COMMANDED.len()..].starts_with(part);
        let found: Vec<_> = sources.iter().filter(of_part).collect();
        assert!(!found.is_empty(), "there is no {part} in {COMMANDED}");
        found.iter().map(|source| counted(&source.text, "#")).sum()
    };
    let imports = |part: &str| {
        let text = read(&format!("{COMMANDED}{part}"));
        text.lines().filter(|line| is_import(line)).count()
    };
    let (item, items) = ("/lib/shelf/item.ex", "/lib/shelf/items.ex");
    let decisions = of(item) - imports(item);
    let read_model = of(items) - imports(items) + of("/priv/repo/migrations/2_");
    let wiring = of("/lib/shelf/app.ex") + of("/priv/repo/migrations/1_") + imports(item) + imports(items);
    let counts = [of("/lib/shelf/messages.ex"), decisions, read_model, of("/test/"), wiring];
    assert_eq!(counts_of("[Commanded]"), counts, "correct README, \"How much code that is\"");
}

#[test]
fn readme_counts_the_lines_of_the_same_app_in_cqrs_es() {
    assert_eq!(counts_of("[cqrs-es]"), counts_of_crate(CQRS_ES), "correct README, \"How much code that is\"");
}

#[test]
fn readme_counts_the_lines_of_the_same_app_in_evento() {
    let mut counts = counts_of_crate(EVENTO);
    counts[2] += files(&[EVENTO], ".sql").iter().map(|table| counted(&table.text, "--")).sum::<usize>();
    assert_eq!(counts_of("[evento]"), counts, "correct README, \"How much code that is\"");
}

/// The lines of the same app as another crate of Rust has it, in files of the same names.
fn counts_of_crate(folder: &str) -> Counts {
    let file = |name: &str| read(&format!("{folder}/src/{name}.rs"));
    let (item, items) = (file("item"), file("items"));
    let without = |text: &str| counted(text, "//") - used(text);
    let whole = |name: &str| counted(&file(name), "//");
    let wiring = whole("lib") + used(&item) + used(&items);
    [whole("messages"), without(&item), without(&items), whole("tests"), wiring]
}

/// Lines of imports in Rust, each of which may have several.
fn used(text: &str) -> usize {
    let (mut lines, mut within) = (0, false);
    for line in text.lines() {
        within |= line.starts_with("use ");
        lines += usize::from(within);
        within &= !line.ends_with(';');
    }
    lines
}

fn is_import(line: &str) -> bool {
    ["alias ", "import "].iter().any(|word| line.trim_start().starts_with(word))
}

/// Lines that are neither blank nor only a comment.
fn counted(text: &str, comment: &str) -> usize {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with(comment);
    text.lines().filter(is_code).count()
}

fn split<'a>(text: &'a str, begin: &str) -> (&'a str, &'a str) {
    text.split_at(text.find(begin).unwrap_or_else(|| panic!("the app has no {begin:?} any more")))
}

/// What README says of the one whose row begins so: the number that each cell begins with.
fn counts_of(row: &str) -> Counts {
    let readme = read("README.md");
    let row = readme.lines().find(|line| line.starts_with(&format!("| {row}")));
    let cells = row.expect("README has a row of it").split(" | ").skip(1);
    let number = |cell: &str| cell.split([' ', ',']).next().and_then(|number| number.parse().ok());
    let counts: Vec<_> = cells.filter_map(number).collect();
    counts.try_into().expect("its row has five numbers")
}
