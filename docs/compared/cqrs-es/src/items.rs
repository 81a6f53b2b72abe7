//! The read model: the items that are in, and the query. It is in memory, as the store is here.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use cqrs_es::{EventEnvelope, Query};

use crate::{item::Item, messages::Event};

const LISTED_MAX: usize = 100;

#[derive(Clone, Default)]
pub struct Items(Arc<Mutex<BTreeMap<String, String>>>);

#[async_trait]
impl Query<Item> for Items {
    async fn dispatch(&self, id: &str, events: &[EventEnvelope<Item>]) {
        let mut items = self.0.lock().unwrap();
        for event in events {
            match &event.payload {
                Event::PutIn { name } => items.insert(id.to_string(), name.clone()),
                Event::TakenOut => items.remove(id),
            };
        }
    }
}

impl Items {
    pub fn list(&self) -> Vec<(String, String)> {
        let items = self.0.lock().unwrap();
        let mut listed: Vec<_> = items.iter().map(|(id, name)| (id.clone(), name.clone())).collect();
        listed.sort_by(|one, other| one.1.cmp(&other.1));
        listed.truncate(LISTED_MAX);
        listed
    }
}
