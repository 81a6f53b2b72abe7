//! What a page of documents costs.

use rusqlite::{StatementStatus, ToSql, params_from_iter};
use umbel_core::{Document, document::DocumentQuery};

use super::*;
use crate::sqlite::read_models::{Statements, Walk, write_documents};

/// A file with so many documents: a rank and two tags of its own each, a group that a third of them have.
fn filled(count: u32) -> (TempDir, Connection) {
    let directory = directory();
    let mut connection = schema::open_writer(&directory.path().join("umbel.db")).unwrap();
    let transaction = connection.transaction().unwrap();
    let item = |number: u32| Item {
        group: json!(number % 3),
        rank: Some(json!(number)),
        tags: vec![format!("t{number:05}a"), format!("t{number:05}b")],
    };
    let documents =
        (0..count).flat_map(|number| items([(format!("k{number}").as_str(), Some(item(number)))]));
    write_documents(&transaction, &documents.collect::<Vec<_>>(), "").unwrap();
    transaction.commit().unwrap();
    (directory, connection)
}

fn by(index: &str) -> [DocumentQuery; 2] {
    [Direction::Forward, Direction::Backward]
        .map(|direction| DocumentQuery::of::<Item>().order_by(index, direction))
}

/// How much was done for a page of 20.
fn steps(connection: &Connection, text: &str, parameters: &[Box<dyn ToSql>]) -> i32 {
    let mut statement = connection.prepare(text).unwrap();
    let found = statement.query_map(params_from_iter(parameters), |_| Ok(())).unwrap();
    assert_eq!(found.count(), 20);
    statement.get_status(StatementStatus::VmStep)
}

#[track_caller]
fn cost_the_same(few: &[i32], many: &[i32]) {
    assert!(
        !few.is_empty() && few.iter().zip(many).all(|(few, many)| *many < few + few / 4),
        "{few:?} {many:?}"
    );
}

/// A page of all documents, by whichever index, either way, costs the same however many there are: up to its end.
#[test]
fn a_page_costs_what_is_before_its_end() {
    let steps_among = |count: u32| {
        let (_directory, connection) = filled(count);
        let queries = [by("rank"), by("group"), by("tags")].concat().into_iter();
        let cost = |query: DocumentQuery| {
            let page = Statements::of(&query.page(30, 20), Item::COLLECTION);
            steps(&connection, &page.page, &page.page_parameters)
        };
        queries.map(cost).collect::<Vec<_>>()
    };
    cost_the_same(&steps_among(200), &steps_among(3000));
}

/// So does one of many that match filters, as far as the page itself goes: those before its end are met, and others between them.
#[test]
fn a_page_of_many_matches_costs_what_is_before_its_end() {
    let steps_among = |count: u32| {
        let (_directory, connection) = filled(count);
        let queries = [by("rank"), by("tags")].concat().into_iter();
        let cost = |query: DocumentQuery| {
            let query = query.one_of("group", [1, 7]).between("rank", Some(0), None::<i32>).page(0, 20);
            let mut walk = Walk::of(&query, Item::COLLECTION).unwrap();
            let most = Walk::most(&query, u64::from(count / 3)).unwrap();
            walk.parameters.push(Box::new(most));
            steps(&connection, &walk.text, &walk.parameters)
        };
        queries.map(cost).collect::<Vec<_>>()
    };
    cost_the_same(&steps_among(1800), &steps_among(7200));
}
