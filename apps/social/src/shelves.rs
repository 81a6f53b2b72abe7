//! What somebody has to do with, as a whole: everybody they follow, all their favourites.
//!
//! Feeds and lists of favourites go by all of it. A document for each pair would have to be found by an index and read page by page, each
//! page of another state; one document for each person would be written anew, as a whole, with each of a hundred thousand follows. So
//! the ids are spread over a fixed number of shelves: all are read by their keys at once, and a change writes one.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use umbel_core::{Changes, Document};
use uuid::Uuid;

/// How many shelves somebody has. A read looks for all of them, be they empty, and a change writes so large a part of all there is.
/// It is part of what is stored: another number is another version of the projection.
const SHELVES: u8 = 16;

/// A part of the ids that belong to somebody.
pub(crate) trait Shelf: Document + Default {
    fn into_ids(self) -> BTreeSet<Uuid>;

    fn ids(&mut self) -> &mut BTreeSet<Uuid>;

    /// The keys of all shelves of somebody.
    fn keys(owner_id: Uuid) -> impl Iterator<Item = String> {
        (0..SHELVES).map(move |shelf| key(owner_id, shelf))
    }

    fn put(owner_id: Uuid, id: Uuid, changes: &mut Changes) {
        changes.modify(key(owner_id, shelf_of(id)), move |shelf: Option<Self>| {
            let mut shelf = shelf.unwrap_or_default();
            shelf.ids().insert(id);
            Some(shelf)
        });
    }

    /// An empty shelf is none.
    fn take(owner_id: Uuid, id: Uuid, changes: &mut Changes) {
        changes.modify(key(owner_id, shelf_of(id)), move |shelf: Option<Self>| {
            let mut shelf = shelf?;
            shelf.ids().remove(&id);
            (!shelf.ids().is_empty()).then_some(shelf)
        });
    }
}

/// Whom somebody follows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "social.followed")]
pub(crate) struct FollowedShelf {
    ids: BTreeSet<Uuid>,
}

/// Somebody's favourites. Those of articles that are gone stay, as [`FavoriteDocument`](crate::relations::FavoriteDocument) does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Document)]
#[document(collection = "social.favorites_of")]
pub(crate) struct FavoritesShelf {
    ids: BTreeSet<Uuid>,
}

impl Shelf for FollowedShelf {
    fn into_ids(self) -> BTreeSet<Uuid> {
        self.ids
    }

    fn ids(&mut self) -> &mut BTreeSet<Uuid> {
        &mut self.ids
    }
}

impl Shelf for FavoritesShelf {
    fn into_ids(self) -> BTreeSet<Uuid> {
        self.ids
    }

    fn ids(&mut self) -> &mut BTreeSet<Uuid> {
        &mut self.ids
    }
}

/// The last byte of an id is random, whichever version of ids it is of.
fn shelf_of(id: Uuid) -> u8 {
    let [.., last] = id.into_bytes();
    last % SHELVES
}

fn key(owner_id: Uuid, shelf: u8) -> String {
    format!("{owner_id}.{shelf}")
}
