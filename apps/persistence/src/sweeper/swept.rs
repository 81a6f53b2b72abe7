//! What sweeps of notices have removed, as the audit learns of it: the first at once, and what comes within a day in one record.

use std::{mem, time::Duration};

use umbel_bus::edge;
use umbel_core::{
    EventId, Metadata, Timestamp,
    store::{Act, Perform},
};

use crate::{adapter::Adapter, steps::to_the_end};

/// From one record to the next at least.
const APART: Duration = Duration::from_secs(24 * 3600);

/// What was removed and is not recorded yet.
#[derive(Debug, Default)]
pub(super) struct Swept {
    notices: u64,
    /// When the first of them was.
    since: Option<Timestamp>,
    /// When there may be another record; `None` before the first.
    next_at: Option<Timestamp>,
    /// A record that may be stored already: it is the same one that is tried again.
    under_way: Option<Perform>,
}

impl Swept {
    pub(super) fn add(&mut self, notices: u64, now: Timestamp) {
        self.since.get_or_insert(now);
        self.notices += notices;
    }

    /// Records what is due. A store that does not take it is asked the next time.
    pub(super) async fn record(&mut self, adapter: &dyn Adapter, now: Timestamp) {
        if self.next_at.is_none_or(|next_at| now >= next_at) {
            self.record_all(adapter, now).await;
        }
    }

    /// Records everything, as whoever ends.
    pub(super) async fn record_all(&mut self, adapter: &dyn Adapter, now: Timestamp) {
        if self.under_way.is_none()
            && let Some(since) = self.since.take()
        {
            let (id, notices) = (edge::fresh_id(), mem::take(&mut self.notices));
            let act = Act::SweepNotices { notices, since };
            self.under_way = Some(Perform { id: EventId(id), act, metadata: Metadata::correlated(id) });
        }
        let Some(request) = &self.under_way else { return };
        match to_the_end(adapter, request.clone(), || now).await {
            Ok(_) => {
                self.under_way = None;
                self.next_at = Some(now.plus(APART));
            }
            Err(error) => tracing::warn!(%error, "the removal of kept notices is not recorded yet"),
        }
    }
}
