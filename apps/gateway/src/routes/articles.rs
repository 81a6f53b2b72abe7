//! Articles and their tags: publish, read, list.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Json, Path},
};
use contracts::{
    accounts::{GetUser, User},
    articles::{Article, Author, GetArticle, ListTags, Publish, PublishReply, Summary},
};

use crate::{
    auth::{CurrentUser, Viewer},
    body::Body,
    call::Call,
    error::ApiError,
    routes::page,
    shapes::{ArticleEnvelope, ArticleShape, ArticlesShape, NewArticle, TagsShape},
    social,
    token::TokenError,
};

/// `POST /api/articles`
pub(crate) async fn publish(
    me: CurrentUser,
    call: Call,
    body: Body<ArticleEnvelope<NewArticle>>,
) -> Result<HttpResponse, ApiError> {
    let author = call.ask(GetUser { user_id: me.id }).await?.ok_or(TokenError::Invalid)?;
    let NewArticle { title, description, body, tag_list } = body.0.article;
    let command = Publish { author_id: me.id, title, description, body, tags: tag_list.unwrap_or_default() };
    let reply = call.dispatch(command.clone(), Some(me.id)).await?;
    let article = published(command, reply, author);
    Ok(HttpResponse::Created().json(ArticleShape::whole(article, Some(me.id))))
}

/// `GET /api/articles/{slug}`
pub(crate) async fn get(
    viewer: Viewer,
    call: Call,
    slug: Path<String>,
) -> Result<Json<ArticleEnvelope<ArticleShape>>, ApiError> {
    let article = call.ask(GetArticle { slug: slug.into_inner() }).await?;
    let article = article.ok_or_else(|| ApiError::not_found("article"))?;
    Ok(Json(ArticleShape::whole(article, viewer.0)))
}

/// `GET /api/articles?tag&author&favorited&limit&offset`
pub(crate) async fn list(
    viewer: Viewer,
    call: Call,
    request: HttpRequest,
) -> Result<Json<ArticlesShape>, ApiError> {
    let wanted = page::parse(request.query_string())?;
    if wanted.favorited.is_some_and(|username| !social::has_favorites(&username)) {
        return Ok(Json(ArticlesShape { articles: Vec::new(), articles_count: 0 }));
    }
    let page = call.ask(wanted.query).await?;
    let articles = page.articles.into_iter().map(|summary| ArticleShape::listed(summary, viewer.0));
    Ok(Json(ArticlesShape { articles: articles.collect(), articles_count: page.total }))
}

/// `GET /api/tags`
pub(crate) async fn tags(call: Call) -> Result<Json<TagsShape>, ApiError> {
    let counted = call.ask(ListTags).await?;
    Ok(Json(TagsShape { tags: counted.into_iter().map(|counted| counted.tag).collect() }))
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
