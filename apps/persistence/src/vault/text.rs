//! Finds marked values in JSON text and replaces them; everything around them stays as it was written.
//!
//! One pass over the text, without a tree: what is not replaced keeps its spelling, whatever its depth.

use std::ops::Range;

use umbel_core::personal::{KNOWN_KEY, OWNED_KEY, SEALED_KEY};

/// What the one key of a marked object says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Personal data, readable.
    Personal,
    /// Personal data, sealed.
    Sealed,
    /// A value that names its subject.
    Owned,
}

/// An object with one entry whose key is a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marked {
    pub(super) mark: Mark,
    /// Where the object is in the text.
    pub(super) object: Range<usize>,
    /// Where its entry's value is.
    pub(super) value: Range<usize>,
}

/// An object or array whose end was not seen yet.
struct Open {
    start: usize,
    is_object: bool,
    /// What the first key says.
    mark: Option<Mark>,
    /// Where the first value begins; 0 before its colon.
    value: usize,
    /// Whether there are several entries.
    several: bool,
}

/// Whether this key may be in a JSON text, by one quick look: as it is, or with some of it escaped.
pub(super) fn may_be_marked(text: &str, key: &str) -> bool {
    text.contains(key) || text.contains(r"\u")
}

/// The marked objects of a JSON text, in order. One within another belongs to the outer one's value and is not listed.
/// Of text that is no JSON it lists whatever looks like one.
pub(super) fn marked(text: &str) -> Vec<Marked> {
    scanned(text, |mark| mark != Mark::Owned)
}

/// The objects of a JSON text that name their subject; else as [`marked`].
pub(super) fn owned(text: &str) -> Vec<Marked> {
    scanned(text, |mark| mark == Mark::Owned)
}

fn scanned(text: &str, wanted: impl Fn(Mark) -> bool) -> Vec<Marked> {
    let (mut found, mut open) = (Vec::<Marked>::new(), Vec::<Open>::new());
    let (bytes, mut at) = (text.as_bytes(), 0);
    while let Some(&byte) = bytes.get(at) {
        let begin = at;
        at += 1;
        match byte {
            b'{' | b'[' => {
                let is_object = byte == b'{';
                open.push(Open { start: begin, is_object, mark: None, value: 0, several: false });
            }
            b'"' => {
                at = end_of_string(bytes, at);
                if let Some(open) = open.last_mut().filter(|open| open.is_object && open.value == 0) {
                    open.mark =
                        Mark::of(text.get(begin..at).unwrap_or_default()).filter(|mark| wanted(*mark));
                }
            }
            b':' => {
                if let Some(open) = open.last_mut().filter(|open| open.value == 0) {
                    open.value = at;
                }
            }
            b',' => {
                if let Some(open) = open.last_mut() {
                    open.several = true;
                }
            }
            b'}' | b']' => {
                let Some(Open { start, mark: Some(mark), value, several: false, .. }) = open.pop() else {
                    continue;
                };
                while found.last().is_some_and(|inner| inner.object.start > start) {
                    found.pop();
                }
                found.push(Marked { mark, object: start..at, value: trimmed(text, value..begin) });
            }
            _ => {}
        }
    }
    found
}

/// The text with these objects, as [`marked`] listed them, replaced by what the function makes of each value and its number
/// among them.
pub(super) fn replaced<E>(
    text: &str,
    marked: &[Marked],
    mut with: impl FnMut(usize, &str) -> Result<String, E>,
) -> Result<String, E> {
    let (mut result, mut copied) = (String::with_capacity(text.len()), 0);
    for (number, Marked { object, value, .. }) in marked.iter().enumerate() {
        result += text.get(copied..object.start).unwrap_or_default();
        result += &with(number, text.get(value.clone()).unwrap_or_default())?;
        copied = object.end;
    }
    result += text.get(copied..).unwrap_or_default();
    Ok(result)
}

impl Mark {
    /// What a key says, given as it is written: in quotes, escapes and all.
    fn of(written: &str) -> Option<Self> {
        let key = written.trim_matches('"');
        let unescaped: String;
        let key = if key.contains('\\') {
            unescaped = serde_json::from_str(written).ok()?;
            unescaped.as_str()
        } else {
            key
        };
        match key {
            KNOWN_KEY => Some(Self::Personal),
            SEALED_KEY => Some(Self::Sealed),
            OWNED_KEY => Some(Self::Owned),
            _ => None,
        }
    }
}

/// The place behind the string whose first byte behind the quote is at `at`.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The same part of the text without JSON's white space around it.
fn trimmed(text: &str, part: Range<usize>) -> Range<usize> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let bytes = text.as_bytes().get(part.clone()).unwrap_or_default();
    let before = bytes.iter().take_while(|byte| is_space(byte)).count();
    let behind = bytes.iter().skip(before).rev().take_while(|byte| is_space(byte)).count();
    part.start + before..part.end - behind
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn values(text: &str) -> Vec<(Mark, &str)> {
        marked(text).into_iter().map(|marked| (marked.mark, &text[marked.value])).collect()
    }

    #[test]
    fn finds_what_is_marked_and_nothing_else() {
        use Mark::{Personal, Sealed};
        let cases: &[(&str, &[(Mark, &str)])] = &[
            (r#"{"$personal":1}"#, &[(Personal, "1")]),
            (
                r#"{"a":{ "$personal" : "Ada" }, "b": [{"$sealed":"x"}]}"#,
                &[(Personal, r#""Ada""#), (Sealed, r#""x""#)],
            ),
            (
                r#"{"$personal":{"$personal":{"$sealed":"x"}}}"#,
                &[(Personal, r#"{"$personal":{"$sealed":"x"}}"#)],
            ),
            (r#"{"$personal":[1,2,{"a":1,"b":"}"}]}"#, &[(Personal, r#"[1,2,{"a":1,"b":"}"}]"#)]),
            // Written in another way, it is the same key.
            (r#"{"\u0024personal":null}"#, &[(Personal, "null")]),
            (r#"{"$personal":1,"b":2}"#, &[]),
            (r#"{"a":2,"$personal":1}"#, &[]),
            (r#"{"$personal":{"$personal":1},"b":2}"#, &[(Personal, "1")]),
            (r#"["$personal",{"a":"$personal"},{"$personals":1},{"\\$personal":1},{}]"#, &[]),
            (r#""{\"$personal\":1}""#, &[]),
            ("{\"a\":\"\\\\\",\"b\":{\"$personal\":\n \"\\\"\"\n}}", &[(Personal, r#""\"""#)]),
        ];
        for (text, expected) in cases {
            assert!(serde_json::from_str::<Value>(text).is_ok(), "{text}");
            assert_eq!(values(text), *expected, "{text}");
        }
    }

    /// Text that no JSON parser let through does no harm.
    #[test]
    fn survives_what_is_no_json() {
        for text in [
            "",
            "{",
            "\"",
            "\"\\",
            "}]",
            "{\"$personal\":",
            "{\"$personal\"}",
            "{:,}",
            "{\"ü\\",
            "]:\"$personal\"",
        ] {
            let all = marked(text);
            drop(replaced::<Infallible>(text, &all, |_, value| Ok(value.to_owned())));
        }
        let deep = "[".repeat(100_000) + r#"{"$personal":1}"# + &"]".repeat(100_000);
        assert_eq!(values(&deep), [(Mark::Personal, "1")]);
    }

    /// Any JSON, with marked values in it.
    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-4000_i32..4000).prop_map(|quarters| Value::from(f64::from(quarters) / 4.0)),
            "[\\PC\"\\\\{}:,\n]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 48, 5, |inner| {
            let key = prop_oneof![
                4 => "[a-c\"\\\\:{}]{0,3}",
                1 => Just(KNOWN_KEY.to_owned()),
            ];
            prop_oneof![
                2 => inner.clone().prop_map(|value| json!({KNOWN_KEY: value})),
                1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                2 => prop::collection::vec((key, inner), 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    /// What the transformer must do, on a tree.
    fn on_a_tree(value: Value) -> Value {
        match value {
            Value::Object(mut entries) if entries.len() == 1 && entries.contains_key(KNOWN_KEY) => {
                json!({SEALED_KEY: entries.remove(KNOWN_KEY).unwrap().to_string()})
            }
            Value::Object(entries) => entries
                .into_iter()
                .map(|(key, value)| (key, on_a_tree(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Array(values) => values.into_iter().map(on_a_tree).collect(),
            value => value,
        }
    }

    fn sealed(text: &str) -> String {
        let with = |_, value: &str| {
            Ok::<_, Infallible>(
                json!({SEALED_KEY: serde_json::from_str::<Value>(value).unwrap().to_string()}).to_string(),
            )
        };
        replaced(text, &marked(text), with).unwrap()
    }

    proptest! {
        /// On any document, compact or spread out, the text comes out as if it had been changed as a tree.
        #[test]
        fn changes_the_text_as_a_tree_would_be(document in documents()) {
            let expected = on_a_tree(document.clone());
            for text in [document.to_string(), serde_json::to_string_pretty(&document).unwrap()] {
                prop_assert_eq!(&serde_json::from_str::<Value>(&sealed(&text)).unwrap(), &expected);
            }
        }

        /// What is not marked stays byte for byte: putting the objects back gives the very text.
        #[test]
        fn leaves_the_rest_as_it_is_written(document in documents()) {
            let text = serde_json::to_string_pretty(&document).unwrap();
            let all = marked(&text);
            let objects: Vec<_> = all.iter().map(|marked| &text[marked.object.clone()]).collect();
            let same = replaced(&text, &all, |number, _| Ok::<_, Infallible>(objects[number].to_owned())).unwrap();
            prop_assert_eq!(same, text);
        }

        /// Any text at all does no harm.
        #[test]
        fn no_text_does_harm(text in "[\\PC\"\\\\{}:,\\[\\]]{0,40}") {
            let all = marked(&text);
            drop(replaced::<Infallible>(&text, &all, |_, value| Ok(value.to_owned())));
        }
    }
}
