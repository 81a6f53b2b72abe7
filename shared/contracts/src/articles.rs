//! The words of the articles app: what was published, by whom, under which tags.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use umbel_core::{Command, Event, Query, Timestamp};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use crate::Invalid;

/// The longest page [`ListArticles`] answers; a larger limit means this one. Large enough for every client there
/// is, small enough that one answer stays well below a megabyte.
pub const LIST_LIMIT_MAX: u32 = 100;

/// Length of a page when the client does not say.
pub const LIST_LIMIT_DEFAULT: u32 = 20;

/// How many tags [`ListTags`] answers at most: those used most recently.
pub const TAGS_LISTED_MAX: u32 = 1000;

/// The form in which tags are kept, counted and looked for: without white space around them, and [`composed`]. Tags that differ in
/// nothing else are one. Their case counts.
///
/// A change of it asks for projections that keep the form to be built anew.
#[must_use]
pub fn tag_key(tag: &str) -> String {
    composed(tag.trim())
}

/// A text in one (NFC) of the ways in which Unicode writes letters with accents, whatever the keyboard sends: no reader can tell them apart.
#[must_use]
pub fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// Who wrote an article, as the articles app knows them from the accounts app's events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The user's id.
    pub id: Uuid,
    /// The name at the moment of asking.
    pub username: String,
    /// What they tell about themselves.
    pub bio: Option<String>,
    /// Where a picture of them is.
    pub image: Option<String>,
}

/// An article without its text, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The article's id, for ever.
    pub id: Uuid,
    /// Its place in URLs; unique.
    pub slug: String,
    /// Its title; not unique.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// Its tags, sorted by name.
    pub tags: Vec<String>,
    /// When it was published.
    pub created_at: Timestamp,
    /// When it was changed last; when it was published, if never.
    pub updated_at: Timestamp,
    /// Who wrote it.
    pub author: Author,
}

/// An article with its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Article {
    /// All but the text.
    #[serde(flatten)]
    pub summary: Summary,
    /// The text, in Markdown.
    pub body: String,
}

/// Publishes an article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Command)]
#[command(name = "articles.publish", reply = PublishReply, rejection = Rejection)]
pub struct Publish {
    /// Who writes it.
    pub author_id: Uuid,
    /// Its title; equal titles are legal and get different slugs.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// The text, in Markdown.
    pub body: String,
    /// Its tags, in any order; blank and repeated ones are dropped.
    pub tags: Vec<String>,
}

/// What the author learns: what they did not know already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishReply {
    /// The article's id, for ever.
    pub article_id: Uuid,
    /// Its place in URLs.
    pub slug: String,
    /// Its tags as they were kept: without blanks and repetitions, sorted by name.
    pub tags: Vec<String>,
    /// When it was published.
    pub published_at: Timestamp,
}

/// Changes an article. What is `None` stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Command)]
#[command(name = "articles.edit", reply = Article, rejection = Rejection)]
pub struct Edit {
    /// Its place in URLs until now.
    pub slug: String,
    /// Who wants it: only the author may.
    pub editor_id: Uuid,
    /// A new title; not blank. The slug follows it.
    pub title: Option<String>,
    /// What it is about now; not blank.
    pub description: Option<String>,
    /// A new text; not blank.
    pub body: Option<String>,
    /// All its tags from now on; an empty list takes them away.
    pub tags: Option<Vec<String>>,
}

/// Takes an article away, with all that was said about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Command)]
#[command(name = "articles.delete", rejection = Rejection)]
pub struct Delete {
    /// Its place in URLs.
    pub slug: String,
    /// Who wants it: only the author may.
    pub editor_id: Uuid,
}

/// Why an article cannot be published, changed or deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// Some fields are not as they must be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Every slug that was tried went to another article in the same moment. The next attempt tries others.
    #[error("slug has already been taken")]
    SlugTaken,
    /// There is no such article.
    #[error("there is no such article")]
    UnknownArticle,
    /// It is another's article.
    #[error("only its author may do that")]
    NotTheAuthor,
}

/// Asks for one article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Query)]
#[query(name = "articles.get_article", answer = Option<Article>)]
pub struct GetArticle {
    /// Its place in URLs.
    pub slug: String,
}

/// Asks for a page of articles, newest first. All conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Query)]
#[query(name = "articles.list_articles", answer = ArticlePage)]
pub struct ListArticles {
    /// Only those with this tag, however Unicode writes its letters; see [`tag_key`].
    pub tag: Option<String>,
    /// Only those by the author of this name.
    pub author: Option<String>,
    /// Only those by one of these authors, however many. Each costs a look at an index.
    pub author_ids: Option<Vec<Uuid>>,
    /// Only those among these, however many. Each costs a look at an index.
    pub article_ids: Option<Vec<Uuid>>,
    /// How many at most; see [`LIST_LIMIT_MAX`].
    pub limit: u32,
    /// How many of the newest to skip.
    pub offset: u64,
}

/// The answer to [`ListArticles`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArticlePage {
    /// Newest first.
    pub articles: Vec<Summary>,
    /// How many articles meet the conditions, whatever the page.
    pub total: u64,
}

/// Asks which tags there are. Answers at most [`TAGS_LISTED_MAX`], the most used first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Query)]
#[query(name = "articles.list_tags", answer = Vec<TagCount>)]
pub struct ListTags;

/// A tag and how much it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagCount {
    /// Its name.
    pub tag: String,
    /// How many articles have it.
    pub articles: u64,
}

/// An article was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "articles.published")]
pub struct Published {
    /// The article's id, for ever.
    pub article_id: Uuid,
    /// Who wrote it.
    pub author_id: Uuid,
    /// Its place in URLs.
    pub slug: String,
    /// Which numbers were tried to make the slug unique, if what the title made of it was not. The slug does not tell:
    /// a title may end in a number itself.
    pub numbers_used: Option<NumbersUsed>,
    /// Its title.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// The text, in Markdown.
    pub body: String,
    /// Its tags, each once, sorted by name.
    pub tags: Vec<String>,
    /// When the author did it.
    pub published_at: Timestamp,
}

/// How far the numbers behind a slug are used up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumbersUsed {
    /// The slug without a number.
    pub base: String,
    /// The highest number tried, from 2 on. Numbers up to it are taken.
    pub up_to: u64,
}

/// The author changed an article. What is `None` is as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "articles.edited")]
pub struct Edited {
    /// Which article.
    pub article_id: Uuid,
    /// The new title.
    pub title: Option<String>,
    /// The new place in URLs. The one before it is free from now on.
    pub slug: Option<String>,
    /// As in [`Published::numbers_used`].
    pub numbers_used: Option<NumbersUsed>,
    /// What it is about now.
    pub description: Option<String>,
    /// The new text, in Markdown.
    pub body: Option<String>,
    /// The new tags.
    pub tags: Option<Retagged>,
    /// When the author did it: later than all that happened to the article before, in milliseconds.
    pub edited_at: Timestamp,
}

/// Which tags an article has now, and what that changes: who counts tags knows no article's old ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retagged {
    /// All of them, each once, sorted by name.
    pub tags: Vec<String>,
    /// Those it did not have before.
    pub added: Vec<String>,
    /// Those it has no more.
    pub removed: Vec<String>,
}

/// The author took an article away. Its slug is free from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "articles.deleted")]
pub struct Deleted {
    /// Which article.
    pub article_id: Uuid,
    /// The tags it had at the end.
    pub tags: Vec<String>,
    /// When the author did it.
    pub deleted_at: Timestamp,
}
