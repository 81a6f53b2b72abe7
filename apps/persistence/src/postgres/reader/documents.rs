//! Documents and checkpoints.

use tokio_postgres::Row;
use umbel_core::{
    Json, Position,
    document::{Direction, DocumentKey, DocumentQuery, Filter, IndexKey, Test},
    store::{DocumentPage, SaveProjection, SaveProjectionError, StoreError},
};

use super::{Param, Reader};
use crate::postgres::{sql::Statements, types::JsonOut, writer::DocumentRows};

/// Sorts after every index key: their first byte is a small number.
const ABOVE_ALL: &[u8] = &[0xff];

/// Parameters of `query_documents.sql` before those of its filters.
const FIXED_PARAMS: usize = 5;

/// A filter's values, owned by the query that sends them.
enum FilterParams<'a> {
    In(Vec<&'a [u8]>),
    Range(&'a [u8], &'a [u8]),
}

impl Reader {
    pub(in crate::postgres) async fn get_documents(
        &self,
        keys: Vec<DocumentKey>,
    ) -> Result<Vec<Option<Json>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let (collections, keys): (Vec<&str>, Vec<&str>) =
            keys.iter().map(|key| (key.collection, key.key.as_str())).unzip();
        let rows = self.query(&self.statements.get_documents, &[&collections, &keys]).await?;
        Ok(bodies(&rows))
    }

    pub(in crate::postgres) async fn query_documents(
        &self,
        query: DocumentQuery,
    ) -> Result<DocumentPage, StoreError> {
        let filters = by_narrowness(&query);
        let sql = query_text(&self.statements, &query);
        let used: Vec<&str> = query.indexes().collect();
        let order = query.order.as_ref().map(|order| order.index.as_str());
        let limit = i64::from(query.limit);
        // Where the page ends is a number, too.
        let offset = i64::try_from(query.offset).unwrap_or(i64::MAX).min(i64::MAX - limit);
        let values: Vec<_> = filters.iter().map(|filter| FilterParams::of(&filter.test)).collect();
        let mut params: Vec<Param<'_>> = vec![&query.collection, &order, &offset, &limit, &used];
        for (filter, values) in filters.iter().zip(&values) {
            params.push(&filter.index);
            match values {
                FilterParams::In(values) => params.push(values),
                FilterParams::Range(from, to) => params.extend([from as Param<'_>, to as Param<'_>]),
            }
        }
        let rows = self.query(&sql, &params).await?;
        let total: i64 = rows.first().map_or(0, |row| row.get("total"));
        let document = |row: &Row| {
            let key = row.get::<_, Option<String>>("key")?;
            row.get::<_, Option<JsonOut>>("body").map(|JsonOut(body)| (key, body))
        };
        Ok(DocumentPage {
            documents: rows.iter().filter_map(document).collect(),
            total: u64::try_from(total).unwrap_or(0),
            unserved: rows.first().and_then(|row| row.get("unserved")),
        })
    }

    pub(in crate::postgres) async fn load_checkpoint(
        &self,
        projection: String,
    ) -> Result<Position, StoreError> {
        let rows = self.query(&self.statements.load_checkpoint, &[&projection]).await?;
        Ok(rows.first().map_or(Position::START, |row| Position::from_i64(row.get("position"))))
    }

    pub(in crate::postgres) async fn save_projection(
        &self,
        request: SaveProjection,
    ) -> Result<(), SaveProjectionError> {
        let (expected, position) = (request.expected.to_i64(), request.position.to_i64());
        if !request.clear.is_empty() {
            // Beforehand, and only so much at a time: emptying a large collection by one statement would take longer than
            // a statement may, each time anew. What is in it by the time of the save goes with the save.
            let params: [Param<'_>; 3] = [&request.projection, &expected, &request.clear];
            self.remove_in_steps(&self.statements.clear_documents, &params).await?;
        }
        let rows = DocumentRows::new(&request.writes);
        let params = save_params(&request, (&expected, &position), &rows);
        // Should the connection be lost, the caller loads the checkpoint and knows whether it took effect.
        let saved = self.write(&self.statements.save_projection, &params).await?;
        outcome(&saved)
    }
}

/// The filters, the one first that leads to the documents: likely the narrowest.
fn by_narrowness(query: &DocumentQuery) -> Vec<&Filter> {
    let mut filters: Vec<_> = query.filters.iter().collect();
    filters.sort_by_key(|filter| match &filter.test {
        Test::In(keys) => keys.len().min(1000),
        Test::Range { .. } => usize::MAX,
    });
    filters
}

/// The query's text: one for each combination of filters, and each way through what matches.
pub(in crate::postgres) fn query_text(statements: &Statements, query: &DocumentQuery) -> String {
    let mut next = FIXED_PARAMS;
    let mut parameter = || {
        next += 1;
        format!("${next}")
    };
    let mut test = |filter: &Filter| {
        let index = parameter();
        let text = match filter.test {
            Test::In(_) => statements.filter_in.replace("{values}", &parameter()),
            Test::Range { .. } => {
                statements.filter_range.replace("{from}", &parameter()).replace("{to}", &parameter())
            }
        };
        text.replace("{index}", &index)
    };
    let tests: Vec<_> = by_narrowness(query).into_iter().map(&mut test).collect();
    let each = |statement: &str, entry: &str, tests: &[String]| {
        let of = |test: &String| statement.replace("{test}", &test.replace("{entry}", entry));
        tests.iter().map(of).collect::<String>()
    };
    let matches = match tests.split_first() {
        None => statements.all_documents.clone(),
        Some((first, others)) => each(&statements.matching_documents, "led", std::slice::from_ref(first))
            .replace("{filters}", &each(&statements.matching_also, "i", others)),
    };
    let direction = query.order.as_ref().map(|order| order.direction);
    let page = match (direction, query.filters.is_empty()) {
        (None, _) => &statements.page_by_key,
        (Some(Direction::Forward), true) => &statements.page_forward,
        (Some(Direction::Backward), true) => &statements.page_backward,
        (Some(Direction::Forward), false) => &statements.matches_forward,
        (Some(Direction::Backward), false) => &statements.matches_backward,
    };
    let sorted = match direction {
        Some(Direction::Backward) => "DESC NULLS LAST",
        Some(Direction::Forward) | None => "NULLS FIRST",
    };
    let page = page.replace("{met_matches}", &each(&statements.met_matches, "m", &tests));
    let text = statements.query_documents.replace("{matches}", &matches).replace("{page}", &page);
    text.replace("{sorted}", sorted)
}

/// The parameters of `save_projection.sql`.
pub(super) fn save_params<'a>(
    request: &'a SaveProjection,
    (expected, position): (&'a i64, &'a i64),
    rows: &'a DocumentRows<'_>,
) -> [Param<'a>; 11] {
    [
        &request.projection,
        expected,
        position,
        &request.clear,
        &rows.collections,
        &rows.keys,
        &rows.bodies,
        &rows.entry_collections,
        &rows.entry_keys,
        &rows.entry_indexes,
        &rows.entry_values,
    ]
}

/// What `save_projection.sql` says.
pub(super) fn outcome(saved: &[Row]) -> Result<(), SaveProjectionError> {
    match saved.first().and_then(|row| row.get::<_, Option<i64>>(0)) {
        None => Ok(()),
        Some(-1) => Err(SaveProjectionError::Retired),
        Some(actual) => Err(SaveProjectionError::CheckpointMoved { actual: Position::from_i64(actual) }),
    }
}

/// The documents of such rows.
pub(super) fn bodies(rows: &[Row]) -> Vec<Option<Json>> {
    rows.iter().map(|row| row.get::<_, Option<JsonOut>>("body").map(|JsonOut(body)| body)).collect()
}

impl<'a> FilterParams<'a> {
    fn of(test: &'a Test) -> Self {
        match test {
            Test::In(keys) => Self::In(keys.iter().map(IndexKey::as_bytes).collect()),
            Test::Range { from, to } => Self::Range(
                from.as_ref().map_or(&[], IndexKey::as_bytes),
                to.as_ref().map_or(ABOVE_ALL, IndexKey::as_bytes),
            ),
        }
    }
}
