//! From a slug to the discussion of its article.

use std::collections::BTreeSet;

use contracts::{
    Invalid,
    comments::{
        AddComment, AddCommentReply, COMMENTS_LISTED_MAX, Comment, DeleteComment, ListComments, Rejection,
    },
};
use umbel_core::Command;
use umbel_host::{AskError, DispatchError, Handling, ReadModels};

use super::{
    discussion::{Say, TakeBack},
    thread::CommentDocument,
};
use crate::{queries, rules};

pub(crate) async fn add(
    handling: Handling,
    command: AddComment,
) -> Result<AddCommentReply, DispatchError<Rejection>> {
    let AddComment { slug, author_id, body } = command;
    Invalid::check([("body", rules::comment(&body))])
        .map_err(|invalid| DispatchError::Rejected(invalid.into()))?;
    match queries::article_under(handling.models(), &slug).await? {
        Some(article) => handling.dispatch(Say { article_id: article.id, author_id, body }).await,
        None => said_before::<Say>(&handling).await,
    }
}

pub(crate) async fn delete(
    handling: Handling,
    command: DeleteComment,
) -> Result<(), DispatchError<Rejection>> {
    let DeleteComment { slug, number, editor_id } = command;
    match queries::article_under(handling.models(), &slug).await? {
        Some(article) => handling.dispatch(TakeBack { article_id: article.id, number, editor_id }).await,
        None => said_before::<TakeBack>(&handling).await,
    }
}

/// Comments and their authors are joined at the moment of asking, as articles and theirs are.
pub(crate) async fn list(models: ReadModels, query: ListComments) -> Result<Option<Vec<Comment>>, AskError> {
    let Some(article) = queries::article_under(&models, &query.slug).await? else { return Ok(None) };
    let newest = CommentDocument::of_article(article.id, COMMENTS_LISTED_MAX);
    let found = models.query::<CommentDocument>(newest).await?;
    let comments: Vec<_> = found.documents.into_iter().map(|(_, comment)| comment).collect();
    let ids: BTreeSet<_> = comments.iter().map(|comment| comment.author_id).collect();
    let authors = queries::authors(&models, ids).await?;
    let shown = |comment: CommentDocument| Comment {
        number: comment.number,
        author: queries::author_or_id(authors.get(&comment.author_id).cloned(), comment.author_id),
        body: comment.body,
        added_at: comment.added_at,
    };
    Ok(Some(comments.into_iter().map(shown).collect()))
}

/// What came before its article was moved or deleted is answered as it was.
async fn said_before<C: Command<Rejection = Rejection>>(
    handling: &Handling,
) -> Result<C::Reply, DispatchError<Rejection>> {
    handling.done_before::<C>().await?.ok_or(DispatchError::Rejected(Rejection::UnknownArticle))
}
