//! Commands on articles that need more than one aggregate knows: which slugs are free, which article a slug leads to.

use contracts::articles::{Article, Delete, Edit, Publish, PublishReply, Rejection};
use umbel_core::Command;
use umbel_host::{AskError, DispatchError, Handling, ReadModels};
use uuid::Uuid;

use crate::{
    article::{EditAs, EditReply, Identity, PublishAs, Remove},
    list::{ArticleDocument, SlugDocument},
    queries, rules,
    slug::{self, Candidate},
};

pub(crate) async fn publish(
    handling: Handling,
    article: Publish,
) -> Result<PublishReply, DispatchError<Rejection>> {
    rules::check(&article).map_err(|invalid| DispatchError::Rejected(invalid.into()))?;
    let base = slug::slugify(&article.title);
    let article_id = handling.fresh_id();
    under_free_slug(&handling, &base, article_id, |Candidate { slug, numbers_used }| PublishAs {
        article_id,
        slug,
        numbers_used,
        article: article.clone(),
    })
    .await
}

/// Changes what is asked for, and finds a slug for a title that wants another one. Titles that differ in case or signs
/// only want the same, and links to the article stay good.
pub(crate) async fn edit(handling: Handling, edit: Edit) -> Result<Article, DispatchError<Rejection>> {
    rules::check_edit(&edit).map_err(|invalid| DispatchError::Rejected(invalid.into()))?;
    let found = queries::article_under(handling.models(), &edit.slug).await?;
    let reply = match &found {
        Some(article) => edit_found(&handling, &edit, article).await?,
        // It may be why there is none.
        None => handling.done_before::<EditAs>().await?.ok_or_else(unknown)?,
    };
    let article = edited(handling.models(), found, &edit, reply.of).await?;
    // What the read model shows once it has followed: to wait for it here would make an edit that is stored fail.
    let article = ArticleDocument {
        title: edit.title.unwrap_or(article.title),
        description: edit.description.unwrap_or(article.description),
        body: edit.body.unwrap_or(article.body),
        slug: reply.slug,
        tags: reply.tags,
        updated_at: reply.changed_at,
        ..article
    };
    Ok(queries::with_author(handling.models(), article).await?)
}

async fn edit_found(
    handling: &Handling,
    edit: &Edit,
    article: &ArticleDocument,
) -> Result<EditReply, DispatchError<Rejection>> {
    let base = edit.title.as_deref().map(slug::slugify);
    let moved = base.filter(|base| *base != slug::slugify(&article.title));
    let command = EditAs { article_id: article.id, slug: None, numbers_used: None, edit: edit.clone() };
    let Some(base) = moved else { return handling.dispatch(command).await };
    under_free_slug(handling, &base, article.id, |Candidate { slug, numbers_used }| EditAs {
        slug: Some(slug),
        numbers_used,
        ..command.clone()
    })
    .await
}

/// The article that was edited. Where the edit had been carried out before, by now another one may be found in its place, and it may be gone: then
/// no more is told of it than the edit says.
async fn edited(
    models: &ReadModels,
    found: Option<ArticleDocument>,
    edit: &Edit,
    of: Option<Identity>,
) -> Result<ArticleDocument, DispatchError<Rejection>> {
    let Some(Identity { article_id, published_at }) = of else { return found.ok_or_else(unknown) };
    if let Some(article) = found.filter(|article| article.id == article_id) {
        return Ok(article);
    }
    let known = models.get::<ArticleDocument>(article_id).await?;
    Ok(known.unwrap_or_else(|| ArticleDocument::gone(article_id, edit.editor_id, published_at)))
}

/// Deletes the article. What was said about it follows, by [`Farewell`](crate::comments::Farewell).
pub(crate) async fn delete(handling: Handling, command: Delete) -> Result<(), DispatchError<Rejection>> {
    match queries::article_under(handling.models(), &command.slug).await? {
        Some(article) => {
            handling.dispatch(Remove { article_id: article.id, editor_id: command.editor_id }).await
        }
        // It may be why there is none.
        None => handling.done_before::<Remove>().await?.ok_or_else(unknown),
    }
}

fn unknown() -> DispatchError<Rejection> {
    DispatchError::Rejected(Rejection::UnknownArticle)
}

/// Tries slugs until one is free. The claim decides, in the append; what the read model knows only saves tries.
async fn under_free_slug<C: Command<Rejection = Rejection>>(
    handling: &Handling,
    base: &str,
    article_id: Uuid,
    command: impl Fn(Candidate) -> C,
) -> Result<C::Reply, DispatchError<Rejection>> {
    let (plain_is_free, last_number) = known_slugs(handling.models(), base, article_id).await?;
    for tried in slug::candidates(base, plain_is_free, last_number, &article_id.to_string()) {
        match handling.dispatch(command(tried)).await {
            Err(DispatchError::Rejected(Rejection::SlugTaken)) => {}
            outcome => return outcome,
        }
    }
    Err(DispatchError::Rejected(Rejection::SlugTaken))
}

/// Whether the plain slug is free for the article and the highest number given, as far as the read model knows. Where no number was ever
/// given nobody is asked who has the plain one: most titles are new, and the claim tells if this one is not.
async fn known_slugs(models: &ReadModels, base: &str, article_id: Uuid) -> Result<(bool, u64), AskError> {
    let Some(numbered) = models.get::<SlugDocument>(base).await? else { return Ok((true, 0)) };
    let plain = queries::article_under(models, base).await?;
    let is_free = plain.is_none_or(|article| article.id == article_id);
    Ok((is_free, numbered.last_number))
}
