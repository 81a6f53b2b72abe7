//! Answers from the read model. Articles and authors are joined here, at the moment of asking, so that a changed
//! name shows on every article at once.

use std::collections::{BTreeMap, BTreeSet};

use contracts::articles::{
    Article, ArticlePage, Author, GetArticle, LIST_LIMIT_MAX, ListArticles, ListTags, Summary,
    TAGS_LISTED_MAX, TagCount,
};
use umbel_host::{AskError, ReadModels};
use uuid::Uuid;

use crate::list::{ArticleDocument, AuthorDocument, TagDocument};

pub(crate) async fn get_article(models: ReadModels, query: GetArticle) -> Result<Option<Article>, AskError> {
    let found = models.query::<ArticleDocument>(ArticleDocument::by_slug(&query.slug)).await?;
    let Some((_, article)) = found.documents.into_iter().next() else { return Ok(None) };
    let author = models.get::<AuthorDocument>(article.author_id).await?;
    let (summary, body) = joined(article, author.map(|known| known.author));
    Ok(Some(Article { summary, body }))
}

pub(crate) async fn list_articles(models: ReadModels, query: ListArticles) -> Result<ArticlePage, AskError> {
    let ListArticles { tag, author, limit, offset } = query;
    let author_id = match author {
        None => None,
        Some(username) => match author_named(&models, &username).await? {
            Some(author) => Some(author.id),
            None => return Ok(ArticlePage::default()),
        },
    };
    let page = ArticleDocument::newest(tag.as_deref(), author_id, offset, limit.min(LIST_LIMIT_MAX));
    let found = models.query::<ArticleDocument>(page).await?;
    let articles: Vec<_> = found.documents.into_iter().map(|(_, article)| article).collect();
    let authors = authors_of(&models, &articles).await?;
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

/// Each author of a page once, in one request.
async fn authors_of(
    models: &ReadModels,
    articles: &[ArticleDocument],
) -> Result<BTreeMap<Uuid, Author>, AskError> {
    let ids: BTreeSet<_> = articles.iter().map(|article| article.author_id).collect();
    let known = models.get_many::<AuthorDocument>(ids).await?;
    Ok(known.into_iter().flatten().map(|known| (known.author.id, known.author)).collect())
}

/// The article with its author, and its text apart. An author that no registration tells of is shown by id: one
/// odd article must not take the list away from everybody.
fn joined(article: ArticleDocument, author: Option<Author>) -> (Summary, String) {
    let id = article.author_id;
    let author = author.unwrap_or_else(|| Author { id, username: id.to_string(), bio: None, image: None });
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
