//! The sweeper: removes the kept notices whose time has come, forgets commands that were recorded long ago, removes dead letters of
//! subscriptions that were deleted or begin elsewhere, and ends removals that were begun and left, every now and then.
//!
//! On several nodes each sweeps; what one has removed the others do not find.

mod swept;

use std::time::Duration;

use tokio::time::{sleep, timeout};
use umbel_bus::edge;
use umbel_core::{
    Timestamp,
    store::{StoreError, SweepNotices},
};
use umbel_supervision::Stopping;

use self::swept::Swept;
use crate::{adapter::Adapter, settings::StoreSettings, vault::Vault};

/// How long a process that ends takes to record what it has removed.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Sweeps at once and then after each interval, until told to stop. A store that is away is swept the next time.
pub(crate) async fn sweep(vault: &Vault, settings: &StoreSettings, stopping: Stopping) {
    let (adapter, mut swept) = (&**vault.adapter(), Swept::default());
    loop {
        match adapter.sweep_notices(SweepNotices { now: edge::now() }).await {
            Ok(0) => {}
            Ok(removed) => {
                tracing::debug!(removed, "removed kept notices that had expired");
                swept.add(removed, edge::now());
            }
            Err(error) => tracing::warn!(%error, "kept notices that have expired are not removed yet"),
        }
        swept.record(adapter, edge::now()).await;
        if let Some(kept) = settings.commands_kept() {
            match forget_commands(adapter, edge::now(), kept).await {
                Ok(0) => {}
                Ok(forgotten) => tracing::debug!(forgotten, "forgot commands that were recorded long ago"),
                Err(error) => {
                    tracing::warn!(%error, "commands that were recorded long ago are not forgotten yet");
                }
            }
        }
        match remove_letters(adapter, settings.letters_act_max).await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "removed dead letters that were lost"),
            Err(error) => tracing::warn!(%error, "dead letters that were lost are not removed yet"),
        }
        tokio::select! {
            () = finish_removals(vault) => {}
            () = stopping.clone() => break,
        }
        tokio::select! {
            () = sleep(settings.notices_sweep_interval()) => {}
            () = stopping.clone() => break,
        }
    }
    drop(timeout(LAST_WORD, swept.record_all(adapter, edge::now())).await);
}

/// Goes on with removals that somebody has begun and not ended. Where somebody else is at it, both take steps, each another one.
async fn finish_removals(vault: &Vault) {
    let begun = match vault.adapter().removals().await {
        Ok(begun) => begun,
        Err(error) => return tracing::warn!(%error, "removals that were begun do not go on yet"),
    };
    for request in begun {
        let (id, stream) = (request.id, request.act.stream().map(ToString::to_string));
        match vault.remove(request).await {
            Ok(performed) => {
                let (events, links) = (performed.events, performed.links);
                tracing::info!(act = %id, stream, events, links, "ended a removal that was begun before");
            }
            Err(error) => {
                tracing::warn!(act = %id, stream, %error, "a removal that was begun does not go on yet");
            }
        }
    }
}

/// Forgets commands that nobody will send again: those recorded so long before now, and so long before the oldest work that still
/// waits. For what was begun before everything stood still for weeks is taken up again under the same ids, and must be known.
pub(crate) async fn forget_commands(
    adapter: &dyn Adapter,
    now: Timestamp,
    kept: Duration,
) -> Result<u64, StoreError> {
    let oldest = adapter.oldest_work(now).await?.unwrap_or(now).min(now);
    let kept_micros = i64::try_from(kept.as_micros()).unwrap_or(i64::MAX);
    adapter.sweep_commands(Timestamp::from_micros(oldest.as_micros().saturating_sub(kept_micros))).await
}

/// Removes dead letters that were lost, step by step. What a crash leaves is removed the next time.
async fn remove_letters(adapter: &dyn Adapter, step: u32) -> Result<u64, StoreError> {
    let mut all = 0;
    loop {
        let removed = adapter.sweep_letters(step).await?;
        all += removed;
        if removed < step.into() {
            return Ok(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use umbel_bus::{Bus, BusSettings};
    use umbel_core::{
        ExpectedVersion, Json, Timestamp,
        document::Direction,
        store::{Act, ActRecord, KeepNotices, KeptNotice, ListNotices, ReadAll, Removal, Selector, Step},
    };
    use umbel_supervision::{Group, Policy, Supervisor};
    use umbel_testkit::conformance::{Events, delete};
    use uuid::Uuid;

    use super::*;
    use crate::{
        adapter::{Extras as _, Log as _, Upkeep as _},
        memory::Memory,
        part::group_over,
        settings::StoreSettings,
        sqlite::Sqlite,
    };

    fn notice(number: u128, lives: Option<Duration>) -> KeptNotice {
        let occurred_at = Timestamp::from_micros(edge::now().as_micros() - 60_000_000);
        let notice = KeptNotice {
            id: Uuid::from_u128(number),
            topic: "test".to_owned(),
            transaction_id: None,
            source: None,
            initialized_at: None,
            occurred_at,
            expires_at: None,
            data: Json::from_store("{}"),
        };
        match lives {
            Some(ttl) => notice.for_at_least(ttl),
            None => notice,
        }
    }

    /// LD-07: given a removal that was begun and left, when a store starts over what it left, then it is ended, whoever began it.
    #[test]
    fn a_removal_that_was_left_is_ended() {
        let system = actix::System::new();
        system.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let store = Sqlite::open(&directory.path().join("umbel.db")).unwrap().with_removal_step_max(2);
            let (store, events) = (Arc::new(store), Events::default());
            let append = events.append("s", ExpectedVersion::NoStream, 9);
            store.append(vec![append], edge::now()).await.remove(0).unwrap();
            let left = events.perform(delete("s", Removal::Hard));
            assert_eq!(store.perform_step(left.clone(), edge::now()).await, Ok(Step::More));
            let (bus, settings) = (Bus::new(BusSettings::default()), StoreSettings::default());
            let group = group_over(Arc::clone(&store) as _, &settings, &bus, Policy::default());
            let root = Group::new("test", Policy::default()).child(umbel_bus::worker(&bus)).child(group);
            let supervisor = Supervisor::start(root);
            while !store.removals().await.unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            let record = store.find_event(left.id).await.unwrap().unwrap();
            assert_eq!(left.done_before(&record).unwrap().events, 9);
            supervisor.shut_down().await;
            actix::System::current().stop();
        });
        system.run().unwrap();
    }

    /// PG-03: given notices past their time to live, when the sweep runs, only those vanish, also when they come later.
    #[test]
    fn what_has_expired_is_removed_and_nothing_else() {
        let system = actix::System::new();
        system.block_on(async {
            let (bus, memory) = (Bus::new(BusSettings::default()), Arc::new(Memory::new()));
            let settings = StoreSettings { notices_sweep_interval_ms: 5, ..StoreSettings::default() };
            let store = group_over(Arc::clone(&memory) as _, &settings, &bus, Policy::default());
            let root = Group::new("test", Policy::default()).child(umbel_bus::worker(&bus)).child(store);
            let supervisor = Supervisor::start(root);
            supervisor.tree().wait_until_up(Duration::from_secs(30)).await.unwrap();
            for expired in [1, 2] {
                let lives = [Some(Duration::from_secs(30)), Some(Duration::from_secs(3600)), None];
                let notices =
                    lives.into_iter().zip([expired, 10, 11]).map(|(ttl, number)| notice(number, ttl));
                memory.keep_notices(KeepNotices { notices: notices.collect() }).await.unwrap();
                loop {
                    let request = ListNotices { limit: 10, ..ListNotices::default() };
                    let kept = memory.list_notices(request).await.unwrap();
                    let mut ids: Vec<_> = kept.into_iter().map(|notice| notice.id.as_u128()).collect();
                    ids.sort_unstable();
                    assert!(ids.ends_with(&[10, 11]), "{ids:?}");
                    if ids.len() == 2 {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            supervisor.shut_down().await;
            // The first at once, and the other one as the process ended.
            let audit = memory.read_all(whole()).await.unwrap().events;
            let records: Vec<ActRecord> = audit.iter().map(|event| event.data.decode().unwrap()).collect();
            let swept = records.iter().map(|record| match record.act {
                Act::SweepNotices { notices, .. } => notices,
                _ => 0,
            });
            assert_eq!(swept.collect::<Vec<_>>(), [1, 1]);
            actix::System::current().stop();
        });
        system.run().unwrap();
    }

    /// PG-03: however many sweeps of a day find something, there is one record of them, with how many notices that were.
    #[tokio::test]
    async fn what_expired_is_recorded_once_a_day() {
        let (memory, mut swept) = (Memory::new(), Swept::default());
        let at = |minutes: u64| Timestamp::from_micros(0).plus(Duration::from_secs(60 * minutes));
        for minute in 0..3 * 24 * 60 {
            swept.add(1, at(minute));
            swept.record(&memory, at(minute)).await;
        }
        let audit = memory.read_all(whole()).await.unwrap().events;
        let acts: Vec<_> = audit.iter().map(|event| event.data.decode::<ActRecord>().unwrap().act).collect();
        let day = |day, notices, since| {
            assert_eq!(acts[day], Act::SweepNotices { notices, since: at(since) });
        };
        day(0, 1, 0);
        day(1, 1440, 1);
        day(2, 1440, 1441);
        assert_eq!(acts.len(), 3);
    }

    fn whole() -> ReadAll {
        ReadAll { from: None, direction: Direction::Forward, limit: 1000, selector: Selector::all() }
    }
}
