//! Subscribers that pull: what they are sent, when, and what becomes of what they hold.

mod acknowledging;
mod delivery;
mod lives;
mod sharing;

use std::{sync::Arc, time::Duration};

use umbel_bus::Bus;
use umbel_core::{
    store::{ListSubscriptions, SubscriptionState},
    subscription::SubscriptionName,
};
use umbel_host::{Batch, Subscriber, Subscription, subscribe};

use crate::world::*;

fn reader() -> Subscription {
    Subscription::named("test.reader").unwrap().checkpoint_within(Duration::from_millis(5))
}

async fn world() -> World {
    World::with(&Arc::default(), &[], settings()).await
}

async fn append(world: &World, accounts: &[&str]) {
    for account in accounts {
        world.deposit_behind_its_back(account, 1).await;
    }
}

fn places<T>(batch: &Batch<T>) -> Vec<u64> {
    batch.events().iter().map(|one| one.place.get()).collect()
}

/// Takes so many events, acknowledging each batch.
async fn take(subscriber: &mut Subscriber, count: usize) -> Vec<u64> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let batch = subscriber.next().await.unwrap();
        taken.extend(places(&batch));
        batch.ack().await.unwrap();
    }
    taken
}

async fn joined(bus: &Bus, subscription: Subscription) -> Subscriber {
    subscribe(bus, subscription).await.unwrap()
}

/// How the subscription of these tests stands.
async fn state(world: &World) -> SubscriptionState {
    let name = Some(SubscriptionName::new("test.reader").unwrap());
    let request = ListSubscriptions { name, after: None, limit: 1 };
    world.bus.store().list_subscriptions(request).await.unwrap().pop().unwrap()
}
