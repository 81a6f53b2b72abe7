//! SQL is source code: every statement is prepared on a migrated database, has its header, and uses its index.

use std::{collections::BTreeSet, fs};

use umbel_core::document::DocumentQuery;

use super::*;
use crate::sqlite::{documents::Statements, schema, sql};

fn migrated() -> (TempDir, Connection) {
    let directory = directory();
    let connection = schema::open_writer(&directory.path().join("umbel.db")).unwrap();
    (directory, connection)
}

#[test]
fn every_statement_prepares() {
    let (_directory, connection) = migrated();
    let whole = sql::ALL.iter().filter(|(_, text)| !sql::text(text).contains('{') && is_statement(text));
    let mut count = 0;
    for (name, text) in whole {
        connection.prepare(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        count += 1;
    }
    assert_eq!(count, 31);
}

#[test]
fn every_file_is_a_statement_with_a_header() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sqlite/sql");
    let files: BTreeSet<_> = fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let listed = sql::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files, listed);
    for (name, text) in sql::ALL {
        for part in ["-- Purpose: ", "\n-- Parameters: ", "\n-- Zero rows: ", "\n-- Index: "] {
            assert!(text.contains(part), "{name} does not say {part:?}");
        }
    }
}

/// Nothing that is asked for often looks at all rows; the log is only gone through in its own order.
#[test]
fn statements_use_their_indexes() {
    let (_directory, connection) = migrated();
    let exempt = ["table_count", "applied_migrations", "create_migrations"];
    let statements = sql::ALL
        .iter()
        .filter(|(name, text)| is_statement(text) && !sql::text(text).contains('{') && !exempt.contains(name))
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let query = |query: DocumentQuery| {
        let statements = Statements::of(&query);
        [(format!("page of {query:?}"), statements.page), (format!("count of {query:?}"), statements.count)]
    };
    let all = DocumentQuery::of::<Item>;
    let queries = [
        all(),
        all().equal("group", "g").order_by("rank", Direction::Backward),
        all().one_of("group", ["g", "h"]).equal("tags", "t"),
        all().between("rank", Some(1), None::<i32>).equal("tags", "t").order_by("rank", Direction::Forward),
    ];
    for (name, text) in statements.chain(queries.into_iter().flat_map(query)) {
        for step in query_plan(&connection, &text) {
            assert!(!step.starts_with("SCAN") || step.contains("json_each"), "{name}: {step}");
            let sorts_log = step.contains("TEMP B-TREE") && name.starts_with("read_");
            assert!(!sorts_log, "{name}: {step}");
        }
    }
}

fn query_plan(connection: &Connection, text: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
    let nulls = vec![rusqlite::types::Null; statement.parameter_count()];
    let rows = statement.query_map(rusqlite::params_from_iter(nulls), |row| row.get(3)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn is_statement(text: &str) -> bool {
    ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE"].iter().any(|verb| sql::text(text).starts_with(verb))
}
