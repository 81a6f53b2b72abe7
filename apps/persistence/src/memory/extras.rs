//! What is kept beside the log: snapshots, the outbox, notices.

use std::{collections::BTreeMap, ops::Bound};

use futures_util::future::BoxFuture;
use umbel_core::{
    Position, StreamName, Timestamp, Version,
    schedule::FAILED_QUEUE,
    store::{
        ClearOutbox, DuePage, FindWork, KeepNotices, KeptNotice, ListNotices, ListQueues, ListSnapshots,
        QueueInfo, ReadDue, ReadOutbox, Snapshot, StoreError, SweepNotices, Waiting,
    },
};
use uuid::Uuid;

use super::{Memory, count, size, state::State};
use crate::adapter::Extras;

impl Extras for Memory {
    fn load_snapshot(&self, stream: StreamName) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        Box::pin(async move { Ok(self.state().snapshots.get(&stream).cloned()) })
    }

    fn save_snapshot(&self, snapshot: Snapshot) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            let mut state = self.state();
            let kept = state.snapshots.get(&snapshot.stream);
            let is_older = kept.is_some_and(|kept| kept.version > snapshot.version);
            let end = state.streams.get(&snapshot.stream).map(|stream| stream.version);
            let is_kept = !is_older && end.is_some_and(|end| snapshot.version <= end);
            if is_kept {
                state.snapshots.insert(snapshot.stream.clone(), snapshot);
            }
            Ok(is_kept)
        })
    }

    fn delete_snapshot(&self, stream: StreamName) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move { Ok(self.state().snapshots.remove(&stream).is_some()) })
    }

    fn list_snapshots(&self, request: ListSnapshots) -> BoxFuture<'_, Result<Vec<Snapshot>, StoreError>> {
        Box::pin(async move {
            let after = request.after.map_or(Bound::Unbounded, Bound::Excluded);
            let state = self.state();
            let snapshots = state.snapshots.range::<StreamName, _>((after, Bound::Unbounded));
            Ok(snapshots.map(|(_, snapshot)| snapshot.clone()).take(size(request.limit)).collect())
        })
    }

    fn read_outbox(&self, request: ReadOutbox) -> BoxFuture<'_, Result<Vec<Waiting>, StoreError>> {
        Box::pin(async move {
            let state = self.state();
            let behind = state.outbox.range((Bound::Excluded(request.after), Bound::Unbounded));
            let waiting = behind.map(|(_, waiting)| waiting).filter(|one| one.entry.queue == request.queue);
            Ok(waiting.take(size(request.limit)).cloned().collect())
        })
    }

    fn read_due(&self, request: ReadDue) -> BoxFuture<'_, Result<DuePage, StoreError>> {
        Box::pin(async move { Ok(self.state().read_due(&request)) })
    }

    fn list_queues(&self, request: ListQueues) -> BoxFuture<'_, Result<Vec<QueueInfo>, StoreError>> {
        Box::pin(async move { Ok(self.state().list_queues(&request)) })
    }

    fn find_work(&self, request: FindWork) -> BoxFuture<'_, Result<Option<Waiting>, StoreError>> {
        Box::pin(async move { Ok(self.state().find_work(request.id)) })
    }

    fn clear_outbox(&self, request: ClearOutbox) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let mut state = self.state();
            let taken = request.numbers.iter().filter(|number| state.outbox.remove(number).is_some());
            Ok(count(taken.count()))
        })
    }

    fn keep_notices(&self, request: KeepNotices) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { Ok(self.state().keep_notices(request.notices)) })
    }

    fn list_notices(&self, request: ListNotices) -> BoxFuture<'_, Result<Vec<KeptNotice>, StoreError>> {
        Box::pin(async move { Ok(self.state().list_notices(&request)) })
    }

    fn oldest_work(&self, now: Timestamp) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>> {
        Box::pin(async move { Ok(self.state().oldest_work(now)) })
    }

    fn sweep_commands(&self, before: Timestamp) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let commands = &mut self.state().commands;
            let all = commands.len();
            commands.retain(|_, command| command.for_good || command.recorded_at >= before);
            Ok(count(all - commands.len()))
        })
    }

    fn sweep_notices(&self, request: SweepNotices) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let notices = &mut self.state().notices;
            let before = notices.len();
            notices.retain(|_, notice| notice.expires_at.is_none_or(|at| at > request.now));
            Ok(count(before - notices.len()))
        })
    }
}

impl State {
    fn oldest_work(&self, now: Timestamp) -> Option<Timestamp> {
        let due = self.outbox.values().filter(|one| one.due_at() <= now && one.entry.queue != FAILED_QUEUE);
        let subscriptions = self.subscriptions.values();
        let events = subscriptions.clone().filter_map(|one| {
            let passed = one.partitions.iter().map(|partition| partition.checkpoint.get()).min()?;
            let position = match &one.stream {
                None => Position::new(passed).next(),
                Some(stream) => {
                    let behind = Version::new(passed).next()..;
                    *self.streams.get(stream)?.places.range(behind).next()?.1
                }
            };
            self.events.range(position..).next().map(|(_, event)| event.recorded_at)
        });
        let letters = subscriptions.flat_map(|one| one.letters.values().map(|letter| letter.parked_at));
        due.map(Waiting::due_at).chain(events).chain(letters).min()
    }

    fn list_queues(&self, request: &ListQueues) -> Vec<QueueInfo> {
        let mut queues = BTreeMap::new();
        for waiting in self.outbox.values().filter(|one| one.entry.queue > request.after) {
            let (count, first) = queues.entry(&waiting.entry.queue).or_insert((0, waiting.due_at()));
            (*count, *first) = (*count + 1, waiting.due_at().min(*first));
        }
        let info = |(queue, (waiting, first_due_at)): (&String, _)| QueueInfo {
            queue: queue.clone(),
            waiting,
            first_due_at,
        };
        queues.into_iter().map(info).take(size(request.limit)).collect()
    }

    fn find_work(&self, id: Uuid) -> Option<Waiting> {
        self.outbox.values().find(|waiting| waiting.entry.id == id).cloned()
    }

    fn read_due(&self, request: &ReadDue) -> DuePage {
        let of_queue = self.outbox.values().filter(|waiting| waiting.entry.queue == request.queue);
        let (mut due, later): (Vec<_>, Vec<_>) = of_queue.partition(|one| one.due_at() <= request.now);
        due.sort_by_key(|waiting| (waiting.due_at(), waiting.number));
        DuePage {
            entries: due.into_iter().take(size(request.limit)).cloned().collect(),
            next_due: later.into_iter().map(Waiting::due_at).min(),
        }
    }

    fn keep_notices(&mut self, notices: Vec<KeptNotice>) -> u64 {
        let before = self.notices.len();
        for notice in notices {
            if self.notices.keys().all(|(_, id)| *id != notice.id) {
                self.notices.insert((notice.occurred_at, notice.id), notice);
            }
        }
        count(self.notices.len() - before)
    }

    fn list_notices(&self, request: &ListNotices) -> Vec<KeptNotice> {
        let after = request.after.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.notices.range((after, Bound::Unbounded)).map(|(_, notice)| notice);
        let wanted = behind.filter(|notice| {
            request.topic.as_ref().is_none_or(|topic| notice.topic == *topic)
                && request.transaction_id.is_none_or(|id| notice.transaction_id == Some(id))
                && request.since.is_none_or(|since| notice.occurred_at >= since)
        });
        wanted.take(size(request.limit)).cloned().collect()
    }
}
