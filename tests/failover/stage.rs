//! Where these tests play: a store, the nodes on it, and somebody who writes.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::task::JoinHandle;
use umbel_bus::{Bus, edge};
use umbel_core::{
    EventId, ExpectedVersion, Metadata, NewEvent, StreamName, Version,
    document::DocumentKey,
    store::{Append, AppendError, ListSubscriptions, PartitionState},
    subscription::{NodeId, SubscriptionName},
};

use super::{
    journal::{Handled, lines},
    node::{CATEGORY, COUNTS, Count, Handler, Happened, Node, PARTITIONS, Role, SHARED},
};
use crate::support::{PATIENCE, StorePlace, with_store};

/// Between two looks at other processes.
const LOOK: Duration = Duration::from_millis(10);
/// Who writes at the same time, each to keys of its own.
const WRITERS: u64 = 4;
const KEYS_EACH: u64 = 6;
/// Between two appends of one: as much as a busy machine handles without falling behind.
const PACE: Duration = Duration::from_millis(4);

/// A store with a folder for the journal.
pub(super) struct Stage {
    pub(super) bus: Bus,
    place: StorePlace,
    folder: TempDir,
    lease: Duration,
}

/// By key, the last number that was acknowledged.
pub(super) type Written = BTreeMap<String, u64>;

/// Who writes until told to stop.
pub(super) struct Load {
    written: Arc<Mutex<Written>>,
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<()>>,
}

/// Plays on a store, in this process the third one.
pub(super) fn play(place: &StorePlace, lease: Duration, scene: impl AsyncFnOnce(&Stage)) {
    with_store(place, async |bus| {
        let folder = tempfile::tempdir().unwrap();
        scene(&Stage { bus, place: place.clone(), folder, lease }).await;
    });
}

/// Waits until there is something to see; fails with what was seen last when there is not in time.
pub(super) async fn until<T, S: Debug>(what: &str, mut look: impl AsyncFnMut() -> Result<T, S>) -> T {
    let begin = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) => assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}: {seen:?}"),
        }
        tokio::time::sleep(LOOK).await;
    }
}

impl Stage {
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn node(&self, name: &str, handler: Handler) -> Node {
        let role = Role { name: name.to_owned(), folder: self.folder().to_owned(), handler };
        Node::start(&role, &self.place, self.lease)
    }

    /// Two nodes that have a half of the partitions each, and their ids.
    pub(super) async fn two(&self) -> ([Node; 2], [NodeId; 2]) {
        let first = self.node("first", Handler::Shared);
        let one = self.owned_by_one().await;
        let second = self.node("second", Handler::Shared);
        let other = self.halved(one).await;
        ([first, second], [one, other])
    }

    /// The partitions of the shared subscription.
    pub(super) async fn partitions(&self) -> Vec<PartitionState> {
        self.partitions_of(SHARED).await
    }

    pub(super) async fn partitions_of(&self, subscription: &str) -> Vec<PartitionState> {
        let name = SubscriptionName::new(subscription).unwrap();
        let request = ListSubscriptions { name: Some(name), after: None, limit: 1 };
        let listed = self.bus.store().list_subscriptions(request).await.unwrap_or_default();
        listed.into_iter().flat_map(|one| one.partitions).collect()
    }

    /// How many partitions each has.
    async fn shares(&self) -> BTreeMap<NodeId, u32> {
        let mut shares = BTreeMap::new();
        for owner in self.partitions().await.iter().filter_map(|partition| partition.owner) {
            *shares.entry(owner).or_default() += 1;
        }
        shares
    }

    /// Waits until one node has all partitions.
    pub(super) async fn owned_by_one(&self) -> NodeId {
        until("one node to have all partitions", async || {
            let shares = self.shares().await;
            shares.iter().find(|(_, share)| **share == PARTITIONS).map(|(node, _)| *node).ok_or(shares)
        })
        .await
    }

    /// Waits until this node has a half of the partitions and another one the other; which.
    pub(super) async fn halved(&self, one: NodeId) -> NodeId {
        until("two nodes to have a half each", async || {
            let shares = self.shares().await;
            let fair = shares.len() == 2 && shares.values().all(|share| *share == PARTITIONS / 2);
            let other = shares.keys().find(|node| **node != one && shares.contains_key(&one)).copied();
            other.filter(|_| fair).ok_or(shares)
        })
        .await
    }

    pub(super) fn handled(&self) -> Handled {
        Handled::of(lines(self.folder()))
    }

    /// Waits until this node has been the first to handle so many more events.
    pub(super) async fn goes_on(&self, node: &str, more: u64) {
        let wanted = self.handled().first_by(node) + more;
        until("a node to handle more", async || {
            let handled = self.handled();
            if handled.first_by(node) >= wanted { Ok(()) } else { Err(handled.first) }
        })
        .await;
    }

    /// Waits until everything that was written is handled, in order for each key, its checkpoints say so, and the projection has
    /// counted each event once.
    pub(super) async fn settled(&self, written: &Written) -> Handled {
        let handled = until("everything to be handled", async || {
            let handled = self.handled();
            if handled.last == *written { Ok(handled) } else { Err((written.clone(), handled.last)) }
        })
        .await;
        let head = until("the store to answer", async || self.bus.store().status().await).await.head;
        until("the checkpoints to be at the head", async || {
            let partitions = self.partitions().await;
            let behind = partitions.iter().any(|partition| partition.checkpoint.get() < head.get());
            if behind || partitions.is_empty() { Err(partitions) } else { Ok(()) }
        })
        .await;
        until("the projection to be at the head", async || {
            let checkpoint = self.bus.store().load_checkpoint(COUNTS).await;
            checkpoint.clone().ok().filter(|at| *at >= head).ok_or(checkpoint)
        })
        .await;
        assert_eq!(
            self.counts(written).await,
            written.values().map(|last| expected(*last)).collect::<Vec<_>>()
        );
        handled
    }

    /// What the projection has counted.
    async fn counts(&self, written: &Written) -> Vec<Count> {
        let key = |key: &String| DocumentKey { collection: "failover.counts", key: key.clone() };
        let found = self.bus.store().get_documents(written.keys().map(key).collect()).await.unwrap();
        found
            .into_iter()
            .map(|body| body.map_or_else(Count::default, |body| body.decode().unwrap()))
            .collect()
    }

    pub(super) fn load(&self) -> Load {
        let (written, stop) = (Arc::<Mutex<Written>>::default(), Arc::<AtomicBool>::default());
        let write = |writer| {
            let (bus, written, stop) = (self.bus.clone(), Arc::clone(&written), Arc::clone(&stop));
            actix::spawn(async move {
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let key = format!("{writer}-{}", turn % KEYS_EACH);
                    append(&bus, &key, turn / KEYS_EACH + 1).await;
                    written.lock().unwrap().insert(key, turn / KEYS_EACH + 1);
                    tokio::time::sleep(PACE).await;
                }
            })
        };
        let writers = (0..WRITERS).map(write).collect();
        Load { written, stop, writers }
    }
}

/// What is counted of the numbers from 1 to this one.
fn expected(last: u64) -> Count {
    Count { count: last, sum: last * (last + 1) / 2 }
}

/// Appends this number to the key; the same append again, as long as the store is away.
pub(super) async fn append(bus: &Bus, key: &str, number: u64) {
    let event = Happened { key: key.to_owned(), number };
    let event = NewEvent::of(EventId(edge::fresh_id()), &event, Metadata::default()).unwrap();
    let (stream, expected) = (StreamName::of(CATEGORY, key).unwrap(), Version::new(number - 1));
    let append = Append::to_stream(stream, ExpectedVersion::Exact(expected), vec![event]);
    until("the store to take an append", async || match bus.store().append(append.clone()).await {
        Err(AppendError::Store(error)) => Err(error),
        outcome => Ok(outcome.unwrap()),
    })
    .await;
}

impl Load {
    /// Waits until the writers go on: so many more events.
    pub(super) async fn goes_on(&self, more: u64) {
        let count = || self.written.lock().unwrap().values().sum::<u64>();
        let wanted = count() + more;
        until("more to be written", async || if count() >= wanted { Ok(()) } else { Err(count()) }).await;
    }

    /// What was written in all.
    pub(super) async fn stop(self) -> Written {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers {
            writer.await.unwrap();
        }
        Arc::try_unwrap(self.written).unwrap().into_inner().unwrap()
    }
}
