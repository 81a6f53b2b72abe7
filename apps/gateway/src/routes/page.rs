//! The query string of a list of articles.

use actix_web::web::Query;
use contracts::articles::{LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX, ListArticles};

use crate::error::ApiError;

/// Largest offset that is passed on; beyond it every list is empty anyway.
const OFFSET_MAX: u64 = u32::MAX as u64;

/// What a list of articles was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) query: ListArticles,
    /// Only favourites of the user of this name.
    pub(crate) favorited: Option<String>,
}

/// Reads a query string. An empty filter counts as none, an unknown parameter is ignored, of a repeated one the
/// last counts. A limit beyond the maximum means the maximum.
///
/// # Errors
/// 422 when the limit or the offset is not a whole number from 0 on.
pub(crate) fn parse(query_string: &str) -> Result<Wanted, ApiError> {
    let pairs = Query::<Vec<(String, String)>>::from_query(query_string)
        .map_err(|_| ApiError::unprocessable("query", "is invalid"))?;
    let mut query = ListArticles { limit: LIST_LIMIT_DEFAULT, ..ListArticles::default() };
    let mut favorited = None;
    for (name, value) in pairs.into_inner() {
        match name.as_str() {
            "tag" => query.tag = given(value),
            "author" => query.author = given(value),
            "favorited" => favorited = given(value),
            "limit" => {
                let limit = number(&name, &value)?.min(LIST_LIMIT_MAX.into());
                query.limit = u32::try_from(limit).unwrap_or(LIST_LIMIT_MAX);
            }
            "offset" => query.offset = number(&name, &value)?.min(OFFSET_MAX),
            _ => {}
        }
    }
    Ok(Wanted { query, favorited })
}

/// As [`parse`], for a list that has no filters: they are ignored like everything unknown.
pub(crate) fn parse_page(query_string: &str) -> Result<ListArticles, ApiError> {
    let ListArticles { limit, offset, .. } = parse(query_string)?.query;
    Ok(ListArticles { limit, offset, ..ListArticles::default() })
}

fn given(value: String) -> Option<String> {
    Some(value).filter(|value| !value.is_empty())
}

fn number(name: &str, value: &str) -> Result<u64, ApiError> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err(ApiError::unprocessable(name, "is not a whole number from 0 on"));
    }
    // Digits that do not fit are a number all the same, and a large one.
    Ok(value.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> ListArticles {
        parse(text).unwrap().query
    }

    #[test]
    fn filters_are_decoded_and_empty_ones_are_none() {
        let all = ListArticles { limit: 20, ..ListArticles::default() };
        assert_eq!(query(""), all);
        assert_eq!(query("tag=&author=&unknown=1"), all);
        let tag = Some("a b&c".to_owned());
        assert_eq!(query("tag=x&tag=a+b%26c"), ListArticles { tag, ..all.clone() });
        assert_eq!(parse_page("tag=x&author=y&limit=20"), Ok(all));
        assert_eq!(query("author=J%C3%BCrgen_W").author.as_deref(), Some("Jürgen_W"));
        assert_eq!(parse("favorited=jake").unwrap().favorited.as_deref(), Some("jake"));
    }

    #[test]
    fn pages_are_bounded() {
        assert_eq!((query("limit=0").limit, query("limit=100").limit), (0, 100));
        assert_eq!((query("limit=101").limit, query("limit=99999999999999999999999").limit), (100, 100));
        assert_eq!(query("offset=18446744073709551615").offset, OFFSET_MAX);
        for wrong in ["limit=-1", "limit=", "limit=ten", "limit=1.5", "limit=+1", "offset=-1", "offset=x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
