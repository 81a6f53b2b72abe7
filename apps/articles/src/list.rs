//! The read model of articles, their authors and their tags.
//!
//! One projection and not one each: authors and articles move along the log together, so an article never shows
//! before its author or with an older name than another answer gave.

use contracts::{
    accounts::{BioChanged, ImageChanged, Registered, UsernameChanged, username_key},
    articles::{Author, NumbersUsed, Published},
};
use serde::{Deserialize, Serialize};
use umbel_core::{
    Changes, Document, Position, Projection, RecordedEvent, Timestamp,
    document::{Collection, Direction, DocumentQuery},
};
use uuid::Uuid;

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
    }
}

/// An article; its key is the article's id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ArticleDocument {
    pub(crate) id: Uuid,
    pub(crate) author_id: Uuid,
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) body: String,
    pub(crate) tags: Vec<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// Of its publication in the log: what "newest first" goes by.
    pub(crate) position: Position,
}

/// An author; its key is the user's id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AuthorDocument {
    pub(crate) author: Author,
    /// The name as it is compared.
    username_key: String,
}

/// A tag; its key is its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TagDocument {
    /// How many articles have it.
    pub(crate) articles: u64,
    /// Of the last event that used it.
    last_used: Position,
}

/// The highest number given to slugs of one base; its key is the base.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SlugDocument {
    pub(crate) last_number: u64,
}

impl Document for ArticleDocument {
    const COLLECTION: &'static str = "articles.articles";
    const INDEXES: &'static [&'static str] = &["author_id", "position", "slug", "tags"];
}

impl Document for AuthorDocument {
    const COLLECTION: &'static str = "articles.authors";
    const INDEXES: &'static [&'static str] = &["username_key"];
}

impl Document for TagDocument {
    const COLLECTION: &'static str = "articles.tags";
    const INDEXES: &'static [&'static str] = &["last_used"];
}

impl Document for SlugDocument {
    const COLLECTION: &'static str = "articles.slugs";
}

impl ArticleDocument {
    /// The query for the article under this slug.
    pub(crate) fn by_slug(slug: &str) -> DocumentQuery {
        DocumentQuery::of::<Self>().equal("slug", slug).page(0, 1)
    }

    /// The query for a page of articles, newest first. Both conditions must hold, where given.
    pub(crate) fn newest(tag: Option<&str>, author: Option<Uuid>, offset: u64, limit: u32) -> DocumentQuery {
        let mut query = DocumentQuery::of::<Self>().order_by("position", Direction::Backward);
        if let Some(tag) = tag {
            query = query.equal("tags", tag);
        }
        if let Some(author) = author {
            query = query.equal("author_id", author);
        }
        query.page(offset, limit)
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
        }
    }
}

fn publish(event: Published, position: Position, changes: &mut Changes) {
    if let Some(NumbersUsed { base, up_to }) = event.numbers_used {
        changes.modify(base, move |slugs: Option<SlugDocument>| {
            let last_number = slugs.map_or(0, |slugs| slugs.last_number).max(up_to);
            Some(SlugDocument { last_number })
        });
    }
    for tag in &event.tags {
        changes.modify(tag, move |known: Option<TagDocument>| {
            let articles = known.map_or(0, |known| known.articles) + 1;
            Some(TagDocument { articles, last_used: position })
        });
    }
    let article = ArticleDocument {
        id: event.article_id,
        author_id: event.author_id,
        slug: event.slug,
        title: event.title,
        description: event.description,
        body: event.body,
        tags: event.tags,
        created_at: event.published_at,
        updated_at: event.published_at,
        position,
    };
    changes.put(event.article_id, article);
}

fn change_author(changes: &mut Changes, id: Uuid, change: impl FnOnce(&mut Author) + Send + 'static) {
    changes.update(id, |document: &mut AuthorDocument| {
        change(&mut document.author);
        *document = AuthorDocument::of(document.author.clone());
    });
}

#[cfg(test)]
mod tests {
    use umbel_testkit::{aggregate::NOW, projection::ReadModel};

    use super::*;

    const JAKE: Uuid = Uuid::from_u128(7);
    const ACCOUNT: &str = "account-7";

    fn registered() -> ReadModel<ArticleList> {
        let event = Registered { user_id: JAKE, username: "Jake".into(), email: "jake@example.com".into() };
        ReadModel::new().after(ACCOUNT, event)
    }

    fn published(n: u128, slug: &str, tags: &[&str]) -> Published {
        Published {
            article_id: Uuid::from_u128(n),
            author_id: JAKE,
            slug: slug.into(),
            numbers_used: None,
            title: "Dragons".into(),
            description: "How?".into(),
            body: "Believe.".into(),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            published_at: NOW,
        }
    }

    /// CD-01: with a registration an author exists.
    #[test]
    fn an_author_comes_with_the_registration_and_follows_the_profile() {
        let model = registered()
            .after(ACCOUNT, UsernameChanged { user_id: JAKE, username: "Jacob".into() })
            .after(ACCOUNT, BioChanged { user_id: JAKE, bio: Some("Works.".into()) })
            .after(ACCOUNT, ImageChanged { user_id: JAKE, image: Some("i.png".into()) });
        let known: AuthorDocument = model.document(&JAKE.to_string()).unwrap();
        assert_eq!(known.username_key, "jacob");
        let (bio, image) = (Some("Works.".into()), Some("i.png".into()));
        assert_eq!(known.author, Author { id: JAKE, username: "Jacob".into(), bio, image });
    }

    #[test]
    fn an_article_keeps_its_place_in_the_log() {
        let model = registered().after("article-1", published(1, "dragons", &["dragons"]));
        let article: ArticleDocument = model.document(&Uuid::from_u128(1).to_string()).unwrap();
        assert_eq!((article.position, article.slug.as_str()), (Position::new(2), "dragons"));
        assert_eq!((article.created_at, article.updated_at), (NOW, NOW));
    }

    #[test]
    fn tags_are_counted() {
        let model = registered()
            .after("article-1", published(1, "a", &["dragons", "training"]))
            .after("article-2", published(2, "b", &["dragons"]));
        let tags: Vec<_> = model.documents::<TagDocument>();
        let counted: Vec<_> = tags.iter().map(|(tag, known)| (tag.as_str(), known.articles)).collect();
        assert_eq!(counted, [("dragons", 2), ("training", 1)]);
        assert_eq!(tags[0].1.last_used, Position::new(3));
    }

    fn numbered(n: u128, base: &str, number: u64) -> Published {
        let numbers_used = Some(NumbersUsed { base: base.into(), up_to: number });
        Published { numbers_used, ..published(n, &format!("{base}-{number}"), &[]) }
    }

    /// CD-05: the read model knows which number comes next, whatever the order.
    #[test]
    fn the_highest_number_of_a_slug_is_known() {
        let model = registered()
            .after("article-1", published(1, "dragons", &[]))
            .after("article-2", numbered(2, "dragons", 3))
            .after("article-3", numbered(3, "dragons", 2));
        assert_eq!(model.documents::<SlugDocument>(), [("dragons".into(), SlugDocument { last_number: 3 })]);
    }

    /// CD-05: whoever writes a number into a title does not say how others' slugs go on.
    #[test]
    fn a_number_in_a_title_counts_nothing() {
        let model = registered()
            .after("article-1", published(1, "foo-18446744073709551615", &[]))
            .after("article-2", published(2, "catch-22", &[]));
        assert_eq!(model.documents::<SlugDocument>(), []);
        let model = model.after("article-3", numbered(3, "catch-22", 2));
        assert_eq!(model.documents::<SlugDocument>(), [("catch-22".into(), SlugDocument { last_number: 2 })]);
    }

    #[test]
    fn queries_use_declared_indexes() {
        let newest = ArticleDocument::newest(Some("dragons"), Some(JAKE), 0, 20);
        assert_eq!(newest.check::<ArticleDocument>(), Ok(()));
        assert_eq!(ArticleDocument::by_slug("dragons").check::<ArticleDocument>(), Ok(()));
        assert_eq!(AuthorDocument::by_username("JAKE").check::<AuthorDocument>(), Ok(()));
        assert_eq!(TagDocument::recent(1).check::<TagDocument>(), Ok(()));
    }
}
