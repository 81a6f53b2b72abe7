//! Answers from the read model.

use std::iter::repeat_with;

use contracts::social::{ArticleRelation, LISTED_MAX, ListFavorites, ListFollowed, Relate, Relations};
use tokio::try_join;
use umbel_host::{AskError, ReadModels};
use uuid::Uuid;

use crate::{
    follow::pair,
    relations::{FavoriteDocument, FavoritesDocument, FollowDocument},
};

/// Three reads at once, whatever the page holds; a viewer who is nobody has to do with nothing.
pub(crate) async fn relate(models: ReadModels, query: Relate) -> Result<Relations, AskError> {
    let Relate { viewer_id, user_ids, article_ids } = query;
    let with = |other: &Uuid| viewer_id.map(|viewer| pair(viewer, *other));
    let (follows, favorites, counts) = try_join!(
        models.get_many::<FollowDocument>(user_ids.iter().filter_map(with)),
        models.get_many::<FavoriteDocument>(article_ids.iter().filter_map(with)),
        models.get_many::<FavoritesDocument>(article_ids.iter().copied()),
    )?;
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
    let latest = FollowDocument::of_follower(query.follower_id, LISTED_MAX);
    let found = models.query::<FollowDocument>(latest).await?;
    Ok(found.documents.into_iter().map(|(_, follow)| follow.followed_id).collect())
}

pub(crate) async fn list_favorites(models: ReadModels, query: ListFavorites) -> Result<Vec<Uuid>, AskError> {
    let latest = FavoriteDocument::of_user(query.user_id, LISTED_MAX);
    let found = models.query::<FavoriteDocument>(latest).await?;
    Ok(found.documents.into_iter().map(|(_, favorite)| favorite.article_id).collect())
}
