//! What clients send. What is absent, null or blank is told apart where it matters, and only there.

use serde::{Deserialize, Deserializer};

/// A registration. What is absent or null is blank: the accounts app says what that means.
#[derive(Debug, Deserialize)]
pub(crate) struct NewUser {
    #[serde(default, deserialize_with = "null_as_blank")]
    pub(crate) username: String,
    #[serde(default, deserialize_with = "null_as_blank")]
    pub(crate) email: String,
    #[serde(default, deserialize_with = "null_as_blank")]
    pub(crate) password: String,
}

/// A log-in.
#[derive(Debug, Deserialize)]
pub(crate) struct LogInUser {
    #[serde(default, deserialize_with = "null_as_blank")]
    pub(crate) email: String,
    #[serde(default, deserialize_with = "null_as_blank")]
    pub(crate) password: String,
}

/// A change of a user: what is absent stays, null is the same as blank.
#[derive(Debug, Deserialize)]
pub(crate) struct ChangedUser {
    #[serde(default, deserialize_with = "present")]
    pub(crate) username: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) email: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) password: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) bio: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) image: Option<String>,
}

/// An article to publish.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewArticle {
    #[serde(default, deserialize_with = "null_as_blank")]
    pub(crate) title: String,
    #[serde(default, deserialize_with = "null_as_blank")]
    pub(crate) description: String,
    #[serde(default, deserialize_with = "null_as_blank")]
    pub(crate) body: String,
    #[serde(default)]
    pub(crate) tag_list: Option<Vec<String>>,
}

/// A change of an article: what is absent stays, null is the same as blank. Only a list of tags can be null and is told
/// from an empty one: to mean "none" one says so.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangedArticle {
    #[serde(default, deserialize_with = "present")]
    pub(crate) title: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) description: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) body: Option<String>,
    #[serde(default, deserialize_with = "maybe_null")]
    pub(crate) tag_list: Option<Option<Vec<String>>>,
}

/// A comment to add.
#[derive(Debug, Deserialize)]
pub(crate) struct NewComment {
    #[serde(default, deserialize_with = "null_as_blank")]
    pub(crate) body: String,
}

fn null_as_blank<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    null_as_blank(deserializer).map(Some)
}

fn maybe_null<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_null_and_blank_are_told_apart_where_it_matters() {
        let changed: ChangedUser = serde_json::from_str(r#"{"bio":null,"image":"","password":"x"}"#).unwrap();
        assert_eq!((changed.username, changed.email), (None, None));
        assert_eq!((changed.bio.as_deref(), changed.image.as_deref()), (Some(""), Some("")));
        let tags = |text: &str| serde_json::from_str::<ChangedArticle>(text).unwrap().tag_list;
        assert_eq!((tags("{}"), tags(r#"{"tagList":null}"#)), (None, Some(None)));
        assert_eq!(tags(r#"{"tagList":[]}"#), Some(Some(Vec::new())));
        let user: NewUser = serde_json::from_str(r#"{"username":null,"unknown":1}"#).unwrap();
        assert_eq!((user.username.as_str(), user.email.as_str()), ("", ""));
    }
}
