//! Kept notices: transient announcements that somebody wanted to be able to look up for a while.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    json::{Json, JsonError},
    message::{Notice, Request},
    store::StoreError,
    time::Timestamp,
};

/// A kind of notice that can be kept for a while: what there is to know of one beside what it tells. An app that declares so
/// records those that are published in its process. Nothing has to be said: there are defaults for all.
pub trait Recorded: Notice + Serialize {
    /// Its id, by which it is kept once. Without it, it gets one when it is recorded.
    fn id(&self) -> Option<Uuid> {
        None
    }

    /// The transaction it belongs to.
    fn transaction_id(&self) -> Option<Uuid> {
        None
    }

    /// Who published it.
    fn source(&self) -> Option<String> {
        None
    }

    /// When what it tells of began.
    fn initialized_at(&self) -> Option<Timestamp> {
        None
    }

    /// When it happened. Without it, that is when it is recorded.
    fn occurred_at(&self) -> Option<Timestamp> {
        None
    }

    /// How long after that it is to be kept. Without it, that is a setting.
    fn ttl(&self) -> Option<Duration> {
        None
    }
}

/// A notice as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptNotice {
    /// Its id; each is kept once.
    pub id: Uuid,
    /// The topic it was published under.
    pub topic: String,
    /// The transaction it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<Uuid>,
    /// Who published it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When what it tells of began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initialized_at: Option<Timestamp>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it need not be kept any longer; `None` is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What it tells.
    pub data: Json,
}

/// Keeps notices, all or none; those whose ids are kept already are left as they are.
/// Answers how many are new.
#[derive(Clone, Debug)]
pub struct KeepNotices {
    /// The notices.
    pub notices: Vec<KeptNotice>,
}

/// Reads kept notices page by page, by the moment they occurred and then by id.
#[derive(Clone, Debug, Default)]
pub struct ListNotices {
    /// Only those of this topic.
    pub topic: Option<String>,
    /// Only those of this transaction.
    pub transaction_id: Option<Uuid>,
    /// Only those that occurred at this moment or later.
    pub since: Option<Timestamp>,
    /// Only those behind this one: the last one of the page before.
    pub after: Option<(Timestamp, Uuid)>,
    /// How many at most; the store's own page limit applies too.
    pub limit: u32,
}

/// Removes kept notices whose time has come. Answers how many.
#[derive(Clone, Copy, Debug)]
pub struct SweepNotices {
    /// Those that expire at this moment or earlier.
    pub now: Timestamp,
}

impl KeptNotice {
    /// A notice as it is kept when it is recorded `now`. The id and the time to live are for one that has none of its own.
    ///
    /// # Errors
    /// When the notice has no JSON form.
    pub fn of<N: Recorded>(notice: &N, now: Timestamp, id: Uuid, ttl: Duration) -> Result<Self, JsonError> {
        let kept = Self {
            id: notice.id().unwrap_or(id),
            topic: N::TOPIC.to_owned(),
            transaction_id: notice.transaction_id(),
            source: notice.source(),
            initialized_at: notice.initialized_at(),
            occurred_at: notice.occurred_at().unwrap_or(now),
            expires_at: None,
            data: Json::encode(notice)?,
        };
        Ok(kept.for_at_least(notice.ttl().unwrap_or(ttl)))
    }

    /// The same, to be kept for so long after it occurred.
    #[must_use]
    pub fn for_at_least(mut self, ttl: Duration) -> Self {
        self.expires_at = Some(self.occurred_at.plus(ttl));
        self
    }
}

impl Request for KeepNotices {
    const NAME: &'static str = "store.keep_notices";
    type Answer = u64;
    type Error = StoreError;
}

impl Request for ListNotices {
    const NAME: &'static str = "store.list_notices";
    type Answer = Vec<KeptNotice>;
    type Error = StoreError;
}

impl Request for SweepNotices {
    const NAME: &'static str = "store.sweep_notices";
    type Answer = u64;
    type Error = StoreError;
}
