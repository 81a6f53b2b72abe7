//! Watches for what other processes append, and wakes those who follow the log here.

use std::{future::pending, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use tokio::time::sleep;
use umbel_bus::Bus;

use crate::{
    adapter::{Adapter, News},
    went_back::WentBack,
};

/// Looks at the log's head every so often, and once somebody follows the log also hears what the database tells by itself.
/// What it hears comes sooner; what it overhears is seen at the next look. A store that does not answer is asked again. Others hear
/// meanwhile what is appended here. Ends only when the log has gone back.
pub(crate) async fn watch(adapter: Arc<dyn Adapter>, bus: Bus, every: Duration, went_back: Arc<WentBack>) {
    let others = async {
        tokio::join!(hear(&*adapter, &bus), adapter.attend());
        pending::<()>().await;
    };
    tokio::select! {
        () = look(&*adapter, &bus, every, &went_back) => {}
        () = others => {}
    }
}

/// Ends when the log has gone back.
async fn look(adapter: &dyn Adapter, bus: &Bus, every: Duration, went_back: &WentBack) {
    loop {
        let known = bus.known_head();
        if let Ok(status) = adapter.status().await {
            if went_back.check(known, status.head).is_err() {
                return;
            }
            bus.announce_head(status.head);
        }
        sleep(every.max(Duration::from_millis(1))).await;
    }
}

/// What this process has done itself comes back to it here: an append is no news then, and a subscription that changed is looked at once
/// more.
async fn hear(adapter: &dyn Adapter, bus: &Bus) {
    bus.followed().await;
    let mut news = adapter.news();
    while let Some(one) = news.next().await {
        match one {
            News::Head(head) => bus.announce_head(head),
            News::Changed(change) => bus.announce_change(change),
        }
    }
}
