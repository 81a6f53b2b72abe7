//! The article aggregate: what happens to one article.

use contracts::articles::{NumbersUsed, Publish, PublishReply, Published, Rejection};
use serde::{Deserialize, Serialize};
use umbel_core::{Aggregate, Command, Context, Decide, Decision, store::ClaimName};
use uuid::Uuid;

use crate::rules;

/// Scope within which a slug is unique.
const SLUG_SCOPE: &str = "articles.slug";

/// One article: nothing until published.
#[derive(Debug, Default)]
pub(crate) struct Article {
    published: Option<PublishReply>,
}

umbel_core::events! {
    /// What happens to an article.
    #[derive(Clone)]
    pub(crate) enum ArticleEvent { Published(Published) }
}

/// Publishes an article under one slug. [`crate::app`] tries several until one is free.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PublishAs {
    pub(crate) article_id: Uuid,
    pub(crate) slug: String,
    pub(crate) numbers_used: Option<NumbersUsed>,
    pub(crate) article: Publish,
}

impl Aggregate for Article {
    const CATEGORY: &'static str = "article";
    type Event = ArticleEvent;
    type Commands = (PublishAs,);

    fn evolve(self, event: &ArticleEvent) -> Self {
        match event {
            ArticleEvent::Published(event) => Self { published: Some(reply_of(event)) },
        }
    }
}

impl Decide<PublishAs> for Article {
    fn identify(command: &PublishAs) -> String {
        command.article_id.to_string()
    }

    fn decide(
        &self,
        command: &PublishAs,
        context: &Context<'_>,
    ) -> Result<Decision<ArticleEvent, PublishReply>, Rejection> {
        // The id is fresh for every publication, so this one has been carried out already.
        if let Some(reply) = &self.published {
            return Ok(Decision::nothing(reply.clone()));
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
        (claim.scope == SLUG_SCOPE).then_some(Rejection::SlugTaken)
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

impl Command for PublishAs {
    const NAME: &'static str = "articles.publish_as";
    type Reply = PublishReply;
    type Rejection = Rejection;
}

#[cfg(test)]
mod tests {
    use contracts::{FieldProblem, Invalid, Problem};
    use umbel_testkit::aggregate::{NOW, given, given_nothing};

    use super::*;

    const ID: Uuid = Uuid::from_u128(1);
    const AUTHOR: Uuid = Uuid::from_u128(7);

    fn publish() -> PublishAs {
        let article = Publish {
            author_id: AUTHOR,
            title: "Dragons".into(),
            description: "How?".into(),
            body: "Believe.".into(),
            tags: vec!["training".into(), "dragons".into(), "training".into()],
        };
        PublishAs { article_id: ID, slug: "dragons".into(), numbers_used: None, article }
    }

    fn published() -> Published {
        Published {
            article_id: ID,
            author_id: AUTHOR,
            slug: "dragons".into(),
            numbers_used: None,
            title: "Dragons".into(),
            description: "How?".into(),
            body: "Believe.".into(),
            tags: vec!["dragons".into(), "training".into()],
            published_at: NOW,
        }
    }

    #[test]
    fn publishes_under_its_slug() {
        given_nothing::<Article>()
            .when(publish())
            .then([published()])
            .replies(reply_of(&published()))
            .takes([("articles.slug", "dragons")])
            .releases([]);
    }

    /// CD-05: who meets a taken slug can try the next.
    #[test]
    fn a_taken_slug_is_told_from_a_bad_article() {
        given_nothing::<Article>()
            .when(publish())
            .then_if_claimed("articles.slug", "dragons", Rejection::SlugTaken)
            .then_if_claimed("accounts.username", "dragons", None)
            .then([published()]);
    }

    #[test]
    fn the_same_publication_twice_happens_once() {
        given::<Article>([published()])
            .when(publish())
            .then_nothing()
            .replies(reply_of(&published()))
            .takes([]);
    }

    #[test]
    fn a_blank_part_is_refused() {
        let mut blank = publish();
        blank.article.title = "\t".into();
        let problem = FieldProblem { field: "title".into(), problem: Problem::Blank };
        given_nothing::<Article>().when(blank).then_rejected(Invalid(vec![problem]));
    }
}
