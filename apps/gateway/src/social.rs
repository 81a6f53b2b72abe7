//! What a viewer has to do with what a page shows: whom of its people they follow, which of its articles they like.

use std::collections::{BTreeMap, BTreeSet};

use contracts::social::{ArticleRelation, Relate, Relations};
use uuid::Uuid;

use crate::{call::Call, error::ApiError};

/// All that the social app says about one page: one question, whatever the page holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Social {
    followed: BTreeSet<Uuid>,
    articles: BTreeMap<Uuid, ArticleRelation>,
}

impl Social {
    /// Asks about a page's people and articles. A page without any is not worth a question, nor is one of people alone
    /// that nobody in particular looks at.
    pub(crate) async fn of(
        call: &Call,
        viewer_id: Option<Uuid>,
        user_ids: impl IntoIterator<Item = Uuid>,
        article_ids: impl IntoIterator<Item = Uuid>,
    ) -> Result<Self, ApiError> {
        let user_ids: BTreeSet<_> = user_ids.into_iter().filter(|_| viewer_id.is_some()).collect();
        let article_ids: Vec<_> = article_ids.into_iter().collect();
        if user_ids.is_empty() && article_ids.is_empty() {
            return Ok(Self::default());
        }
        let question = Relate { viewer_id, user_ids: user_ids.into_iter().collect(), article_ids };
        Ok(call.ask(question).await?.into())
    }

    /// Whether the viewer follows this user.
    pub(crate) fn follows(&self, user_id: Uuid) -> bool {
        self.followed.contains(&user_id)
    }

    /// Whether the article is a favourite of the viewer, and of how many it is one.
    pub(crate) fn favorites(&self, article_id: Uuid) -> (bool, u64) {
        self.articles.get(&article_id).map_or((false, 0), |known| (known.favorite, known.favorites))
    }
}

impl From<Relations> for Social {
    fn from(relations: Relations) -> Self {
        let articles = relations.articles.into_iter().map(|known| (known.article_id, known));
        Self { followed: relations.followed.into_iter().collect(), articles: articles.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_said_is_not_so() {
        let (ada, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let liked = ArticleRelation { article_id: ada, favorite: true, favorites: 3 };
        let social = Social::from(Relations { followed: vec![bob], articles: vec![liked] });
        assert!(social.follows(bob) && !social.follows(ada));
        assert_eq!((social.favorites(ada), social.favorites(bob)), ((true, 3), (false, 0)));
    }
}
