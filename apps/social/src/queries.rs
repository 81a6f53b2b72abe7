//! Answers from the read model.

use std::iter::repeat_with;

use contracts::social::{ArticleRelation, ListFavorites, ListFollowed, Relate, Relations};
use umbel_host::{AskError, ReadModels};
use uuid::Uuid;

use crate::{
    follow::pair,
    relations::{FavoriteDocument, FavoritesDocument, FollowDocument},
    shelves::{FavoritesShelf, FollowedShelf, Shelf},
};

/// One read, whatever the page holds; a viewer who is nobody has to do with nothing.
pub(crate) async fn relate(models: ReadModels, query: Relate) -> Result<Relations, AskError> {
    let Relate { viewer_id, user_ids, article_ids } = query;
    let with = |other: &Uuid| viewer_id.map(|viewer| pair(viewer, *other));
    let (follows, favorites, counts) = models
        .get_three::<FollowDocument, FavoriteDocument, FavoritesDocument>(
            user_ids.iter().filter_map(with),
            article_ids.iter().filter_map(with),
            article_ids.iter().copied(),
        )
        .await?;
    let favorites = favorites.into_iter().chain(repeat_with(|| None));
    let relation = |((article_id, count), favorite): ((Uuid, Option<FavoritesDocument>), Option<_>)| {
        let favorites = count.map_or(0, |known| known.count);
        ArticleRelation { article_id, favorite: favorite.is_some(), favorites }
    };
    Ok(Relations {
        followed: follows.into_iter().flatten().map(|follow| follow.followed_id).collect(),
        articles: article_ids.into_iter().zip(counts).zip(favorites).map(relation).collect(),
    })
}

pub(crate) async fn list_followed(models: ReadModels, query: ListFollowed) -> Result<Vec<Uuid>, AskError> {
    all_on::<FollowedShelf>(&models, query.follower_id).await
}

pub(crate) async fn list_favorites(models: ReadModels, query: ListFavorites) -> Result<Vec<Uuid>, AskError> {
    all_on::<FavoritesShelf>(&models, query.user_id).await
}

/// All that somebody has on their shelves: one read by keys, of one state, however much it is.
async fn all_on<S: Shelf>(models: &ReadModels, owner_id: Uuid) -> Result<Vec<Uuid>, AskError> {
    let shelves = models.get_many::<S>(S::keys(owner_id)).await?;
    Ok(shelves.into_iter().flatten().flat_map(S::into_ids).collect())
}
