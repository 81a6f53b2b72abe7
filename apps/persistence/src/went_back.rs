//! A log that is not the one this process knows any more: its database was restored, or failed over to a server that lagged, or its file is
//! not where it was.
//!
//! What was read, decided and handled here is of a log that is no more, and what is appended takes the places of what was lost. So
//! the store goes down before anybody passes over that, and stays down, until the whole process begins anew with what is stored.
//!
//! Three things tell: the file that is open is not the store's any more; the log ends before what is known of it; or it has grown again since, and at a place where an event is known there is
//! another one. The first two are looked for whenever its end is; the third, which costs reads, once connections were lost: no database goes
//! back under those that it has.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use umbel_core::{
    EventId, Position,
    document::Direction,
    store::{ReadAll, Selector, StoreError},
};

use crate::adapter::{Adapter, Exchanged};

/// More are not remembered between two looks; what is known longest tells more than what came after connections were lost.
const REMEMBERED_MAX: usize = 1024;

/// Whether the log of this process has gone back. Kept over restarts of the store's actors.
#[derive(Debug, Default)]
pub(crate) struct WentBack {
    lost: OnceLock<Lost>,
    /// Events and their places that were not looked at since connections were lost, as they became known.
    remembered: Mutex<Vec<(Position, EventId)>>,
}

/// How it is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Lost {
    /// The file that holds it is not the store's any more.
    #[error("{0} {NOT_THE_FILE}")]
    File(Exchanged),
    /// The log ends before what is known.
    #[error("the log went back from {known} to {found}{}", CONSEQUENCE)]
    End {
        /// Where it ended.
        known: Position,
        /// Where it ends.
        found: Position,
    },
    /// Another event is where one is known.
    #[error(
        "the log went back behind {known}, where event {event} was and another one is now{}",
        CONSEQUENCE
    )]
    Replaced {
        /// The place of both.
        known: Position,
        /// The one that was there.
        event: EventId,
    },
}

const CONSEQUENCE: &str = ": its database was restored, or failed over to a server that lagged. What this process knows is of a log that \
                           is no more: start it anew";

const NOT_THE_FILE: &str = "while this process had it open: what it has written since then is lost. Stop everything that runs over it; if the \
                            file was moved, put it back together with the one that ends in -wal, else put a copy in its place without \
                            such a file, or begin with an empty store; then start anew";

impl WentBack {
    /// Compares the log's end with what had been known before it was asked for.
    ///
    /// # Errors
    /// When it has gone back, now or before.
    pub(crate) fn check(&self, known: Position, found: Position) -> Result<(), Lost> {
        if found < known {
            self.note(Lost::End { known, found });
        }
        self.so_far()
    }

    /// # Errors
    /// When it is known to have gone back.
    pub(crate) fn so_far(&self) -> Result<(), Lost> {
        self.lost.get().map_or(Ok(()), |lost| Err(lost.clone()))
    }

    /// Asks what has become of the file that the log is in.
    ///
    /// # Errors
    /// When it is not the store's any more, or the log has gone back before.
    pub(crate) async fn check_file(&self, adapter: &dyn Adapter) -> Result<(), Lost> {
        if let Some(exchanged) = adapter.exchanged().await {
            self.note(Lost::File(exchanged));
        }
        self.so_far()
    }

    /// An event is stored at this place.
    pub(crate) fn remember(&self, at: Position, event: EventId) {
        let mut remembered = self.remembered();
        if remembered.len() < REMEMBERED_MAX {
            remembered.push((at, event));
        }
    }

    /// How many events are remembered.
    pub(crate) fn len(&self) -> usize {
        self.remembered().len()
    }

    /// So many of those remembered were stored in the log as it is: the last of them stands for all.
    pub(crate) fn confirm(&self, count: usize) {
        self.remembered().drain(..count.saturating_sub(1));
    }

    /// Looks for all that is remembered; [`so_far`](Self::so_far) has what came of that. What was removed since tells nothing.
    ///
    /// # Errors
    /// When a read fails: then it is to be done again.
    pub(crate) async fn look(&self, adapter: &dyn Adapter) -> Result<(), StoreError> {
        let remembered = self.remembered().clone();
        for &(known, event) in &remembered {
            if stored_at(adapter, known).await?.is_some_and(|found| found != event) {
                self.note(Lost::Replaced { known, event });
                return Ok(());
            }
        }
        self.confirm(remembered.len());
        Ok(())
    }

    /// Remembers the log's last event, which others may have appended.
    ///
    /// # Errors
    /// When a read fails.
    pub(crate) async fn remember_end(&self, adapter: &dyn Adapter, head: Position) -> Result<(), StoreError> {
        let is_known =
            |remembered: &[(Position, EventId)]| remembered.last().is_some_and(|(at, _)| *at >= head);
        if head > Position::START && !is_known(&self.remembered()) {
            stored_at(adapter, head).await?.into_iter().for_each(|event| self.remember(head, event));
        }
        Ok(())
    }

    fn note(&self, lost: Lost) {
        if self.lost.set(lost).is_ok()
            && let Err(lost) = self.so_far()
        {
            tracing::error!("{lost}");
        }
    }

    fn remembered(&self) -> MutexGuard<'_, Vec<(Position, EventId)>> {
        // Each change is whole.
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The event at a place, unless it was removed.
async fn stored_at(adapter: &dyn Adapter, place: Position) -> Result<Option<EventId>, StoreError> {
    let (from, direction, limit, selector) = (Some(place), Direction::Forward, 1, Selector::all());
    let found = adapter.read_all(ReadAll { from, direction, limit, selector }).await?.events.pop();
    Ok(found.filter(|found| found.position == place).map(|found| found.id))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use umbel_bus::{Bus, BusSettings};
    use umbel_core::{ExpectedVersion, Timestamp};
    use umbel_supervision::{Group, Intensity, Outcome, Policy, Supervisor};
    use umbel_testkit::conformance::Events;

    use super::*;
    use crate::{StoreSettings, adapter::Log as _, group, memory::Memory};

    const AMPLE: Duration = Duration::from_secs(30);

    /// A process over a log of five events that it has appended ends, and says why, when this is done to its database.
    pub(crate) fn assert_ends(settings: StoreSettings, back: impl FnOnce() + Send + 'static, why: &str) {
        let settings = StoreSettings { poll_interval_ms: 10, ..settings };
        actix::System::new().block_on(async {
            let intensity = Intensity { max_restarts: 1, within: AMPLE };
            let policy = Policy { intensity, ..Policy::default() };
            let bus = Bus::new(BusSettings::default());
            let root = Group::new("test", policy.clone()).child(umbel_bus::worker(&bus));
            let supervisor = Supervisor::start(root.child(group(&settings, &bus, policy)));
            supervisor.tree().wait_until_up(AMPLE).await.unwrap();
            let append = Events::default().append("s", ExpectedVersion::Any, 5);
            let last = bus.store().append(append).await.unwrap().last_position;
            assert_eq!(last, Some(Position::new(5)));

            tokio::task::spawn_blocking(back).await.unwrap();
            let ended = tokio::time::timeout(AMPLE, supervisor.finished()).await.unwrap();
            let Outcome::Escalated { cause, .. } = &ended else { panic!("{ended:?}") };
            assert!(cause.contains(why), "{cause}");
        });
    }

    #[test]
    fn a_log_that_went_back_once_is_not_trusted_again() {
        let (log, at) = (WentBack::default(), Position::new);
        assert_eq!(log.check(at(5), at(5)), Ok(()));
        let lost = Err(Lost::End { known: at(5), found: at(4) });
        assert_eq!(log.check(at(5), at(4)), lost);
        assert_eq!(log.check(at(4), at(9)), lost);
        assert_eq!(log.so_far(), lost);
    }

    /// What is known of a log tells when another event is in its place, however far the log goes; the last one that was confirmed
    /// stands for those before it.
    #[tokio::test]
    async fn another_event_in_the_place_of_a_known_one_tells() {
        let (log, store, events) = (WentBack::default(), Memory::new(), Events::default());
        let append = events.append("s", ExpectedVersion::Any, 5);
        let ids: Vec<_> = append.streams[0].events.iter().map(|event| event.id).collect();
        store.append(vec![append], Timestamp::from_micros(1)).await.remove(0).unwrap();
        for (place, id) in (1..).zip(&ids[..3]) {
            log.remember(Position::new(place), *id);
        }
        log.look(&store).await.unwrap();
        assert_eq!((log.so_far(), log.len()), (Ok(()), 1));
        for _ in 0..2 {
            log.remember_end(&store, Position::new(5)).await.unwrap();
        }
        assert_eq!(*log.remembered(), [(Position::new(3), ids[2]), (Position::new(5), ids[4])]);
        log.confirm(2);
        log.remember(Position::new(9), ids[0]);
        log.look(&store).await.unwrap();
        assert_eq!(log.so_far(), Ok(()), "nothing is there");

        let (known, event) = (Position::new(4), ids[1]);
        log.remember(known, event);
        log.look(&store).await.unwrap();
        assert_eq!(log.so_far(), Err(Lost::Replaced { known, event }));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let log = WentBack::default();
        let ids: Vec<_> = (0..2000_u128).map(|number| EventId(uuid::Uuid::from_u128(number))).collect();
        for (place, id) in (1..).zip(&ids) {
            log.remember(Position::new(place), *id);
        }
        assert_eq!((log.len(), log.remembered()[0].1), (REMEMBERED_MAX, ids[0]));
    }
}
