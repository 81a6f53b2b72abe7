//! The words of the social app: who follows whom, and what is whose favourite.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use umbel_core::{Command, Event, Query};
use uuid::Uuid;

/// Begins to follow somebody; nothing happens when one does already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Command)]
#[command(name = "social.follow", rejection = Rejection)]
pub struct Follow {
    /// Who follows.
    pub follower_id: Uuid,
    /// Whom.
    pub followed_id: Uuid,
}

/// Stops following somebody; nothing happens when one does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Command)]
#[command(name = "social.unfollow", rejection = Rejection)]
pub struct Unfollow {
    /// Who followed.
    pub follower_id: Uuid,
    /// Whom.
    pub followed_id: Uuid,
}

/// Makes an article one's favourite, be it one's own; nothing happens when it is already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Command)]
#[command(name = "social.favorite", rejection = Rejection)]
pub struct Favorite {
    /// Whose.
    pub user_id: Uuid,
    /// Which article.
    pub article_id: Uuid,
}

/// Makes an article one's favourite no more; nothing happens when it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Command)]
#[command(name = "social.unfavorite", rejection = Rejection)]
pub struct Unfavorite {
    /// Whose.
    pub user_id: Uuid,
    /// Which article.
    pub article_id: Uuid,
}

/// Why the social app refuses: it never does. Whom and what there is, is for the apps to know that own them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
pub enum Rejection {}

/// Asks what a viewer has to do with some people and articles: all that one page shows, at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Query)]
#[query(name = "social.relate", answer = Relations)]
pub struct Relate {
    /// Who looks, if it is known.
    pub viewer_id: Option<Uuid>,
    /// At whom.
    pub user_ids: Vec<Uuid>,
    /// At which articles.
    pub article_ids: Vec<Uuid>,
}

/// The answer to [`Relate`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relations {
    /// Those whom the viewer follows.
    pub followed: Vec<Uuid>,
    /// One for each article asked about, in that order.
    pub articles: Vec<ArticleRelation>,
}

/// What an article is to its readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArticleRelation {
    /// Which article.
    pub article_id: Uuid,
    /// Whether it is a favourite of the viewer.
    pub favorite: bool,
    /// Of how many it is one.
    pub favorites: u64,
}

/// Asks whom somebody follows: all of them, in no particular order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Query)]
#[query(name = "social.list_followed", answer = Vec<Uuid>)]
pub struct ListFollowed {
    /// Who follows.
    pub follower_id: Uuid,
}

/// Asks for somebody's favourites: all of them, in no particular order. Those that were deleted since may be among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Query)]
#[query(name = "social.list_favorites", answer = Vec<Uuid>)]
pub struct ListFavorites {
    /// Whose.
    pub user_id: Uuid,
}

/// Somebody began to follow somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "social.followed")]
pub struct Followed {
    /// Who.
    pub follower_id: Uuid,
    /// Whom.
    pub followed_id: Uuid,
}

/// Somebody stopped following somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "social.unfollowed")]
pub struct Unfollowed {
    /// Who.
    pub follower_id: Uuid,
    /// Whom.
    pub followed_id: Uuid,
}

/// An article became a favourite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "social.favorited")]
pub struct Favorited {
    /// Whose.
    pub user_id: Uuid,
    /// Which article.
    pub article_id: Uuid,
}

/// An article is a favourite no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[event(name = "social.unfavorited")]
pub struct Unfavorited {
    /// Whose.
    pub user_id: Uuid,
    /// Which article.
    pub article_id: Uuid,
}
