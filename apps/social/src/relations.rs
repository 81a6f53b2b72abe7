//! The read model of both relations: a document for each pair, what somebody has as a whole, and a count for each article.

use contracts::{
    articles::Deleted,
    social::{Favorited, Followed, Unfavorited, Unfollowed},
};
use serde::{Deserialize, Serialize};
use umbel_core::{
    Changes, Document, Projection, RecordedEvent,
    document::{Collection, DocumentQuery},
};
use uuid::Uuid;

use crate::{
    follow::pair,
    shelves::{FavoritesShelf, FollowedShelf, Shelf},
};

/// Keeps the documents of this module up to date.
pub(crate) struct SocialGraph;

umbel_core::events! {
    /// What the relations are made of.
    #[derive(Clone)]
    pub(crate) enum Listened {
        Followed(Followed),
        Unfollowed(Unfollowed),
        Favorited(Favorited),
        Unfavorited(Unfavorited),
        ArticleDeleted(Deleted),
    }
}

/// That one user follows another; its key is the pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "social.follows")]
pub(crate) struct FollowDocument {
    follower_id: Uuid,
    pub(crate) followed_id: Uuid,
}

/// That an article is a favourite of a user; its key is the pair. It stays when the article goes, as to find all of them would take
/// the model a question that rules cannot ask: nobody is shown it then, and [`crate::sweep`] takes it away some time later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "social.favorites")]
pub(crate) struct FavoriteDocument {
    pub(crate) user_id: Uuid,
    #[index]
    pub(crate) article_id: Uuid,
}

/// Of how many an article is a favourite; its key is the article's id. None for an article that nobody likes, unless it is gone: that is
/// remembered, as somebody who saw it a moment before may still like it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "social.favorites_counts")]
pub(crate) struct FavoritesDocument {
    pub(crate) count: u64,
    /// Whether the article is gone.
    gone: bool,
    /// Whether it is gone and has marks, which are to be taken away.
    #[index]
    to_sweep: bool,
}

impl FavoriteDocument {
    /// The query for the marks of an article.
    pub(crate) fn of_article(article_id: Uuid, limit: u32) -> DocumentQuery {
        DocumentQuery::of::<Self>().equal("article_id", article_id).page(0, limit)
    }
}

impl FavoritesDocument {
    /// The query for articles that are gone and have marks left.
    pub(crate) fn of_gone(limit: u32) -> DocumentQuery {
        DocumentQuery::of::<Self>().equal("to_sweep", true).page(0, limit)
    }

    fn counted(known: Option<Self>, count: impl FnOnce(u64) -> u64) -> Option<Self> {
        let (before, gone) = known.map_or((0, false), |known| (known.count, known.gone));
        Self::of(count(before), gone)
    }

    fn of(count: u64, gone: bool) -> Option<Self> {
        (count > 0 || gone).then_some(Self { count, gone, to_sweep: gone && count > 0 })
    }
}

impl Projection for SocialGraph {
    const NAME: &'static str = "social.graph";
    // 2: what somebody has is kept as a whole, too, and pairs are found by their keys only. 3: what is gone is remembered.
    const VERSION: u32 = 3;
    type Event = Listened;

    fn collections() -> Vec<Collection> {
        vec![
            Collection::of::<FollowDocument>(),
            Collection::of::<FavoriteDocument>(),
            Collection::of::<FavoritesDocument>(),
            Collection::of::<FollowedShelf>(),
            Collection::of::<FavoritesShelf>(),
        ]
    }

    fn project(event: Listened, _: &RecordedEvent, changes: &mut Changes) {
        match event {
            Listened::Followed(Followed { follower_id, followed_id }) => {
                changes.put(pair(follower_id, followed_id), FollowDocument { follower_id, followed_id });
                FollowedShelf::put(follower_id, followed_id, changes);
            }
            Listened::Unfollowed(event) => {
                changes.delete::<FollowDocument>(pair(event.follower_id, event.followed_id));
                FollowedShelf::take(event.follower_id, event.followed_id, changes);
            }
            Listened::Favorited(Favorited { user_id, article_id }) => {
                changes.put(pair(user_id, article_id), FavoriteDocument { user_id, article_id });
                FavoritesShelf::put(user_id, article_id, changes);
                changes.modify(article_id, |known| FavoritesDocument::counted(known, |count| count + 1));
            }
            Listened::Unfavorited(Unfavorited { user_id, article_id }) => {
                changes.delete::<FavoriteDocument>(pair(user_id, article_id));
                FavoritesShelf::take(user_id, article_id, changes);
                changes.modify(article_id, |known| {
                    FavoritesDocument::counted(known, |count| count.saturating_sub(1))
                });
            }
            Listened::ArticleDeleted(event) => {
                changes.modify(event.article_id, |known: Option<FavoritesDocument>| {
                    FavoritesDocument::of(known.map_or(0, |known| known.count), true)
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use umbel_testkit::{aggregate::NOW, projection::ReadModel};

    use super::*;

    const ADA: Uuid = Uuid::from_u128(1);
    const BOB: Uuid = Uuid::from_u128(2);
    const ARTICLE: Uuid = Uuid::from_u128(3);

    fn count(model: &ReadModel<SocialGraph>) -> Option<u64> {
        model.document::<FavoritesDocument>(&ARTICLE.to_string()).map(|known| known.count)
    }

    /// CD-08: who is followed no more is gone.
    #[test]
    fn follows_come_and_go() {
        let model = ReadModel::<SocialGraph>::new()
            .after("following-1.2", Followed { follower_id: ADA, followed_id: BOB })
            .after("following-2.1", Followed { follower_id: BOB, followed_id: ADA });
        assert_eq!(model.documents::<FollowDocument>().len(), 2);
        let follow: FollowDocument = model.document(&pair(ADA, BOB)).unwrap();
        assert_eq!(follow.followed_id, BOB);
        assert_eq!(model.documents::<FollowedShelf>().len(), 2);
        let model = model.after("following-1.2", Unfollowed { follower_id: ADA, followed_id: BOB });
        let left: Vec<_> = model.documents::<FollowDocument>().into_iter().map(|(key, _)| key).collect();
        assert_eq!(left, [pair(BOB, ADA)]);
        assert_eq!(model.documents::<FollowedShelf>().len(), 1, "an empty shelf is none");
    }

    fn to_sweep(model: &ReadModel<SocialGraph>) -> bool {
        model.document::<FavoritesDocument>(&ARTICLE.to_string()).is_some_and(|known| known.to_sweep)
    }

    /// What is left of an article that is gone is known as such, until the last mark is taken away.
    #[test]
    fn favorites_are_counted_also_when_the_article_goes() {
        let model = ReadModel::<SocialGraph>::new()
            .after("favorite-1.3", Favorited { user_id: ADA, article_id: ARTICLE })
            .after("favorite-2.3", Favorited { user_id: BOB, article_id: ARTICLE });
        assert_eq!(count(&model), Some(2));
        let model = model.after("favorite-1.3", Unfavorited { user_id: ADA, article_id: ARTICLE });
        assert_eq!((count(&model), model.documents::<FavoriteDocument>().len()), (Some(1), 1));
        let gone = Deleted { article_id: ARTICLE, tags: Vec::new(), deleted_at: NOW };
        assert!(!to_sweep(&model));
        let model = model.after("article-3", gone);
        assert!(to_sweep(&model));
        let model = model.after("favorite-2.3", Unfavorited { user_id: BOB, article_id: ARTICLE });
        assert_eq!((count(&model), model.documents::<FavoriteDocument>()), (Some(0), Vec::new()));
        assert!(!to_sweep(&model), "nothing is left to take away");
        assert_eq!(model.documents::<FavoritesShelf>(), Vec::new());
    }

    /// In either order, a favourite of an article that is gone is to be taken away, also after others were.
    #[test]
    fn a_favorite_that_comes_after_the_deletion_is_known_as_left() {
        let favorited = || Favorited { user_id: ADA, article_id: ARTICLE };
        let gone = || Deleted { article_id: ARTICLE, tags: Vec::new(), deleted_at: NOW };
        let before =
            ReadModel::<SocialGraph>::new().after("favorite-1.3", favorited()).after("article-3", gone());
        let behind =
            ReadModel::<SocialGraph>::new().after("article-3", gone()).after("favorite-1.3", favorited());
        assert_eq!(before.documents::<FavoritesDocument>(), behind.documents::<FavoritesDocument>());
        assert!(to_sweep(&before) && to_sweep(&behind));
        let swept = behind.after("favorite-1.3", Unfavorited { user_id: ADA, article_id: ARTICLE });
        assert!(!to_sweep(&swept));
        assert!(to_sweep(&swept.after("favorite-1.3", favorited())), "it is still gone");
    }

    #[test]
    fn queries_use_declared_indexes() {
        assert_eq!(FavoriteDocument::of_article(ARTICLE, 1).check::<FavoriteDocument>(), Ok(()));
        assert_eq!(FavoritesDocument::of_gone(1).check::<FavoritesDocument>(), Ok(()));
    }
}
