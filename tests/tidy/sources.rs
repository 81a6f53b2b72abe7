//! Source files: headers, length, and SQL where it belongs.

use super::{Source, files, none};

const LINES_MAX: usize = 500;
const TEST_LINES_MAX: usize = 800;

/// Files with SQL of their own, and why it is not in a `.sql` file.
const SQL_ALLOWED: &[(&str, &str)] = &[
    (
        "apps/persistence/src/postgres/migrate.rs",
        "the bookkeeping of migrations, about the schema whose name is part of the statements",
    ),
    (
        "shared/core/src/tables.rs",
        "the frame around what a projection declares, whose name is part of the statements",
    ),
];

#[test]
fn every_source_file_says_what_it_is_for() {
    let offences: Vec<_> = files(&["apps", "shared", "tests"], ".rs")
        .into_iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.path)
        .collect();
    none(&offences, "begin these files with a `//!` line that says what they own and promise:");
}

#[test]
fn every_statement_says_what_it_is_for() {
    let offences: Vec<_> = files(&["apps", "shared"], ".sql")
        .into_iter()
        .filter(|source| !source.text.starts_with("-- "))
        .map(|source| source.path)
        .collect();
    none(
        &offences,
        "begin these files with a `--` header: purpose, parameters, what zero rows mean, which index serves:",
    );
}

#[test]
fn a_source_file_fits_in_a_head() {
    let offences: Vec<_> = files(&["apps", "shared", "tests"], ".rs")
        .into_iter()
        .filter_map(|source| {
            let lines = source.text.lines().count();
            let most = if source.is_test() { TEST_LINES_MAX } else { LINES_MAX };
            (lines > most).then(|| format!("{} has {lines} lines; the most is {most}", source.path))
        })
        .collect();
    none(&offences, "these do too much; split them along their ideas:");
}

#[test]
fn sql_is_in_sql_files() {
    let mut offences = Vec::new();
    let mut used = Vec::new();
    let sources = files(&["apps", "shared"], ".rs");
    for source in sources.iter().filter(|source| !source.is_test()) {
        for literal in literals(source.product_code()).into_iter().filter(|literal| is_statement(literal)) {
            if SQL_ALLOWED.iter().any(|(path, _)| *path == source.path) {
                used.push(source.path.as_str());
            } else {
                let begin: String = literal.chars().take(60).collect();
                offences.push(format!("{}: {begin:?}", source.path));
            }
        }
    }
    let stale = SQL_ALLOWED.iter().filter(|(path, _)| !used.contains(path));
    offences.extend(stale.map(|(path, _)| format!("{path} has none any more: remove it from SQL_ALLOWED")));
    none(
        &offences,
        "SQL is source code: move these into .sql files with a header, and prepare them in a test:",
    );
}

/// The checker itself: it finds what it must and leaves alone what it may.
#[test]
fn statements_are_recognised() {
    let code = r##"
        // "SELECT in a comment"
        let a = "SELECT 1"; let quote = '"'; let b = r#"
            INSERT INTO t VALUES ("x")"#;
        let c = "not \" SELECT"; let d = "BEGIN"; let lifetime: &'static str = "Selected works";
        let e = "\
            UPDATE t SET x = 1";
    "##;
    let found: Vec<_> = literals(code).into_iter().filter(|literal| is_statement(literal)).collect();
    assert_eq!(found.len(), 3, "{found:?}");
}

impl Source {
    fn is_test(&self) -> bool {
        let inner = ["/tests/", "/conformance/"].iter().any(|folder| self.path.contains(folder));
        let whole =
            ["/tests.rs", "/conformance.rs", "_tests.rs"].iter().any(|name| self.path.ends_with(name));
        inner || whole || self.path.starts_with("tests/")
    }

    /// Without the module of tests at its end.
    fn product_code(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
    }
}

/// Whether a text begins as an SQL statement. Those about the session (BEGIN, COMMIT, SET, PRAGMA, LISTEN) are not
/// meant: they have no plan, no parameters and no rows.
fn is_statement(literal: &str) -> bool {
    let text = literal.trim_start_matches(['\\', ' ', '\n', '\t']);
    ["SELECT ", "INSERT INTO ", "DELETE FROM ", "CREATE ", "ALTER ", "DROP ", "TRUNCATE ", "MERGE INTO "]
        .iter()
        .any(|verb| text.starts_with(verb))
        || text.starts_with("UPDATE ") && text.contains(" SET ")
        || text.starts_with("WITH ") && text.contains(" AS ")
}

/// The contents of the string literals of a Rust source, escapes as they are written.
fn literals(code: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), code);
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let before = &rest[..at];
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.find('\n').map_or("", |end| &comment[end..]);
        } else if let Some(after) = rest.strip_prefix("'\"'").or_else(|| rest.strip_prefix("'\\\"'")) {
            rest = after;
        } else if let Some(text) = rest.strip_prefix('"') {
            let hashes = before.len() - before.trim_end_matches('#').len();
            let raw = before.trim_end_matches('#').ends_with('r');
            let end =
                if raw { text.find(&format!("\"{}", "#".repeat(hashes))) } else { end_of_literal(text) };
            let end = end.unwrap_or(text.len());
            found.push(text[..end].to_owned());
            rest = text.get(end + 1..).unwrap_or_default();
        } else {
            rest = &rest[1..];
        }
    }
    found
}

/// Where the first quote is that no backslash escapes.
fn end_of_literal(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices()
        .find(|(_, char)| {
            let ends = *char == '"' && !escaped;
            escaped = *char == '\\' && !escaped;
            ends
        })
        .map(|(at, _)| at)
}
