//! The article aggregate: what happens to one article.
//!
//! It holds what its decisions need and no texts: what an author saves again is an edit, whether or not it reads as before.

mod messages;
#[cfg(test)]
mod tests;

pub(crate) use messages::{EditAs, EditReply, Identity, PublishAs, Remove};

use std::time::Duration;

use contracts::articles::{Deleted, Edited, Publish, PublishReply, Published, Rejection, Retagged};
use umbel_core::{Aggregate, Context, Decide, Decision, Timestamp, store::ClaimName};
use uuid::Uuid;

use crate::rules;

/// Scope within which a slug is unique.
const SLUG_SCOPE: &str = "articles.slug";

/// What clients see of two moments that differ: they are shown in milliseconds.
const TICK: Duration = Duration::from_millis(1);

/// One article.
#[derive(Debug, Default)]
pub(crate) enum Article {
    /// It is not there yet.
    #[default]
    Unpublished,
    /// It is there.
    Published(Current),
    /// It was there.
    Deleted,
}

/// A published article as its decisions see it.
#[derive(Debug)]
pub(crate) struct Current {
    author_id: Uuid,
    /// What its publication was answered with.
    first: PublishReply,
    slug: String,
    tags: Vec<String>,
    changed_at: Timestamp,
}

umbel_core::events! {
    /// What happens to an article.
    #[derive(Clone)]
    pub(crate) enum ArticleEvent { Published(Published), Edited(Edited), Deleted(Deleted) }
}

type Decided<R> = Result<Decision<ArticleEvent, R>, Rejection>;

impl Aggregate for Article {
    const CATEGORY: &'static str = "article";
    type Event = ArticleEvent;
    type Commands = (PublishAs, EditAs, Remove);

    fn evolve(self, event: &ArticleEvent) -> Self {
        match (event, self) {
            (ArticleEvent::Published(event), _) => Self::Published(Current::of(event)),
            (ArticleEvent::Edited(event), Self::Published(current)) => Self::Published(current.after(event)),
            (ArticleEvent::Deleted(_), _) => Self::Deleted,
            (ArticleEvent::Edited(_), other) => other,
        }
    }
}

impl Article {
    /// The article, if there is one that this user may change.
    fn of_author(&self, editor_id: Uuid) -> Result<&Current, Rejection> {
        match self {
            Self::Published(current) if current.author_id == editor_id => Ok(current),
            Self::Published(_) => Err(Rejection::NotTheAuthor),
            Self::Unpublished | Self::Deleted => Err(Rejection::UnknownArticle),
        }
    }
}

impl Current {
    fn of(event: &Published) -> Self {
        Self {
            author_id: event.author_id,
            first: reply_of(event),
            slug: event.slug.clone(),
            tags: event.tags.clone(),
            changed_at: event.published_at,
        }
    }

    fn after(mut self, event: &Edited) -> Self {
        if let Some(slug) = &event.slug {
            self.slug.clone_from(slug);
        }
        if let Some(retagged) = &event.tags {
            self.tags.clone_from(&retagged.tags);
        }
        Self { changed_at: event.edited_at, ..self }
    }

    fn identity(&self) -> Identity {
        let PublishReply { article_id, published_at, .. } = self.first;
        Identity { article_id, published_at }
    }

    /// What becomes of the tags when these are asked for.
    fn retagged(&self, wanted: &[String]) -> Retagged {
        let tags = rules::tidy_tags(wanted);
        let missing = |from: &[String], all: &[String]| -> Vec<String> {
            all.iter().filter(|tag| !from.contains(tag)).cloned().collect()
        };
        Retagged { added: missing(&self.tags, &tags), removed: missing(&tags, &self.tags), tags }
    }
}

impl Decide<PublishAs> for Article {
    fn identify(command: &PublishAs) -> String {
        command.article_id.to_string()
    }

    fn decide(&self, command: &PublishAs, context: &Context<'_>) -> Decided<PublishReply> {
        match self {
            Self::Unpublished => {}
            // The id is fresh for every publication, so this one has been carried out already.
            Self::Published(current) => return Ok(Decision::nothing(current.first.clone())),
            Self::Deleted => return Err(Rejection::UnknownArticle),
        }
        rules::check(&command.article)?;
        let Publish { author_id, title, description, body, tags } = command.article.clone();
        let published = Published {
            article_id: command.article_id,
            author_id,
            slug: command.slug.clone(),
            numbers_used: command.numbers_used.clone(),
            title,
            description,
            body,
            tags: rules::tidy_tags(&tags),
            published_at: context.now(),
        };
        let reply = reply_of(&published);
        Ok(Decision::new(vec![published.into()], reply).take(SLUG_SCOPE, &command.slug))
    }

    fn claimed(_: &PublishAs, claim: &ClaimName) -> Option<Rejection> {
        taken(claim)
    }
}

impl Decide<EditAs> for Article {
    fn identify(command: &EditAs) -> String {
        command.article_id.to_string()
    }

    fn decide(&self, command: &EditAs, context: &Context<'_>) -> Decided<EditReply> {
        let EditAs { article_id, slug, numbers_used, edit } = command;
        rules::check_edit(edit)?;
        let current = self.of_author(edit.editor_id)?;
        let changes = [&edit.title, &edit.description, &edit.body];
        if changes.iter().all(|change| change.is_none()) && edit.tags.is_none() {
            return Ok(Decision::nothing(reply_to_edit(current)));
        }
        let moved = slug.clone().filter(|slug| *slug != current.slug);
        let edited = Edited {
            article_id: *article_id,
            title: edit.title.clone(),
            numbers_used: moved.as_ref().and(numbers_used.clone()),
            slug: moved.clone(),
            description: edit.description.clone(),
            body: edit.body.clone(),
            tags: edit.tags.as_deref().map(|tags| current.retagged(tags)),
            edited_at: context.now().max(current.changed_at.plus(TICK)),
        };
        let reply = EditReply {
            slug: moved.clone().unwrap_or_else(|| current.slug.clone()),
            tags: edited.tags.as_ref().map_or(&current.tags, |retagged| &retagged.tags).clone(),
            changed_at: edited.edited_at,
            of: Some(current.identity()),
        };
        let decision = Decision::new(vec![edited.into()], reply);
        Ok(match moved {
            Some(slug) => decision.take(SLUG_SCOPE, &slug).release(SLUG_SCOPE, &current.slug),
            None => decision,
        })
    }

    fn claimed(_: &EditAs, claim: &ClaimName) -> Option<Rejection> {
        taken(claim)
    }
}

impl Decide<Remove> for Article {
    fn identify(command: &Remove) -> String {
        command.article_id.to_string()
    }

    fn decide(&self, command: &Remove, context: &Context<'_>) -> Decided<()> {
        let current = self.of_author(command.editor_id)?;
        let deleted =
            Deleted { article_id: command.article_id, tags: current.tags.clone(), deleted_at: context.now() };
        Ok(Decision::new(vec![deleted.into()], ()).release(SLUG_SCOPE, &current.slug))
    }
}

fn reply_of(event: &Published) -> PublishReply {
    PublishReply {
        article_id: event.article_id,
        slug: event.slug.clone(),
        tags: event.tags.clone(),
        published_at: event.published_at,
    }
}

fn reply_to_edit(current: &Current) -> EditReply {
    let Current { slug, tags, changed_at, .. } = current;
    EditReply {
        slug: slug.clone(),
        tags: tags.clone(),
        changed_at: *changed_at,
        of: Some(current.identity()),
    }
}

fn taken(claim: &ClaimName) -> Option<Rejection> {
    (claim.scope == SLUG_SCOPE).then_some(Rejection::SlugTaken)
}
