//! What a page of documents costs.

use rusqlite::{StatementStatus, params_from_iter};
use umbel_core::document::DocumentQuery;

use super::*;
use crate::sqlite::read_models::{Statements, write_documents};

/// A page of all documents, by whichever index, either way, costs the same however many there are: up to its end.
#[test]
fn a_page_costs_what_is_before_its_end() {
    let steps_among = |count: u32| {
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
        let by = |index| [Direction::Forward, Direction::Backward].map(|direction| (index, direction));
        let mut all = Vec::new();
        for (index, direction) in [by("rank"), by("group"), by("tags")].concat() {
            let query = DocumentQuery::of::<Item>().order_by(index, direction).page(30, 20);
            let page = Statements::of(&query, &query.collection);
            let mut statement = transaction.prepare(&page.page).unwrap();
            let found = statement.query_map(params_from_iter(&page.page_parameters), |_| Ok(())).unwrap();
            assert_eq!(found.count(), 20);
            all.push(statement.get_status(StatementStatus::VmStep));
        }
        all
    };
    let (few, many) = (steps_among(200), steps_among(3000));
    assert!(few.iter().zip(&many).all(|(few, many)| *many < few + few / 4), "{few:?} {many:?}");
}
