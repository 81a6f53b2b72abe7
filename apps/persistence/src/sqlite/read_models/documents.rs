//! Documents by key and by query. A query is put together from fixed fragments; what comes from outside is
//! always a parameter, never text of the statement.

use std::fmt::Write as _;

use rusqlite::{Connection, OptionalExtension, ToSql, params_from_iter};
use umbel_core::{
    Json,
    document::{Direction, DocumentKey, DocumentQuery, IndexKey, Test},
    store::{DocumentPage, LoadDocuments},
};

use super::generations::{names, suffix};
use crate::sqlite::sql::{
    COUNT_DOCUMENTS, DOCUMENTS_AND_FILTER, DOCUMENTS_BY_FILTER, FIND_DOCUMENT, FIND_SERVED, ORDER_BACKWARD,
    ORDER_BY_KEY, ORDER_FORWARD, PAGE_BACKWARD, PAGE_FORWARD, QUERY_DOCUMENTS, TEST_BETWEEN, TEST_EQUAL,
    TEST_ONE_OF, WALK_BACKWARD, WALK_FORWARD, text,
};

/// Above every index key: their first byte is small.
const HIGHEST: &[u8] = &[0xff];

/// Documents that serve.
pub(super) fn get_documents(
    connection: &mut Connection,
    keys: &[DocumentKey],
) -> rusqlite::Result<Vec<Option<Json>>> {
    let snapshot = connection.transaction()?;
    let find = |key: &DocumentKey| find(&snapshot, &serving(&snapshot, key.collection)?.0, &key.key);
    keys.iter().map(find).collect()
}

/// Documents as the generation of a checkpoint has them.
pub(super) fn load_documents(
    connection: &mut Connection,
    request: &LoadDocuments,
) -> rusqlite::Result<Vec<Option<Json>>> {
    let snapshot = connection.transaction()?;
    let suffix = suffix(&snapshot, &request.checkpoint)?;
    let find = |key: &DocumentKey| find(&snapshot, &format!("{}{suffix}", key.collection), &key.key);
    request.keys.iter().map(find).collect()
}

pub(super) fn find(snapshot: &Connection, collection: &str, key: &str) -> rusqlite::Result<Option<Json>> {
    let mut statement = snapshot.prepare_cached(FIND_DOCUMENT)?;
    let body = statement.query_row([collection, key], |row| row.get::<_, String>(0)).optional()?;
    Ok(body.map(Json::from_store))
}

/// The name under which the documents are that serve a collection, and what they are found by; for the same snapshot as what is read
/// there.
fn serving(snapshot: &Connection, collection: &str) -> rusqlite::Result<(String, Vec<String>)> {
    let mut statement = snapshot.prepare_cached(FIND_SERVED)?;
    let found = statement
        .query_row([collection], |row| Ok((row.get::<_, String>(0)?, names(&row.get::<_, String>(1)?, 1)?)));
    let (suffix, indexes) = found.optional()?.unwrap_or_default();
    Ok((format!("{collection}{suffix}"), indexes))
}

pub(super) fn query_documents(
    connection: &mut Connection,
    query: &DocumentQuery,
) -> rusqlite::Result<DocumentPage> {
    let snapshot = connection.transaction()?;
    let (collection, indexes) = serving(&snapshot, &query.collection)?;
    let statements = Statements::of(query, &collection);
    let (documents, total) = match Walk::of(query, &collection) {
        Some(walk) => {
            let total = count(&snapshot, &statements)?;
            let walked = walk.page(&snapshot, query, total)?;
            let sorted = || page(&snapshot, &statements.page, &statements.page_parameters);
            (walked.map_or_else(sorted, Ok)?, total)
        }
        None => {
            let documents = page(&snapshot, &statements.page, &statements.page_parameters)?;
            let found = u64::try_from(documents.len()).unwrap_or(u64::MAX);
            // A page that ends before its limit has the last match, which tells how many there are.
            let is_last = found < query.limit.into() && (found > 0 || query.offset == 0);
            let total = if is_last { query.offset + found } else { count(&snapshot, &statements)? };
            (documents, total)
        }
    };
    Ok(DocumentPage { documents, total, unserved: query.unserved(&indexes) })
}

fn page(
    snapshot: &Connection,
    text: &str,
    parameters: &[Box<dyn ToSql>],
) -> rusqlite::Result<Vec<(String, Json)>> {
    let document = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, Json::from_store(row.get::<_, String>(1)?)));
    snapshot.prepare_cached(text)?.query_map(params_from_iter(parameters), document)?.collect()
}

fn count(snapshot: &Connection, statements: &Statements) -> rusqlite::Result<u64> {
    let parameters = params_from_iter(&statements.count_parameters);
    let total: i64 = snapshot.prepare_cached(&statements.count)?.query_row(parameters, |row| row.get(0))?;
    Ok(u64::try_from(total).unwrap_or(0))
}

type Parameters = Vec<Box<dyn ToSql>>;

/// The two statements of a query.
pub(in crate::sqlite) struct Statements {
    pub(in crate::sqlite) page: String,
    pub(in crate::sqlite) page_parameters: Parameters,
    pub(in crate::sqlite) count: String,
    count_parameters: Parameters,
}

impl Statements {
    /// Those over the collection by this name, whichever name the query has for it.
    pub(in crate::sqlite) fn of(query: &DocumentQuery, collection: &str) -> Self {
        let (sql, count_parameters) = filters(query, collection, DOCUMENTS_BY_FILTER);
        let (_, mut page_parameters) = filters(query, collection, DOCUMENTS_BY_FILTER);
        let limit = bind(&mut page_parameters, query.limit);
        let offset = bind(&mut page_parameters, i64::try_from(query.offset).unwrap_or(i64::MAX));
        let page = match &query.order {
            None => text(QUERY_DOCUMENTS).replace("{order}", &text(ORDER_BY_KEY)),
            // All are met in the order of the index, which needs no sorting.
            Some(order) if query.filters.is_empty() => {
                let walk = match order.direction {
                    Direction::Forward => PAGE_FORWARD,
                    Direction::Backward => PAGE_BACKWARD,
                };
                let end = query.offset.saturating_add(query.limit.into());
                let end = bind(&mut page_parameters, i64::try_from(end).unwrap_or(i64::MAX));
                text(walk)
                    .replace("{index}", &bind(&mut page_parameters, order.index.clone()))
                    .replace("{end}", &end)
            }
            Some(order) => {
                let sorting = match order.direction {
                    Direction::Forward => ORDER_FORWARD,
                    Direction::Backward => ORDER_BACKWARD,
                };
                let index = bind(&mut page_parameters, order.index.clone());
                text(QUERY_DOCUMENTS).replace("{order}", &text(sorting).replace("{index}", &index))
            }
        };
        let page = page.replace("{filters}", &sql).replace("{limit}", &limit).replace("{offset}", &offset);
        let count = text(COUNT_DOCUMENTS).replace("{filters}", &sql);
        Self { page, page_parameters, count, count_parameters }
    }
}

/// How the matches of filters are met in the order of an index, if there are many.
pub(in crate::sqlite) struct Walk {
    pub(in crate::sqlite) text: String,
    /// Those it has, and then how many entries are met at most.
    pub(in crate::sqlite) parameters: Parameters,
}

impl Walk {
    /// `None` where nothing is filtered, or nothing sorted.
    pub(in crate::sqlite) fn of(query: &DocumentQuery, collection: &str) -> Option<Self> {
        let order = query.order.as_ref().filter(|_| !query.filters.is_empty())?;
        let walk = match order.direction {
            Direction::Forward => WALK_FORWARD,
            Direction::Backward => WALK_BACKWARD,
        };
        // None of the filters leads: each is asked of what is met.
        let (filters, mut parameters) = filters(query, collection, DOCUMENTS_AND_FILTER);
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let index = bind(&mut parameters, order.index.clone());
        let limit = bind(&mut parameters, query.limit);
        let offset = bind(&mut parameters, number(query.offset));
        let end = bind(&mut parameters, number(query.offset.saturating_add(query.limit.into())));
        let text = text(walk).replace("{filters}", &filters).replace("{index}", &index);
        let text = text.replace("{limit}", &limit).replace("{offset}", &offset).replace("{end}", &end);
        let text = text.replace("{most}", &format!("?{}", parameters.len() + 1));
        Some(Self { text, parameters })
    }

    /// The page of these matches; `None` where they are few, rare, or far behind.
    fn page(
        mut self,
        snapshot: &Connection,
        query: &DocumentQuery,
        total: u64,
    ) -> rusqlite::Result<Option<Vec<(String, Json)>>> {
        let Some(most) = Self::most(query, total) else { return Ok(None) };
        self.parameters.push(Box::new(most));
        let documents = page(snapshot, &self.text, &self.parameters)?;
        let is_full = u32::try_from(documents.len()) == Ok(query.limit);
        Ok(is_full.then_some(documents))
    }

    /// How many entries are met at most, where so many match that it may be worth it: one for four matches. To look each match up and sort
    /// them is then never worse by much.
    pub(in crate::sqlite) fn most(query: &DocumentQuery, total: u64) -> Option<i64> {
        let end = query.offset.saturating_add(query.limit.into());
        let is_worth_it = query.limit > 0 && total > end.saturating_mul(16);
        is_worth_it.then(|| i64::try_from(total / 4).unwrap_or(i64::MAX))
    }
}

/// The conditions as text, with {first} for the first of them, and the collection with their values as parameters.
fn filters(query: &DocumentQuery, collection: &str, first: &'static str) -> (String, Parameters) {
    let mut parameters: Parameters = vec![Box::new(collection.to_owned())];
    let mut filters: Vec<_> = query.filters.iter().collect();
    // The first one leads to the documents, so it is the one likely to be the narrowest.
    filters.sort_by_key(|filter| match &filter.test {
        Test::In(keys) => keys.len().min(1000),
        Test::Range { .. } => usize::MAX,
    });
    let mut sql = String::new();
    for (number, filter) in filters.into_iter().enumerate() {
        let fragment = if number == 0 { first } else { DOCUMENTS_AND_FILTER };
        let index = bind(&mut parameters, filter.index.clone());
        let test = test(&filter.test, &mut parameters);
        sql += &text(fragment).replace("{index}", &index).replace("{test}", &test);
        sql += "\n";
    }
    (sql, parameters)
}

fn test(test: &Test, parameters: &mut Parameters) -> String {
    match test {
        Test::In(keys) => match keys.as_slice() {
            [key] => text(TEST_EQUAL).replace("{value}", &bind(parameters, key.as_bytes().to_vec())),
            keys => text(TEST_ONE_OF).replace("{value}", &bind(parameters, hex_list(keys))),
        },
        Test::Range { from, to } => {
            let from = from.as_ref().map_or(&[][..], IndexKey::as_bytes);
            let to = to.as_ref().map_or(HIGHEST, IndexKey::as_bytes);
            let value = bind(parameters, from.to_vec());
            let upper = bind(parameters, to.to_vec());
            text(TEST_BETWEEN).replace("{value}", &value).replace("{upper}", &upper)
        }
    }
}

/// Adds a parameter and gives its placeholder.
fn bind(parameters: &mut Parameters, value: impl ToSql + 'static) -> String {
    parameters.push(Box::new(value));
    format!("?{}", parameters.len())
}

/// Bytes cannot stand in JSON, their hexadecimal digits can.
fn hex_list(keys: &[IndexKey]) -> String {
    let mut list = String::from("[");
    for (number, key) in keys.iter().enumerate() {
        list += if number == 0 { "\"" } else { ",\"" };
        for byte in key.as_bytes() {
            write!(list, "{byte:02x}").expect("writing to a string cannot fail");
        }
        list += "\"";
    }
    list + "]"
}
