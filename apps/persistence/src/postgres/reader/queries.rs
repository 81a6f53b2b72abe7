//! The statements of queries over documents: one for each shape of a query, put together from fragments. What comes from outside is always a
//! parameter.

use umbel_core::document::{Direction, DocumentQuery, Filter, IndexKey, Test};

use super::Param;
use crate::postgres::sql::Statements;

/// Sorts after every index key: their first byte is a small number.
const ABOVE_ALL: &[u8] = &[0xff];

/// Parameters before the order's and the filters'.
const FIXED_PARAMS: usize = 4;

/// What a query sends, owned or borrowed from it.
pub(super) struct QueryParams<'a> {
    collection: &'a str,
    used: Vec<String>,
    offset: i64,
    limit: i64,
    order: Option<&'a str>,
    filters: Vec<(&'a str, FilterParams<'a>)>,
}

enum FilterParams<'a> {
    Equal(&'a [u8]),
    In(Vec<&'a [u8]>),
    Range(&'a [u8], &'a [u8]),
}

impl<'a> QueryParams<'a> {
    pub(super) fn of(query: &'a DocumentQuery) -> Self {
        let limit = i64::from(query.limit);
        let filters = by_narrowness(query);
        Self {
            collection: &query.collection,
            used: query.indexes().map(|index| format!("{}/{index}", query.collection)).collect(),
            // Where the page ends, and one behind it, is a number, too.
            offset: i64::try_from(query.offset).unwrap_or(i64::MAX).min(i64::MAX - limit - 1),
            limit,
            order: query.order.as_ref().map(|order| order.index.as_str()),
            filters: filters.iter().map(|filter| (&*filter.index, FilterParams::of(&filter.test))).collect(),
        }
    }

    /// In the order that the text counts on.
    pub(super) fn params(&self) -> Vec<Param<'_>> {
        let mut params: Vec<Param<'_>> = vec![&self.collection, &self.used, &self.offset, &self.limit];
        params.extend(self.order.as_ref().map(|order| order as Param<'_>));
        for (index, values) in &self.filters {
            params.push(index);
            match values {
                FilterParams::Equal(value) => params.push(value),
                FilterParams::In(values) => params.push(values),
                FilterParams::Range(from, to) => params.extend([from as Param<'_>, to as Param<'_>]),
            }
        }
        params
    }
}

impl<'a> FilterParams<'a> {
    fn of(test: &'a Test) -> Self {
        match test {
            Test::In(keys) => match keys.as_slice() {
                [key] => Self::Equal(key.as_bytes()),
                keys => Self::In(keys.iter().map(IndexKey::as_bytes).collect()),
            },
            Test::Range { from, to } => Self::Range(
                from.as_ref().map_or(&[], IndexKey::as_bytes),
                to.as_ref().map_or(ABOVE_ALL, IndexKey::as_bytes),
            ),
        }
    }
}

/// The filters, the one first that leads to the documents: likely the narrowest.
pub(in crate::postgres) fn by_narrowness(query: &DocumentQuery) -> Vec<&Filter> {
    let mut filters: Vec<_> = query.filters.iter().collect();
    filters.sort_by_key(|filter| match &filter.test {
        Test::In(keys) => keys.len().min(1000),
        Test::Range { .. } => usize::MAX,
    });
    filters
}

/// A filter as text, with the names of its parameters.
struct FilterText {
    /// What an entry must meet, whichever: `{entry}` stands for it.
    test: String,
    /// What leads to the entries that meet it.
    lead: String,
    is_one_value: bool,
}

impl FilterText {
    fn of(statements: &Statements, filter: &Filter, mut parameter: impl FnMut() -> String) -> Self {
        let index = parameter();
        let by_test = |test: &str| statements.lead_by_test.replace("{test}", &test.replace("{entry}", "led"));
        let (test, lead, is_one_value) = match &filter.test {
            Test::In(keys) if keys.len() == 1 => {
                let test = statements.filter_equal.replace("{value}", &parameter());
                (test.clone(), by_test(&test), true)
            }
            Test::In(_) => {
                let values = parameter();
                let lead = statements.lead_by_values.replace("{values}", &values);
                (statements.filter_in.replace("{values}", &values), lead, false)
            }
            Test::Range { .. } => {
                let test =
                    statements.filter_range.replace("{from}", &parameter()).replace("{to}", &parameter());
                (test.clone(), by_test(&test), false)
            }
        };
        let with_index = |text: String| text.replace("{index}", &index);
        Self { test: with_index(test), lead: with_index(lead), is_one_value }
    }

    /// The test, of the entry by this name.
    fn test_of(&self, entry: &str) -> String {
        self.test.replace("{entry}", entry)
    }
}

/// The query's text: one for each combination of filters, and each way through what matches.
pub(in crate::postgres) fn query_text(statements: &Statements, query: &DocumentQuery) -> String {
    let mut next = FIXED_PARAMS + usize::from(query.order.is_some());
    let mut parameter = || {
        next += 1;
        format!("${next}")
    };
    let filters: Vec<_> = by_narrowness(query)
        .into_iter()
        .map(|filter| FilterText::of(statements, filter, &mut parameter))
        .collect();
    let also = |others: &[FilterText], named: &str| {
        let text = statements.matching_also.replace("{named}", named);
        others.iter().map(|other| text.replace("{test}", &other.test_of("i"))).collect::<String>()
    };
    let matches = match filters.split_first() {
        Some((first, others)) if first.is_one_value && query.order.is_none() => {
            let text = statements.find_documents.replace("{led}", &first.test_of("led"));
            return text.replace("{filters}", &also(others, "named.collection"));
        }
        None => statements.all_documents.clone(),
        Some((first, others)) => statements
            .matching_documents
            .replace("{lead}", &first.lead)
            .replace("{filters}", &also(others, "(SELECT collection FROM named)")),
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
    let met = |filter: &FilterText| statements.met_matches.replace("{test}", &filter.test_of("m"));
    let page = page.replace("{met_matches}", &filters.iter().map(met).collect::<String>());
    let text = statements.query_documents.replace("{matches}", &matches).replace("{page}", &page);
    text.replace("{sorted}", sorted)
}
