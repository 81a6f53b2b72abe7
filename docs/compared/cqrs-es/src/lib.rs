//! What runs: a store of events in memory, the aggregate over it, and who keeps the list.

mod item;
mod items;
mod messages;

use cqrs_es::{CqrsFramework, mem_store::MemStore};

pub use self::{item::Item, items::Items};
pub use messages::{Command, Event, Rejection};

pub type Shelf = CqrsFramework<Item, MemStore<Item>>;

pub fn shelf(items: &Items) -> Shelf {
    CqrsFramework::new(MemStore::default(), vec![Box::new(items.clone())], ())
}

#[cfg(test)]
mod tests;
