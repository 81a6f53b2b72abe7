//! Tags of events, and queries by them: how events of several streams that one rule concerns are found together.
//!
//! A tag is a text `name:value`, such as `course:c1`. Which tags an event has is said by its type, in
//! [`Event::tags`](crate::Event::tags), and stored with it. Tags are kept readable for ever: they hold ids, never personal data.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    event::{EventSet, Lineage, RecordedEvent},
    names::{NameError, check_event_name},
};

/// Longest tag, in bytes: as long as a stream's name, for an index holds it.
const TAG_MAX_BYTES: usize = crate::stream::NAME_MAX_BYTES;

/// Most items of one query, and most tags of one item. Each item is a look-up of its own, and each further tag one for
/// each event found; a rule that needs more than this wants a tag of its own.
pub const QUERY_MAX: usize = 64;

/// A tag of an event: `name:value`, 1 to 250 bytes without control characters. Clones share the text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(Arc<str>);

/// The tags of an event: sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Vec<Tag>")]
pub struct Tags(Vec<Tag>);

/// A text that is no tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// It has not the form.
    #[error("{0:?} is no tag; write it like course:c1, a name and a value")]
    Form(String),
    /// Not every store can keep it.
    #[error("a tag is 1 to {TAG_MAX_BYTES} bytes without control characters: {0}")]
    Name(NameError),
}

/// Which events concern a decision: those that any of its items is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TagQuery {
    items: Arc<[TagItem]>,
}

/// Events with all of these tags and, where names are given, one of these names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TagItem {
    /// All of them must be on the event. At least one.
    pub tags: Tags,
    /// The event's name is one of these, whatever its schema version; empty for any.
    pub names: Vec<Arc<str>>,
}

/// What is wrong with a query, whatever the store holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// No item.
    #[error("a query by tags without an item is about no event; give it one")]
    Empty,
    /// Too many of something.
    #[error(
        "a query by tags has at most {QUERY_MAX} {what}, this one has {count}; give the events a tag they share"
    )]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
    },
    /// An item that is about all events, or all of some name.
    #[error("an item of a query by tags names at least one tag; give the events one that they share")]
    NoTag,
    /// A tag that is none.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// The name of an event that no store keeps.
    #[error("a query names an event that there cannot be: {0}")]
    Name(NameError),
}

impl Tag {
    /// The tag `name:value`. Whether it is one is checked by whatever takes it.
    #[must_use]
    pub fn of(name: &str, value: impl fmt::Display) -> Self {
        Self(format!("{name}:{value}").into())
    }

    /// Takes a tag that a store checked when it was written.
    #[must_use]
    pub fn from_store(tag: impl Into<Arc<str>>) -> Self {
        Self(tag.into())
    }

    /// The whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has the form of a tag, and all stores can keep it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), TagError> {
        check_event_name(&self.0).map_err(TagError::Name)?;
        let has_form =
            self.0.split_once(':').is_some_and(|(name, value)| !name.is_empty() && !value.is_empty());
        if has_form { Ok(()) } else { Err(TagError::Form(self.to_string())) }
    }
}

impl Tags {
    /// No tags.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// The one tag `name:value`.
    #[must_use]
    pub fn of(name: &str, value: impl fmt::Display) -> Self {
        Self::none().and(name, value)
    }

    /// These and the tag `name:value`.
    #[must_use]
    pub fn and(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.add(Tag::of(name, value));
        self
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Each of them, sorted.
    pub fn iter(&self) -> std::slice::Iter<'_, Tag> {
        self.0.iter()
    }

    /// Whether all of the others are among these.
    #[must_use]
    pub fn include(&self, others: &Self) -> bool {
        others.iter().all(|tag| self.0.binary_search(tag).is_ok())
    }

    /// Bytes of their texts.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.iter().map(|tag| tag.as_str().len()).sum()
    }

    /// As one text, each on a line of its own: how statements take them. No tag holds the end of a line.
    #[must_use]
    pub fn lines(&self) -> Option<String> {
        let texts: Vec<_> = self.iter().map(Tag::as_str).collect();
        (!texts.is_empty()).then(|| texts.join("\n"))
    }

    fn add(&mut self, tag: Tag) {
        if let Err(place) = self.0.binary_search(&tag) {
            self.0.insert(place, tag);
        }
    }
}

impl TagQuery {
    /// Events with all of these tags, whatever their names.
    #[must_use]
    pub fn tagged(tags: Tags) -> Self {
        Self::of([TagItem::tagged(tags)])
    }

    /// Events that any of these items is about.
    #[must_use]
    pub fn of(items: impl IntoIterator<Item = TagItem>) -> Self {
        Self { items: items.into_iter().collect() }
    }

    /// These, and events with all of these other tags.
    #[must_use]
    pub fn or(self, tags: Tags) -> Self {
        self.or_item(TagItem::tagged(tags))
    }

    /// These, and events that another item is about.
    #[must_use]
    pub fn or_item(self, item: TagItem) -> Self {
        Self::of(self.items.iter().cloned().chain([item]))
    }

    /// The same, with what names no events restricted to those of a set, and what names some of its kinds extended to the names under which
    /// logs may hold events that become some of these.
    #[must_use]
    pub fn within<S: EventSet>(&self) -> Self {
        let within = |item: &TagItem| match item.names.is_empty() {
            true => item.clone().named(S::NAMES),
            false => item.with_past(S::KINDS),
        };
        Self::of(self.items.iter().map(within))
    }

    /// Its items.
    #[must_use]
    pub fn items(&self) -> &[TagItem] {
        &self.items
    }

    /// Whether it is about an event of this name with these tags: what every store's own way of finding them must agree with.
    #[must_use]
    pub fn is_about(&self, name: &str, tags: &Tags) -> bool {
        self.items.iter().any(|item| item.is_about(name, tags))
    }

    /// The same of a recorded event.
    #[must_use]
    pub fn matches(&self, event: &RecordedEvent) -> bool {
        self.is_about(&event.event_type.name, &event.tags)
    }

    /// Checks what can be checked without a store.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), QueryError> {
        let bounded =
            |what, count| if count > QUERY_MAX { Err(QueryError::TooMany { what, count }) } else { Ok(()) };
        if self.items.is_empty() {
            return Err(QueryError::Empty);
        }
        bounded("items", self.items.len())?;
        for TagItem { tags, names } in &*self.items {
            if tags.is_empty() {
                return Err(QueryError::NoTag);
            }
            bounded("tags in one item", tags.len())?;
            bounded("names in one item", names.len())?;
            tags.iter().try_for_each(Tag::check)?;
            names.iter().try_for_each(|name| check_event_name(name)).map_err(QueryError::Name)?;
        }
        Ok(())
    }
}

impl TagItem {
    /// Events with all of these tags.
    #[must_use]
    pub fn tagged(tags: Tags) -> Self {
        Self { tags, names: Vec::new() }
    }

    /// The same, of these names only.
    #[must_use]
    pub fn named(mut self, names: &[&str]) -> Self {
        self.names = names.iter().map(|name| Arc::from(*name)).collect();
        self
    }

    /// The same, of all names that its names ever had.
    fn with_past(&self, kinds: &[Lineage]) -> Self {
        let mut all = self.clone();
        for kind in kinds.iter().filter(|kind| self.names.iter().any(|name| kind.has_name(name))) {
            let missing =
                kind.names().into_iter().filter(|name| !self.names.iter().any(|own| **own == **name));
            all.names.extend(missing.map(Arc::from));
        }
        all
    }

    fn is_about(&self, name: &str, tags: &Tags) -> bool {
        let is_named = self.names.is_empty() || self.names.iter().any(|one| **one == *name);
        !self.tags.is_empty() && is_named && tags.include(&self.tags)
    }

    /// Its names as one text, each on a line of its own; `None` for any.
    #[must_use]
    pub fn name_lines(&self) -> Option<String> {
        (!self.names.is_empty()).then(|| self.names.join("\n"))
    }
}

impl FromIterator<Tag> for Tags {
    fn from_iter<I: IntoIterator<Item = Tag>>(tags: I) -> Self {
        let mut all = Self::none();
        tags.into_iter().for_each(|tag| all.add(tag));
        all
    }
}

impl From<Vec<Tag>> for Tags {
    fn from(tags: Vec<Tag>) -> Self {
        tags.into_iter().collect()
    }
}

impl<'a> IntoIterator for &'a Tags {
    type Item = &'a Tag;
    type IntoIter = std::slice::Iter<'a, Tag>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.iter().map(Tag::as_str).collect();
        f.write_str(&texts.join(", "))
    }
}

impl FromStr for Tag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tag = Self(text.into());
        tag.check().map(|()| tag)
    }
}

impl TryFrom<String> for Tag {
    type Error = TagError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.0.as_ref().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_has_a_form() {
        for right in ["course:c1", "a:b:c", "name: with spaces"] {
            assert_eq!(right.parse::<Tag>().unwrap().as_str(), right);
        }
        for wrong in ["course", ":c1", "course:"] {
            assert_eq!(wrong.parse::<Tag>(), Err(TagError::Form(wrong.into())));
        }
        for wrong in [String::new(), "a:\n".into(), format!("a:{}", "x".repeat(249))] {
            assert!(matches!(wrong.parse::<Tag>(), Err(TagError::Name(_))), "{wrong:?}");
        }
    }

    #[test]
    fn tags_are_a_set() {
        let tags = Tags::of("b", 1).and("a", 2).and("b", 1);
        assert_eq!(tags.lines().unwrap(), "a:2\nb:1");
        assert_eq!(serde_json::from_str::<Tags>(r#"["b:1","a:2","b:1"]"#).unwrap(), tags);
        assert!(serde_json::from_str::<Tags>(r#"["b"]"#).is_err());
        assert!(tags.include(&Tags::of("a", 2)) && !tags.include(&Tags::of("a", 1).and("b", 1)));
    }

    /// UX-17: an item wants all of its tags and one of its names; a query any of its items.
    #[test]
    fn a_query_is_about_what_any_item_is_about() {
        let both = TagItem::tagged(Tags::of("a", 1).and("b", 1)).named(&["x", "y"]);
        let query = TagQuery::of([both]).or(Tags::of("c", 1));
        for (name, tags, is_about) in [
            ("x", Tags::of("a", 1).and("b", 1), true),
            ("y", Tags::of("a", 1).and("b", 1).and("d", 1), true),
            ("z", Tags::of("a", 1).and("b", 1), false),
            ("x", Tags::of("a", 1), false),
            ("z", Tags::of("c", 1), true),
            ("z", Tags::none(), false),
        ] {
            assert_eq!(query.is_about(name, &tags), is_about, "{name} {tags}");
        }
    }

    #[test]
    fn a_query_that_breaks_a_rule_says_which() {
        assert_eq!(TagQuery::default().check(), Err(QueryError::Empty));
        assert_eq!(TagQuery::tagged(Tags::none()).check(), Err(QueryError::NoTag));
        let many = TagQuery::of((0..65).map(|number| TagItem::tagged(Tags::of("a", number))));
        assert_eq!(many.check(), Err(QueryError::TooMany { what: "items", count: 65 }));
        assert!(matches!(TagQuery::tagged(Tags::of("a", "\0")).check(), Err(QueryError::Tag(_))));
        let named = TagItem::tagged(Tags::of("a", 1)).named(&["a\nb"]);
        assert_eq!(TagQuery::of([named]).check(), Err(QueryError::Name(NameError::Character('\n'))));
        assert_eq!(TagQuery::tagged(Tags::of("a", 1)).check(), Ok(()));
    }
}
