//! Answers from the read model. Articles and authors are joined here, at the moment of asking, so that a changed
//! name shows on every article at once.

use std::collections::{BTreeMap, BTreeSet};

use contracts::articles::{
    Article, ArticlePage, Author, GetArticle, ListArticles, ListTags, Summary, TAGS_LISTED_MAX, TagCount,
};
use umbel_host::{AskError, ReadModels};
use uuid::Uuid;

use crate::list::{ArticleDocument, AuthorDocument, TagDocument};

pub(crate) async fn get_article(models: ReadModels, query: GetArticle) -> Result<Option<Article>, AskError> {
    match article_under(&models, &query.slug).await? {
        Some(article) => with_author(&models, article).await.map(Some),
        None => Ok(None),
    }
}

pub(crate) async fn list_articles(models: ReadModels, query: ListArticles) -> Result<ArticlePage, AskError> {
    let nothing = |ids: &Option<Vec<Uuid>>| ids.as_ref().is_some_and(Vec::is_empty);
    if nothing(&query.author_ids) || nothing(&query.article_ids) {
        return Ok(ArticlePage::default());
    }
    let author_id = match &query.author {
        None => None,
        Some(username) => match author_named(&models, username).await? {
            Some(author) => Some(author.id),
            None => return Ok(ArticlePage::default()),
        },
    };
    let found = models.query::<ArticleDocument>(ArticleDocument::newest(&query, author_id)).await?;
    let articles: Vec<_> = found.documents.into_iter().map(|(_, article)| article).collect();
    let ids: BTreeSet<_> = articles.iter().map(|article| article.author_id).collect();
    let authors = authors(&models, ids).await?;
    let summary = |article: ArticleDocument| {
        let author = authors.get(&article.author_id).cloned();
        joined(article, author).0
    };
    Ok(ArticlePage { articles: articles.into_iter().map(summary).collect(), total: found.total })
}

pub(crate) async fn list_tags(models: ReadModels, _: ListTags) -> Result<Vec<TagCount>, AskError> {
    let found = models.query::<TagDocument>(TagDocument::recent(TAGS_LISTED_MAX)).await?;
    let count = |(tag, known): (String, TagDocument)| TagCount { tag, articles: known.articles };
    Ok(most_used_first(found.documents.into_iter().map(count).collect()))
}

async fn author_named(models: &ReadModels, username: &str) -> Result<Option<Author>, AskError> {
    let found = models.query::<AuthorDocument>(AuthorDocument::by_username(username)).await?;
    Ok(found.documents.into_iter().next().map(|(_, known)| known.author))
}

/// The article under this slug.
pub(crate) async fn article_under(
    models: &ReadModels,
    slug: &str,
) -> Result<Option<ArticleDocument>, AskError> {
    let found = models.query::<ArticleDocument>(ArticleDocument::by_slug(slug)).await?;
    Ok(found.documents.into_iter().next().map(|(_, article)| article))
}

/// The article as it is shown.
pub(crate) async fn with_author(models: &ReadModels, article: ArticleDocument) -> Result<Article, AskError> {
    let author = models.get::<AuthorDocument>(article.author_id).await?;
    let (summary, body) = joined(article, author.map(|known| known.author));
    Ok(Article { summary, body })
}

/// All authors of a page in one request.
pub(crate) async fn authors(
    models: &ReadModels,
    ids: BTreeSet<Uuid>,
) -> Result<BTreeMap<Uuid, Author>, AskError> {
    let known = models.get_many::<AuthorDocument>(ids).await?;
    Ok(known.into_iter().flatten().map(|known| (known.author.id, known.author)).collect())
}

/// An author that no registration tells of is shown by id: one odd article must not take the list away from everybody.
pub(crate) fn author_or_id(author: Option<Author>, id: Uuid) -> Author {
    author.unwrap_or_else(|| Author { id, username: id.to_string(), bio: None, image: None })
}

/// The article with its author, and its text apart.
fn joined(article: ArticleDocument, author: Option<Author>) -> (Summary, String) {
    let author = author_or_id(author, article.author_id);
    let summary = Summary {
        id: article.id,
        slug: article.slug,
        title: article.title,
        description: article.description,
        tags: article.tags,
        created_at: article.created_at,
        updated_at: article.updated_at,
        author,
    };
    (summary, article.body)
}

/// Equally used ones by name.
fn most_used_first(mut tags: Vec<TagCount>) -> Vec<TagCount> {
    tags.sort_by(|a, b| b.articles.cmp(&a.articles).then_with(|| a.tag.cmp(&b.tag)));
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_by_use_then_by_name() {
        let tag = |tag: &str, articles| TagCount { tag: tag.into(), articles };
        let sorted = most_used_first(vec![tag("b", 1), tag("c", 2), tag("a", 1)]);
        let names: Vec<_> = sorted.iter().map(|tag| tag.tag.as_str()).collect();
        assert_eq!(names, ["c", "a", "b"]);
    }
}
