//! The favourite aggregate: whether an article is a favourite of one user.
//!
//! One aggregate for each pair, as in [`crate::follow`]: a thousand readers who like an article in the same moment do not
//! meet each other.

use contracts::social::{Favorite, Favorited, Rejection, Unfavorite, Unfavorited};
use umbel_core::{Aggregate, Context, Decide, Decision};

use crate::follow::pair;

/// Whether an article is a favourite of one user: not, at first.
#[derive(Debug, Default)]
pub(crate) struct FavoriteMark {
    set: bool,
}

umbel_core::events! {
    /// What happens between a user and an article.
    #[derive(Clone)]
    pub(crate) enum FavoriteEvent { Favorited(Favorited), Unfavorited(Unfavorited) }
}

impl Aggregate for FavoriteMark {
    const CATEGORY: &'static str = "favorite";
    type Event = FavoriteEvent;
    type Commands = (Favorite, Unfavorite);

    fn evolve(self, event: &FavoriteEvent) -> Self {
        Self { set: matches!(event, FavoriteEvent::Favorited(_)) }
    }
}

impl Decide<Favorite> for FavoriteMark {
    fn identify(command: &Favorite) -> String {
        pair(command.user_id, command.article_id)
    }

    fn decide(&self, command: &Favorite, _: &Context<'_>) -> Result<Decision<FavoriteEvent, ()>, Rejection> {
        let Favorite { user_id, article_id } = *command;
        Ok(if self.set {
            Decision::nothing(())
        } else {
            vec![Favorited { user_id, article_id }.into()].into()
        })
    }
}

impl Decide<Unfavorite> for FavoriteMark {
    fn identify(command: &Unfavorite) -> String {
        pair(command.user_id, command.article_id)
    }

    fn decide(
        &self,
        command: &Unfavorite,
        _: &Context<'_>,
    ) -> Result<Decision<FavoriteEvent, ()>, Rejection> {
        let Unfavorite { user_id, article_id } = *command;
        Ok(if self.set {
            vec![Unfavorited { user_id, article_id }.into()].into()
        } else {
            Decision::nothing(())
        })
    }
}

#[cfg(test)]
mod tests {
    use umbel_testkit::aggregate::{given, given_nothing};
    use uuid::Uuid;

    use super::*;

    const ADA: Uuid = Uuid::from_u128(1);
    const ARTICLE: Uuid = Uuid::from_u128(2);

    fn favorited() -> FavoriteEvent {
        Favorited { user_id: ADA, article_id: ARTICLE }.into()
    }

    fn unfavorited() -> FavoriteEvent {
        Unfavorited { user_id: ADA, article_id: ARTICLE }.into()
    }

    /// CD-07: what is so already does not happen again.
    #[test]
    fn liking_twice_is_liking_once() {
        let favorite = Favorite { user_id: ADA, article_id: ARTICLE };
        let unfavorite = Unfavorite { user_id: ADA, article_id: ARTICLE };
        given_nothing::<FavoriteMark>().when(favorite).then([favorited()]).replies(());
        given::<FavoriteMark>([favorited()]).when(favorite).then_nothing();
        given::<FavoriteMark>([favorited()]).when(unfavorite).then([unfavorited()]);
        given::<FavoriteMark>([favorited(), unfavorited()]).when(unfavorite).then_nothing();
        given_nothing::<FavoriteMark>().when(unfavorite).then_nothing();
        given::<FavoriteMark>([favorited(), unfavorited()]).when(favorite).then([favorited()]);
    }
}
