//! The declaration: what of social runs on the bus.

use umbel_host::App;

use crate::{
    favorite::FavoriteMark,
    follow::Following,
    queries::{list_favorites, list_followed, relate},
    relations::SocialGraph,
    sweep::{NIGHTLY, SweepFavorites, sweep},
};

/// The social app.
#[must_use]
pub fn app() -> App {
    App::new("social")
        .aggregate::<Following>()
        .aggregate::<FavoriteMark>()
        .projection::<SocialGraph>()
        .command(sweep)
        .recurring("sweep_favorites", NIGHTLY, || SweepFavorites {})
        .query(relate)
        .query(list_followed)
        .query(list_favorites)
}
