//! Watches for what other processes append, and wakes those who follow the log here.

use std::{future::pending, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use tokio::time::sleep;
use umbel_bus::Bus;
use umbel_core::{Position, store::StoreError};

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
    let mut trusted = Trusted::default();
    loop {
        let (known, remembered) = (bus.known_head(), went_back.len());
        if went_back.check_file(adapter).await.is_ok()
            && let Ok(status) = adapter.status().await
            && went_back.check(known, status.head).is_ok()
            && trusted.is_the_same(adapter, went_back, remembered, status.head).await.is_ok()
            && went_back.so_far().is_ok()
        {
            bus.announce_head(status.head);
        }
        if went_back.so_far().is_err() {
            return;
        }
        sleep(every.max(Duration::from_millis(1))).await;
    }
}

/// Of which log it is known that it is the one that this process knows.
#[derive(Default)]
struct Trusted {
    /// By how many connections.
    connections: Option<u64>,
    /// Up to where its last event is remembered.
    end: Position,
}

impl Trusted {
    /// Has a log looked at whose connections are not those that it had. So many events were remembered before its end was asked for, which
    /// an old connection answered if there are no others now.
    ///
    /// # Errors
    /// When a read fails: then nothing is known of it.
    async fn is_the_same(
        &mut self,
        adapter: &dyn Adapter,
        went_back: &WentBack,
        remembered: usize,
        head: Position,
    ) -> Result<(), StoreError> {
        let connections = adapter.connections();
        if connections == self.connections {
            went_back.confirm(remembered);
        } else {
            went_back.look(adapter).await?;
            self.connections = connections;
        }
        if connections.is_some() && head > self.end {
            went_back.remember_end(adapter, head).await?;
            self.end = head;
        }
        Ok(())
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
