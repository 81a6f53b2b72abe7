//! Acts about subscriptions, dead letters and projections, within the transaction that records them.

use tokio_postgres::{Client, Error};
use umbel_core::{
    StreamName,
    store::{Act, LetterFilter, PerformError, StoreError},
    subscription::SubscriptionName,
    version::Place,
};

use super::start_columns;
use crate::postgres::{
    reader::{Param, Reader},
    sql::Statements,
    statement::{self, ask_one},
    types::JsonIn,
};

/// What such an act answered.
pub(in crate::postgres) enum Asked {
    /// It was about so many dead letters.
    Letters(u64),
    /// What it names is not there, or where it leads to; nothing was done.
    Refused(PerformError),
}

/// The dead letters that an act is about. They are looked for before the log's lock is taken: whatever that takes, no append waits
/// for it.
#[derive(Debug, Default)]
pub(in crate::postgres) struct Meant {
    subscriptions: Vec<String>,
    places: Vec<i64>,
}

/// A filter as parameters.
pub(super) struct FilterParams<'a> {
    subscription: Option<&'a str>,
    place: Option<i64>,
    key: Option<&'a str>,
    event_name: Option<&'a str>,
    after: Option<i64>,
    through: Option<i64>,
    error: Option<&'a str>,
    failed: Option<bool>,
    asked: Option<bool>,
}

pub(super) fn filter_params(filter: &LetterFilter) -> FilterParams<'_> {
    FilterParams {
        subscription: filter.subscription.as_ref().map(SubscriptionName::as_str),
        place: filter.place.map(Place::to_i64),
        key: filter.key.as_deref(),
        event_name: filter.event_name.as_deref(),
        after: filter.after.map(Place::to_i64),
        through: filter.through.map(Place::to_i64),
        error: filter.error_contains.as_deref(),
        failed: filter.failed,
        asked: filter.asked,
    }
}

impl FilterParams<'_> {
    pub(super) fn params(&self) -> [Param<'_>; 9] {
        let Self { subscription, place, key, event_name, after, through, error, failed, asked } = self;
        [subscription, place, key, event_name, after, through, error, failed, asked]
    }
}

impl Asked {
    /// Does an act, if it is one of these.
    pub(in crate::postgres) async fn of(
        client: &Client,
        statements: &Statements,
        act: &Act,
        meant: &Meant,
    ) -> Result<Option<Self>, Error> {
        let answer = match act {
            Act::PauseSubscription { subscription } => {
                ask(client, &statements.pause_subscription, &[&subscription.as_str(), &true]).await
            }
            Act::ResumeSubscription { subscription } => {
                ask(client, &statements.pause_subscription, &[&subscription.as_str(), &false]).await
            }
            Act::ResetSubscription { subscription, start } => {
                // Neither it nor what it follows changes its end meanwhile: both need the log's lock, which is held.
                let params: [Param<'_>; 1] = [&subscription.as_str()];
                let Some(row) = statement::ask(client, &statements.find_followed, &params).await?.pop()
                else {
                    return Ok(act.missing(true).map(Self::Refused));
                };
                let followed = row.get::<_, Option<String>>("stream").map(StreamName::from_store);
                if let Err(beyond) = act.check_start(followed.as_ref(), Place::from_i64(row.get("place"))) {
                    return Ok(Some(Self::Refused(beyond)));
                }
                let (start, current) = start_columns(*start);
                let params: [Param<'_>; 3] = [&subscription.as_str(), &start, &current];
                ask(client, &statements.reset_subscription, &params).await
            }
            Act::RenameSubscription { subscription, to } => {
                let params: [Param<'_>; 2] = [&subscription.as_str(), &to.as_str()];
                ask(client, &statements.rename_subscription, &params).await
            }
            Act::DeleteSubscription { subscription } => {
                ask(client, &statements.delete_subscription, &[&subscription.as_str()]).await
            }
            Act::RebuildProjection { projection } => {
                ask(client, &statements.rebuild_projection, &[projection]).await
            }
            Act::DropProjection { projection } => {
                ask(client, &statements.drop_projection, &[projection]).await
            }
            Act::RetryLetters { filter, limit } => {
                let (name, place) = named(filter);
                let params: [Param<'_>; 5] =
                    [&name, &place, &meant.subscriptions, &meant.places, &i64::from(*limit)];
                ask(client, &statements.retry_letters, &params).await
            }
            Act::CancelRetries { filter, .. } => {
                let (name, place) = named(filter);
                let params: [Param<'_>; 4] = [&name, &place, &meant.subscriptions, &meant.places];
                ask(client, &statements.cancel_retries, &params).await
            }
            Act::DiscardLetters { filter, .. } => {
                let (name, place) = named(filter);
                let params: [Param<'_>; 6] = [
                    &name,
                    &place,
                    &filter.error_contains,
                    &filter.failed,
                    &meant.subscriptions,
                    &meant.places,
                ];
                ask(client, &statements.discard_letters, &params).await
            }
            Act::EditLetter { subscription, place, data } => {
                let data = data.as_ref().map(|data| JsonIn(data.as_str()));
                let params: [Param<'_>; 3] = [&subscription.as_str(), &place.to_i64(), &data];
                ask(client, &statements.edit_letter, &params).await
            }
            Act::DeleteStream { .. }
            | Act::TruncateStream { .. }
            | Act::Archive { .. }
            | Act::ForgetSubject { .. }
            | Act::SweepNotices { .. } => return Ok(None),
        };
        Ok(Some(Self::from_answer(answer?, act)))
    }

    /// A negative answer says what is missing.
    fn from_answer(letters: i64, act: &Act) -> Self {
        match (u64::try_from(letters), act.missing(letters == -1)) {
            (Ok(letters), _) => Self::Letters(letters),
            (Err(_), Some(missing)) => Self::Refused(missing),
            (Err(_), None) => Self::Letters(0),
        }
    }
}

impl Reader {
    pub(in crate::postgres) async fn find_meant(&self, act: &Act) -> Result<Meant, StoreError> {
        let (filter, limit) = match act {
            Act::RetryLetters { filter, limit } => (&filter.asked(false), i64::from(*limit)),
            Act::CancelRetries { filter, limit } => (&filter.asked(true), i64::from(*limit)),
            Act::DiscardLetters { filter, limit } => (filter, i64::from(*limit)),
            _ => return Ok(Meant::default()),
        };
        let (filter, page) = (filter_params(filter), [&limit as Param<'_>]);
        let params = [&filter.params()[..], &page].concat();
        let rows = self.query(&self.statements().find_meant_letters, &params).await?;
        let letters =
            rows.iter().map(|row| (row.get::<_, String>("subscription"), row.get::<_, i64>("place")));
        let (subscriptions, places) = letters.unzip();
        Ok(Meant { subscriptions, places })
    }
}

/// What must be there because it is named.
fn named(filter: &LetterFilter) -> (Option<&str>, Option<i64>) {
    (filter.subscription.as_ref().map(SubscriptionName::as_str), filter.place.map(Place::to_i64))
}

/// However long it takes, as all acts.
async fn ask(client: &Client, sql: &str, params: &[Param<'_>]) -> Result<i64, Error> {
    client.batch_execute("SET LOCAL statement_timeout = 0").await?;
    Ok(ask_one(client, sql, params).await?.get("letters"))
}
