//! What an index orders by: JSON scalars as bytes whose plain comparison is the order of the values.

use serde_json::Value;

use crate::json::{Json, JsonError};

/// Texts are indexed by their first so many bytes: both databases bound the size of an index entry. Longer
/// texts that agree in these bytes are equal to a filter.
pub const INDEXED_TEXT_MAX_BYTES: usize = 1000;

/// A JSON scalar as bytes that compare like the values: null, then false, true, numbers, texts (by code point).
/// Numbers compare as 64-bit floats, so integers are exact up to 2^53.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IndexKey(Vec<u8>);

/// One entry of one index for one document.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IndexEntry {
    /// The indexed field.
    pub index: String,
    /// The field's value, or one element of it when it is a list.
    pub key: IndexKey,
}

impl IndexKey {
    /// The key of a scalar; `None` for lists and objects, which have none.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        Some(Self(match value {
            Value::Null => vec![0],
            Value::Bool(false) => vec![1],
            Value::Bool(true) => vec![2],
            Value::Number(number) => {
                let mut bytes = vec![3];
                bytes.extend(ordered_bits(number.as_f64().unwrap_or(f64::NAN)).to_be_bytes());
                bytes
            }
            Value::String(text) => {
                let mut bytes = vec![4];
                bytes.extend(text.as_bytes().iter().take(INDEXED_TEXT_MAX_BYTES));
                bytes
            }
            Value::Array(_) | Value::Object(_) => return None,
        }))
    }

    /// The bytes, as databases keep them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The entries of a document under the given indexes. A missing field counts as null, an empty list has no entry.
///
/// # Errors
/// When the text is not JSON.
pub(crate) fn entries(body: &Json, indexes: &[&str]) -> Result<Vec<IndexEntry>, JsonError> {
    if indexes.is_empty() {
        return Ok(Vec::new());
    }
    let body: Value = body.decode()?;
    let mut entries = Vec::with_capacity(indexes.len());
    for index in indexes {
        let scalars: &[Value] = match body.get(index) {
            None => &[Value::Null],
            Some(Value::Array(elements)) => elements,
            Some(scalar) => std::slice::from_ref(scalar),
        };
        let keys = scalars.iter().filter_map(IndexKey::of);
        entries.extend(keys.map(|key| IndexEntry { index: (*index).to_owned(), key }));
    }
    entries.sort();
    entries.dedup();
    Ok(entries)
}

/// Bits that, as an unsigned number, order like the floats: the sign bit flipped for positives, all for negatives.
fn ordered_bits(number: f64) -> u64 {
    // -0.0 and 0.0 are one value.
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 0 { bits | (1 << 63) } else { !bits }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_order_across_types() {
        let ordered =
            [json!(null), json!(false), json!(true), json!(-1e9), json!(-1), json!(0), json!(0.5), json!(7)];
        let texts = [json!(""), json!("A"), json!("a"), json!("ab"), json!("ü")];
        let keys: Vec<_> = ordered.iter().chain(&texts).map(|value| IndexKey::of(value).unwrap()).collect();
        assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
        assert_eq!(IndexKey::of(&json!(-0.0)), IndexKey::of(&json!(0)));
    }

    #[test]
    fn a_list_is_indexed_by_each_element_once() {
        let body = Json::parse(r#"{"tags":["b","a","b"],"none":[]}"#).unwrap();
        let entries = entries(&body, &["tags", "none", "missing"]).unwrap();
        let found: Vec<_> = entries.iter().map(|entry| entry.index.as_str()).collect();
        assert_eq!(found, ["missing", "tags", "tags"]);
    }

    proptest! {
        #[test]
        fn keys_order_like_numbers(a: f64, b: f64) {
            prop_assume!(a.is_finite() && b.is_finite());
            let keys = (IndexKey::of(&json!(a)).unwrap(), IndexKey::of(&json!(b)).unwrap());
            prop_assert_eq!(keys.0.partial_cmp(&keys.1), a.partial_cmp(&b));
        }

        #[test]
        fn keys_order_like_texts(a: String, b: String) {
            let keys = (IndexKey::of(&json!(a)).unwrap(), IndexKey::of(&json!(b)).unwrap());
            prop_assert_eq!(keys.0.cmp(&keys.1), a.as_bytes().cmp(b.as_bytes()));
        }
    }
}
