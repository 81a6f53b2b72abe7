//! The read model of articles, their authors and their tags.
//!
//! One projection and not one each: authors and articles move along the log together, so an article never shows
//! before its author or with an older name than another answer gave.

#[cfg(test)]
mod tests;

use contracts::{
    accounts::{BioChanged, ImageChanged, Registered, UsernameChanged, username_key},
    articles::{
        Author, Deleted, Edited, LIST_LIMIT_MAX, ListArticles, NumbersUsed, Published, Retagged, tag_key,
    },
};
use serde::{Deserialize, Serialize};
use umbel_core::{
    Changes, Document, Position, Projection, RecordedEvent, Timestamp,
    document::{Collection, Direction, DocumentQuery},
};
use uuid::Uuid;

use crate::rules::tidy_tags;

/// Keeps the documents of this module up to date.
pub(crate) struct ArticleList;

umbel_core::events! {
    /// What articles and their authors are made of.
    #[derive(Clone)]
    pub(crate) enum Listened {
        Registered(Registered),
        UsernameChanged(UsernameChanged),
        BioChanged(BioChanged),
        ImageChanged(ImageChanged),
        Published(Published),
        Edited(Edited),
        Deleted(Deleted),
    }
}

/// An article; its key is the article's id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "articles.articles")]
pub(crate) struct ArticleDocument {
    #[index]
    pub(crate) id: Uuid,
    #[index]
    pub(crate) author_id: Uuid,
    #[index]
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) body: String,
    #[index]
    pub(crate) tags: Vec<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// Of its publication in the log: what "newest first" goes by.
    #[index]
    pub(crate) position: Position,
}

/// An author; its key is the user's id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "articles.authors")]
pub(crate) struct AuthorDocument {
    pub(crate) author: Author,
    /// The name as it is compared.
    #[index]
    username_key: String,
}

/// A tag; its key is its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "articles.tags")]
pub(crate) struct TagDocument {
    /// How many articles have it.
    pub(crate) articles: u64,
    /// Of the last event that used it.
    #[index]
    last_used: Position,
}

/// The highest number given to slugs of one base; its key is the base.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "articles.slugs")]
pub(crate) struct SlugDocument {
    pub(crate) last_number: u64,
}

impl ArticleDocument {
    /// What is still known of an article that is not there any more.
    pub(crate) fn gone(id: Uuid, author_id: Uuid, published_at: Timestamp) -> Self {
        Self {
            id,
            author_id,
            slug: String::new(),
            title: String::new(),
            description: String::new(),
            body: String::new(),
            tags: Vec::new(),
            created_at: published_at,
            updated_at: published_at,
            position: Position::START,
        }
    }

    /// The query for the article under this slug.
    pub(crate) fn by_slug(slug: &str) -> DocumentQuery {
        DocumentQuery::of::<Self>().equal("slug", slug).page(0, 1)
    }

    /// The query for a page of articles, newest first. The author's name, if there is one, has led to an id.
    pub(crate) fn newest(wanted: &ListArticles, author_id: Option<Uuid>) -> DocumentQuery {
        let mut query = DocumentQuery::of::<Self>().order_by("position", Direction::Backward);
        // The first filter leads to the documents, the others only check them: those that leave the fewest come first.
        if let Some(ids) = &wanted.article_ids {
            query = query.one_of("id", ids);
        }
        if let Some(author_id) = author_id {
            query = query.equal("author_id", author_id);
        }
        if let Some(tag) = &wanted.tag {
            query = query.equal("tags", tag_key(tag));
        }
        if let Some(ids) = &wanted.author_ids {
            query = query.one_of("author_id", ids);
        }
        query.page(wanted.offset, wanted.limit.min(LIST_LIMIT_MAX))
    }
}

impl AuthorDocument {
    /// The query for the author of this name, however it is written: names are unique that way.
    pub(crate) fn by_username(username: &str) -> DocumentQuery {
        DocumentQuery::of::<Self>().equal("username_key", username_key(username)).page(0, 1)
    }

    fn of(author: Author) -> Self {
        Self { username_key: username_key(&author.username), author }
    }
}

impl TagDocument {
    /// The query for the tags used last. A tag used a moment ago is always among them.
    pub(crate) fn recent(limit: u32) -> DocumentQuery {
        DocumentQuery::of::<Self>().order_by("last_used", Direction::Backward).page(0, limit)
    }
}

impl Projection for ArticleList {
    const NAME: &'static str = "articles.list";
    // 2: articles are found by id, and change. 3: authors are found by their names as they are read.
    // 4: tags are in one form of Unicode, also those of events from before.
    const VERSION: u32 = 4;
    type Event = Listened;

    fn collections() -> Vec<Collection> {
        vec![
            Collection::of::<ArticleDocument>(),
            Collection::of::<AuthorDocument>(),
            Collection::of::<TagDocument>(),
            Collection::of::<SlugDocument>(),
        ]
    }

    fn project(event: Listened, recorded: &RecordedEvent, changes: &mut Changes) {
        match event {
            Listened::Registered(Registered { user_id: id, username, email: _ }) => {
                changes.put(id, AuthorDocument::of(Author { id, username, bio: None, image: None }));
            }
            Listened::UsernameChanged(event) => {
                change_author(changes, event.user_id, |author| author.username = event.username);
            }
            Listened::BioChanged(event) => {
                change_author(changes, event.user_id, |author| author.bio = event.bio);
            }
            Listened::ImageChanged(event) => {
                change_author(changes, event.user_id, |author| author.image = event.image);
            }
            Listened::Published(event) => publish(event, recorded.position, changes),
            Listened::Edited(event) => edit(event, recorded.position, changes),
            Listened::Deleted(event) => {
                forget_tags(tidy_tags(&event.tags), changes);
                changes.delete::<ArticleDocument>(event.article_id);
            }
        }
    }
}

fn publish(event: Published, position: Position, changes: &mut Changes) {
    note_numbers(event.numbers_used, changes);
    let tags = tidy_tags(&event.tags);
    use_tags(tags.clone(), position, changes);
    let article = ArticleDocument {
        id: event.article_id,
        author_id: event.author_id,
        slug: event.slug,
        title: event.title,
        description: event.description,
        body: event.body,
        tags,
        created_at: event.published_at,
        updated_at: event.published_at,
        position,
    };
    changes.put(event.article_id, article);
}

fn edit(event: Edited, position: Position, changes: &mut Changes) {
    note_numbers(event.numbers_used, changes);
    let tags = event.tags.map(|Retagged { tags, added, removed }| {
        // A tag of before may have been put in place of the same one in another form.
        let [tags, mut added, mut removed] = [tags, added, removed].map(|tags| tidy_tags(&tags));
        added.retain(|tag| !removed.contains(tag));
        removed.retain(|tag| !tags.contains(tag));
        use_tags(added, position, changes);
        forget_tags(removed, changes);
        tags
    });
    changes.update(event.article_id, move |article: &mut ArticleDocument| {
        let set = |field: &mut String, new: Option<String>| {
            if let Some(new) = new {
                *field = new;
            }
        };
        set(&mut article.title, event.title);
        set(&mut article.slug, event.slug);
        set(&mut article.description, event.description);
        set(&mut article.body, event.body);
        if let Some(tags) = tags {
            article.tags = tags;
        }
        article.updated_at = event.edited_at;
    });
}

fn note_numbers(used: Option<NumbersUsed>, changes: &mut Changes) {
    let Some(NumbersUsed { base, up_to }) = used else { return };
    changes.modify(base, move |slugs: Option<SlugDocument>| {
        let last_number = slugs.map_or(0, |slugs| slugs.last_number).max(up_to);
        Some(SlugDocument { last_number })
    });
}

fn use_tags(tags: Vec<String>, position: Position, changes: &mut Changes) {
    for tag in tags {
        changes.modify(tag, move |known: Option<TagDocument>| {
            let articles = known.map_or(0, |known| known.articles) + 1;
            Some(TagDocument { articles, last_used: position })
        });
    }
}

/// A tag that no article has any more is none.
fn forget_tags(tags: Vec<String>, changes: &mut Changes) {
    for tag in tags {
        changes.modify(tag, |known: Option<TagDocument>| {
            let known =
                known.map(|known| TagDocument { articles: known.articles.saturating_sub(1), ..known });
            known.filter(|known| known.articles > 0)
        });
    }
}

fn change_author(changes: &mut Changes, id: Uuid, change: impl FnOnce(&mut Author) + Send + 'static) {
    changes.update(id, |document: &mut AuthorDocument| {
        change(&mut document.author);
        *document = AuthorDocument::of(document.author.clone());
    });
}
