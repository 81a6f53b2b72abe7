//! The messages that the API is made of: whether each of them is answered somewhere says whether the gateway can serve.

use contracts::{
    accounts::{GetProfile, GetUser, LogIn, Register, UpdateUser},
    articles::{Delete, Edit, GetArticle, ListArticles, ListTags, Publish},
    comments::{AddComment, DeleteComment, ListComments},
    social::{Favorite, Follow, ListFavorites, ListFollowed, Relate, Unfavorite, Unfollow},
};
use umbel_bus::{Bus, Kind, Whereabouts};
use umbel_core::{Command, Query};

/// Lists commands and queries. What routes of other apps send may be left out: then the gateway is ready without those.
macro_rules! needed {
    (commands: $($command:ty),+; queries: $($query:ty),+;) => {
        /// All of them.
        const NEEDED: &[(Kind, &str)] = &[
            $((Kind::Command, <$command as Command>::NAME),)+
            $((Kind::Query, <$query as Query>::NAME),)+
        ];
    };
}

needed! {
    commands: AddComment, Delete, DeleteComment, Edit, Favorite, Follow, Publish, Register, Unfavorite, Unfollow, UpdateUser;
    queries: GetArticle, GetProfile, GetUser, ListArticles, ListComments, ListFavorites, ListFollowed, ListTags, LogIn, Relate;
}

/// Names of those that are answered nowhere that is reached, in order.
pub(crate) fn unanswered(bus: &Bus) -> Vec<&'static str> {
    let is_answered =
        |kind, name| matches!(bus.whereabouts(kind, name), Whereabouts::Here | Whereabouts::There);
    let mut names: Vec<_> =
        NEEDED.iter().filter(|(kind, name)| !is_answered(*kind, name)).map(|(_, name)| *name).collect();
    names.sort_unstable();
    names
}
