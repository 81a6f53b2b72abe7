//! What a viewer has to do with others: whom they follow, what they marked as a favourite.
//!
//! The one place that says so. There is no social app yet, so nobody follows anybody and nothing is anybody's
//! favourite; once there is, its answers come in here and nothing else in the gateway changes.

use uuid::Uuid;

/// Whether the viewer follows the author.
pub(crate) const fn following(_viewer: Option<Uuid>, _author_id: Uuid) -> bool {
    false
}

/// Whether the article is a favourite of the viewer's, and of how many it is one.
pub(crate) const fn favorites(_viewer: Option<Uuid>, _article_id: Uuid) -> (bool, u64) {
    (false, 0)
}

/// Whether the user of this name has any favourites to list.
pub(crate) const fn has_favorites(_username: &str) -> bool {
    false
}
