//! Requests about subscriptions and dead letters, and the acts that change them: bounded, cut and permitted.

use futures_util::{TryFutureExt as _, future::ready};
use umbel_bus::edge;
use umbel_core::{
    Json,
    store::{
        Act, CountLetters, KeepLeases, LEASE_MAX_MS, ListLetters, ListSubscriptions, NewLetter, NoteBegun,
        NoteResetsTold, OpenSubscription, ParkLetters, PerformError, ReadParkedKeys, SaveCheckpoints,
        SettleLetters, StoreError, TakeLetters,
    },
    subscription::{Change, SettledLetter, Settling},
};

use super::{Answer, BoxedAnswer, Desk, unknown};

answers! {
    OpenSubscription: |asked, desk| match asked.check() {
        Ok(()) => desk.adapter.open_subscription(asked.cut(), edge::now()),
        Err(error) => Box::pin(ready(Err(error))),
    }, too_late: unknown;
    KeepLeases: |asked, desk| {
        let (lease_ms, change) = (asked.lease_ms.min(LEASE_MAX_MS), Change::by_leases(&asked));
        let kept = desk.adapter.keep_leases(Self { lease_ms, ..asked }, edge::now());
        Box::pin(kept.inspect_ok(move |_| desk.changed(change)))
    }, too_late: unknown;
    SaveCheckpoints: |asked, desk| match desk.bounded(asked.checkpoints.len(), "checkpoints") {
        Ok(()) => desk.adapter.save_checkpoints(asked),
        Err(error) => Box::pin(ready(Err(error))),
    }, too_late: unknown;
    NoteBegun: |asked, desk| desk.adapter.note_begun(asked), too_late: unknown;
    NoteResetsTold: |asked, desk| desk.adapter.note_resets_told(asked), too_late: unknown;
    ListSubscriptions: |asked, desk| {
        desk.adapter.list_subscriptions(Self { limit: desk.page(asked.limit), ..asked }, edge::now())
    };
    ParkLetters: |asked, desk| match desk.bounded(asked.letters.len(), "dead letters") {
        Ok(()) => {
            let letters = asked.letters.into_iter().map(NewLetter::cut).collect();
            desk.adapter.park_letters(Self { letters, ..asked }, edge::now())
        }
        Err(error) => Box::pin(ready(Err(error))),
    }, too_late: unknown;
    ReadParkedKeys: |asked, desk| desk.adapter.read_parked_keys(asked);
    TakeLetters: |asked, desk| desk.adapter.take_letters(Self { limit: desk.page(asked.limit), ..asked });
    SettleLetters: |asked, desk| match desk.bounded(asked.settled.len(), "dead letters") {
        Ok(()) => {
            let settled = asked.settled.into_iter().map(cut).collect();
            desk.adapter.settle_letters(Self { settled, ..asked })
        }
        Err(error) => Box::pin(ready(Err(error))),
    }, too_late: unknown;
    ListLetters: |asked, desk| {
        let limit = desk.page(asked.limit);
        desk.adapter.list_letters(Self { filter: asked.filter.cut(), limit, ..asked })
    };
    CountLetters: |asked, desk| desk.adapter.count_letters(Self { filter: asked.filter.cut() });
}

impl Desk {
    /// Those of this process who run subscriptions need not wait until they ask.
    pub(super) fn changed(&self, change: Option<Change>) {
        if let Some(change) = change {
            self.bus.announce_change(change);
        }
    }

    /// An act holds the log's lock, so it is about few letters.
    fn letters(&self, limit: u32) -> u32 {
        limit.min(self.settings.letters_act_max)
    }

    fn bounded(&self, count: usize, what: &str) -> Result<(), StoreError> {
        let limit = self.settings.group_max_events;
        if count <= limit {
            return Ok(());
        }
        Err(StoreError::Failed {
            reason: format!(
                "one request holds {count} {what}; the setting store.group_max_events allows {limit}"
            ),
        })
    }

    /// An act with its bounds. What is recorded of it depends only on what was asked for and the settings.
    ///
    /// # Errors
    /// When the data of an edited letter are none that an event could have.
    pub(super) fn within_bounds(&self, act: Act) -> Result<Act, PerformError> {
        Ok(match act {
            Act::RetryLetters { filter, limit } => {
                Act::RetryLetters { filter: filter.cut(), limit: self.letters(limit) }
            }
            Act::CancelRetries { filter, limit } => {
                Act::CancelRetries { filter: filter.cut(), limit: self.letters(limit) }
            }
            Act::DiscardLetters { filter, limit } => {
                Act::DiscardLetters { filter: filter.cut(), limit: self.letters(limit) }
            }
            Act::EditLetter { data: Some(data), subscription, place } => {
                self.check_data(&data)?;
                Act::EditLetter { data: Some(data), subscription, place }
            }
            act => act,
        })
    }

    fn check_data(&self, data: &Json) -> Result<(), PerformError> {
        let (size, limit) = (data.len_bytes(), self.settings.max_payload_bytes);
        let depth = self.settings.max_json_depth;
        let reason = if size > limit {
            format!("the new data has {size} bytes; the setting store.max_payload_bytes allows {limit}")
        } else if data.is_deeper_than(depth) {
            format!("the new data is nested too deep; the setting store.max_json_depth allows {depth}")
        } else if let Err(error) = Json::parse(data.as_str()) {
            format!("the new data is not JSON: {error}")
        } else {
            return Ok(());
        };
        Err(PerformError::DataRefused { reason })
    }
}

fn cut(settled: SettledLetter) -> SettledLetter {
    let settling = match settled.settling {
        Settling::Failed(failure) => Settling::Failed(failure.cut()),
        Settling::Done => Settling::Done,
    };
    SettledLetter { settling, ..settled }
}
