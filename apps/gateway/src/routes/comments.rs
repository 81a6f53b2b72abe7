//! Comments: add one, list all of an article, take one's own back.

use actix_web::{
    HttpResponse,
    web::{Json, Path},
};
use contracts::{
    accounts::User,
    articles::{Author, GetArticle},
    comments::{AddComment, Comment, DeleteComment, ListComments},
};
use tokio::try_join;

use crate::{
    auth::{CurrentUser, Viewer},
    body::Body,
    call::Call,
    error::ApiError,
    shapes::{CommentEnvelope, CommentShape, CommentsShape, NewComment},
    social::Social,
};

/// `POST /api/articles/{slug}/comments`
pub(crate) async fn add(
    me: CurrentUser,
    call: Call,
    slug: Path<String>,
    body: Body<CommentEnvelope<NewComment>>,
) -> Result<HttpResponse, ApiError> {
    let (author, social) = try_join!(call.user(me.id), Social::of(&call, Some(me.id), [me.id], []))?;
    let body = body.0.comment.body;
    let command = AddComment { slug: slug.into_inner(), author_id: me.id, body: body.clone() };
    let reply = call.dispatch(command, Some(me.id)).await?;
    let User { id, username, email: _, bio, image } = author;
    let author = Author { id, username, bio, image };
    let comment = Comment { number: reply.number, body, added_at: reply.added_at, author };
    let comment = CommentShape::new(comment, &social);
    Ok(HttpResponse::Created().json(CommentEnvelope { comment }))
}

/// `GET /api/articles/{slug}/comments`
pub(crate) async fn list(
    viewer: Viewer,
    call: Call,
    slug: Path<String>,
) -> Result<Json<CommentsShape>, ApiError> {
    let comments = call.ask(ListComments { slug: slug.into_inner() }).await?;
    let comments = comments.ok_or_else(|| ApiError::not_found("article"))?;
    let authors = comments.iter().map(|comment| comment.author.id);
    let social = Social::of(&call, viewer.0, authors, []).await?;
    let comments = comments.into_iter().map(|comment| CommentShape::new(comment, &social));
    Ok(Json(CommentsShape { comments: comments.collect() }))
}

/// `DELETE /api/articles/{slug}/comments/{id}`
pub(crate) async fn delete(
    me: CurrentUser,
    call: Call,
    path: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (slug, id) = path.into_inner();
    let Ok(number) = id.parse() else {
        // What is no number is no comment's id; whether there is the article comes first here, too.
        let article = call.ask(GetArticle { slug }).await?;
        return Err(ApiError::not_found(if article.is_some() { "comment" } else { "article" }));
    };
    call.dispatch(DeleteComment { slug, number, editor_id: me.id }, Some(me.id)).await?;
    Ok(HttpResponse::NoContent().finish())
}
