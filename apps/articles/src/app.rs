//! The declaration: what of articles runs on the bus.

use contracts::articles::{Publish, PublishReply, Rejection};
use umbel_host::{App, AskError, DispatchError, Handling, ReadModels};

use crate::{
    article::{Article, PublishAs},
    list::{ArticleDocument, ArticleList, SlugDocument},
    queries::{get_article, list_articles, list_tags},
    rules,
    slug::{self, Candidate},
};

/// The articles app.
#[must_use]
pub fn app() -> App {
    App::new("articles")
        .aggregate::<Article>()
        .projection::<ArticleList>()
        .command(publish)
        .query(get_article)
        .query(list_articles)
        .query(list_tags)
}

/// Tries slugs until one is free. The claim decides, in the append; what the read model knows only saves tries.
async fn publish(handling: Handling, article: Publish) -> Result<PublishReply, DispatchError<Rejection>> {
    rules::check(&article).map_err(|invalid| DispatchError::Rejected(invalid.into()))?;
    let base = slug::slugify(&article.title);
    let (plain_is_free, last_number) = known_slugs(handling.models(), &base).await?;
    let article_id = handling.fresh_id();
    for tried in slug::candidates(&base, plain_is_free, last_number, &article_id.to_string()) {
        let Candidate { slug, numbers_used } = tried;
        let command = PublishAs { article_id, slug, numbers_used, article: article.clone() };
        match handling.dispatch(command).await {
            Err(DispatchError::Rejected(Rejection::SlugTaken)) => {}
            outcome => return outcome,
        }
    }
    Err(DispatchError::Rejected(Rejection::SlugTaken))
}

/// Whether the plain slug is free and the highest number given, as far as the read model knows.
async fn known_slugs(models: &ReadModels, base: &str) -> Result<(bool, u64), AskError> {
    let plain = models.query::<ArticleDocument>(ArticleDocument::by_slug(base)).await?;
    let numbered = models.get::<SlugDocument>(base).await?;
    Ok((plain.documents.is_empty(), numbered.map_or(0, |slugs| slugs.last_number)))
}
