//! Articles and their tags: publish, read, change, delete, list.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Json, Path},
};
use contracts::{
    accounts::{GetProfile, User},
    articles::{
        Article, ArticlePage, Author, Delete, Edit, GetArticle, ListTags, Publish, PublishReply, Summary,
    },
    social::{Favorite, ListFavorites, ListFollowed, Unfavorite},
};
use tokio::try_join;
use uuid::Uuid;

use crate::{
    auth::{CurrentUser, Viewer},
    body::Body,
    call::Call,
    error::ApiError,
    routes::page::{self, Wanted},
    shapes::{ArticleEnvelope, ArticleShape, ArticlesShape, ChangedArticle, NewArticle, TagsShape},
    social::Social,
};

type Answer = Result<Json<ArticleEnvelope<ArticleShape>>, ApiError>;

/// `POST /api/articles`
pub(crate) async fn publish(
    me: CurrentUser,
    call: Call,
    body: Body<ArticleEnvelope<NewArticle>>,
) -> Result<HttpResponse, ApiError> {
    // Nobody can like an article that is not there yet, but one may follow oneself.
    let (author, social) = try_join!(call.user(me.id), Social::of(&call, Some(me.id), [me.id], []))?;
    let NewArticle { title, description, body, tag_list } = body.0.article;
    let command = Publish { author_id: me.id, title, description, body, tags: tag_list.unwrap_or_default() };
    let reply = call.dispatch(command.clone(), Some(me.id)).await?;
    let article = published(command, reply, author);
    Ok(HttpResponse::Created().json(ArticleShape::whole(article, &social)))
}

/// `GET /api/articles/{slug}`
pub(crate) async fn get(viewer: Viewer, call: Call, slug: Path<String>) -> Answer {
    let article = article_under(&call, slug.into_inner()).await?;
    shown(&call, viewer.0, article).await
}

/// `PUT /api/articles/{slug}`
pub(crate) async fn edit(
    me: CurrentUser,
    call: Call,
    slug: Path<String>,
    body: Body<ArticleEnvelope<ChangedArticle>>,
) -> Answer {
    let ChangedArticle { title, description, body, tag_list } = body.0.article;
    let tags = match tag_list {
        None => None,
        Some(None) => return Err(ApiError::unprocessable("tagList", "must be a list")),
        Some(tags) => tags,
    };
    let command = Edit { slug: slug.into_inner(), editor_id: me.id, title, description, body, tags };
    let article = call.dispatch(command, Some(me.id)).await?;
    shown(&call, Some(me.id), article).await
}

/// `DELETE /api/articles/{slug}`
pub(crate) async fn delete(
    me: CurrentUser,
    call: Call,
    slug: Path<String>,
) -> Result<HttpResponse, ApiError> {
    call.dispatch(Delete { slug: slug.into_inner(), editor_id: me.id }, Some(me.id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /api/articles/{slug}/favorite`
pub(crate) async fn favorite(me: CurrentUser, call: Call, slug: Path<String>) -> Answer {
    let (_, article) = try_join!(call.user(me.id), article_under(&call, slug.into_inner()))?;
    let command = Favorite { user_id: me.id, article_id: article.summary.id };
    call.dispatch(command, Some(me.id)).await?;
    shown(&call, Some(me.id), article).await
}

/// `DELETE /api/articles/{slug}/favorite`
pub(crate) async fn unfavorite(me: CurrentUser, call: Call, slug: Path<String>) -> Answer {
    let (_, article) = try_join!(call.user(me.id), article_under(&call, slug.into_inner()))?;
    let command = Unfavorite { user_id: me.id, article_id: article.summary.id };
    call.dispatch(command, Some(me.id)).await?;
    shown(&call, Some(me.id), article).await
}

/// `GET /api/articles?tag&author&favorited&limit&offset`
pub(crate) async fn list(
    viewer: Viewer,
    call: Call,
    request: HttpRequest,
) -> Result<Json<ArticlesShape>, ApiError> {
    let Wanted { mut query, favorited } = page::parse(request.query_string())?;
    if let Some(username) = favorited {
        query.article_ids = Some(match call.ask(GetProfile { username }).await? {
            Some(profile) => call.ask(ListFavorites { user_id: profile.id }).await?,
            None => Vec::new(),
        });
    }
    let page = call.ask(query).await?;
    listed(&call, viewer.0, page).await
}

/// `GET /api/articles/feed?limit&offset`
pub(crate) async fn feed(
    me: CurrentUser,
    call: Call,
    request: HttpRequest,
) -> Result<Json<ArticlesShape>, ApiError> {
    let mut query = page::parse_page(request.query_string())?;
    query.author_ids = Some(call.ask(ListFollowed { follower_id: me.id }).await?);
    let page = call.ask(query).await?;
    listed(&call, Some(me.id), page).await
}

/// `GET /api/tags`
pub(crate) async fn tags(call: Call) -> Result<Json<TagsShape>, ApiError> {
    let counted = call.ask(ListTags).await?;
    Ok(Json(TagsShape { tags: counted.into_iter().map(|counted| counted.tag).collect() }))
}

async fn article_under(call: &Call, slug: String) -> Result<Article, ApiError> {
    call.ask(GetArticle { slug }).await?.ok_or_else(|| ApiError::not_found("article"))
}

async fn shown(call: &Call, viewer: Option<Uuid>, article: Article) -> Answer {
    let Summary { id, author, .. } = &article.summary;
    let social = Social::of(call, viewer, [author.id], [*id]).await?;
    Ok(Json(ArticleShape::whole(article, &social)))
}

async fn listed(
    call: &Call,
    viewer: Option<Uuid>,
    page: ArticlePage,
) -> Result<Json<ArticlesShape>, ApiError> {
    let authors = page.articles.iter().map(|summary| summary.author.id);
    let articles = page.articles.iter().map(|summary| summary.id);
    let social = Social::of(call, viewer, authors, articles).await?;
    let articles = page.articles.into_iter().map(|summary| ArticleShape::listed(summary, &social));
    Ok(Json(ArticlesShape { articles: articles.collect(), articles_count: page.total }))
}

/// The article as the next request will see it, made from what was sent and what was answered: asking for it
/// would only take time, and fail if it is stored but not visible yet.
fn published(sent: Publish, reply: PublishReply, author: User) -> Article {
    let User { id, username, email: _, bio, image } = author;
    let summary = Summary {
        id: reply.article_id,
        slug: reply.slug,
        title: sent.title,
        description: sent.description,
        tags: reply.tags,
        created_at: reply.published_at,
        updated_at: reply.published_at,
        author: Author { id, username, bio, image },
    };
    Article { summary, body: sent.body }
}
