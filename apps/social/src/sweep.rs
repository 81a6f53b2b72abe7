//! The nightly sweep: favourites of articles that are gone are taken away.
//!
//! Nobody is shown them, but whoever lists somebody's favourites looks for each.

use std::time::Duration;

use contracts::social::{Rejection, Unfavorite};
use serde::{Deserialize, Serialize};
use umbel_core::Command;
use umbel_host::{DispatchError, Handling, ScheduleOptions, When};

use crate::relations::{FavoriteDocument, FavoritesDocument};

/// When it is done: at an hour when few are there, in UTC.
pub(crate) const NIGHTLY: &str = "17 3 * * *";

/// How many favourites one sweep takes away at most, so that it ends within its deadline; what is left is for the next one.
const MARKS_MAX: usize = 200;
/// How many articles it looks at.
const ARTICLES_MAX: u32 = 100;
/// When the next one is, after one that could not take all.
const NEXT_AFTER: Duration = Duration::from_secs(60);

/// Takes away favourites of articles that are gone.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct SweepFavorites {}

impl Command for SweepFavorites {
    const NAME: &'static str = "social.sweep_favorites";
    /// How many were taken away.
    type Reply = usize;
    type Rejection = Rejection;
}

/// Each mark is its aggregate's to take away, and to do so twice is as once; so what a sweep misses, such as one that is repeated after
/// a crash, the next one finds.
pub(crate) async fn sweep(handling: Handling, _: SweepFavorites) -> Result<usize, DispatchError<Rejection>> {
    let gone = handling.models().query::<FavoritesDocument>(FavoritesDocument::of_gone(ARTICLES_MAX)).await?;
    let mut swept = 0;
    for (article_id, _) in gone.documents {
        let Ok(article_id) = article_id.parse() else { continue };
        let room = u32::try_from(MARKS_MAX - swept).unwrap_or(0);
        let marks = FavoriteDocument::of_article(article_id, room);
        for (_, mark) in handling.models().query::<FavoriteDocument>(marks).await?.documents {
            handling.dispatch(Unfavorite { user_id: mark.user_id, article_id }).await?;
            swept += 1;
        }
        if swept == MARKS_MAX {
            let again = When::After(NEXT_AFTER);
            let planned = handling.schedule(SweepFavorites {}, again, ScheduleOptions::default()).await;
            planned.map_err(|error| DispatchError::unavailable(error.to_string()))?;
            break;
        }
    }
    Ok(swept)
}
