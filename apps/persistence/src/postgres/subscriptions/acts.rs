//! Acts about subscriptions, dead letters and projections, within the transaction that records them.

use tokio_postgres::{Client, Error};
use umbel_core::{
    store::{Act, LetterFilter, PerformError},
    subscription::SubscriptionName,
    version::Place,
};

use super::start_columns;
use crate::postgres::{reader::Param, sql::Statements, statement::ask_one, types::JsonIn};

/// What such an act answered.
pub(in crate::postgres) enum Asked {
    /// It was about so many dead letters.
    Letters(u64),
    /// What it names is not there; nothing was done.
    Missing(PerformError),
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
    }
}

impl FilterParams<'_> {
    pub(super) fn params(&self) -> [Param<'_>; 8] {
        let Self { subscription, place, key, event_name, after, through, error, failed } = self;
        [subscription, place, key, event_name, after, through, error, failed]
    }
}

impl Asked {
    /// Does an act, if it is one of these.
    pub(in crate::postgres) async fn of(
        client: &Client,
        statements: &Statements,
        act: &Act,
    ) -> Result<Option<Self>, Error> {
        let answer = match act {
            Act::PauseSubscription { subscription } => {
                ask(client, &statements.pause_subscription, &[&subscription.as_str(), &true]).await
            }
            Act::ResumeSubscription { subscription } => {
                ask(client, &statements.pause_subscription, &[&subscription.as_str(), &false]).await
            }
            Act::ResetSubscription { subscription, start } => {
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
            Act::RetryLetters { filter, limit } => {
                ask_some(client, &statements.retry_letters, filter, *limit).await
            }
            Act::DiscardLetters { filter, limit } => {
                ask_some(client, &statements.discard_letters, filter, *limit).await
            }
            Act::EditLetter { subscription, place, data } => {
                let data = data.as_ref().map(|data| JsonIn(data.as_str()));
                let params: [Param<'_>; 3] = [&subscription.as_str(), &place.to_i64(), &data];
                ask(client, &statements.edit_letter, &params).await
            }
            Act::DeleteStream { .. }
            | Act::TruncateStream { .. }
            | Act::Archive { .. }
            | Act::ForgetSubject { .. } => return Ok(None),
        };
        Ok(Some(Self::from_answer(answer?, act)))
    }

    /// A negative answer says what is missing.
    fn from_answer(letters: i64, act: &Act) -> Self {
        match (u64::try_from(letters), act.missing(letters == -1)) {
            (Ok(letters), _) => Self::Letters(letters),
            (Err(_), Some(missing)) => Self::Missing(missing),
            (Err(_), None) => Self::Letters(0),
        }
    }
}

async fn ask_some(client: &Client, sql: &str, filter: &LetterFilter, limit: u32) -> Result<i64, Error> {
    let (filter, limit) = (filter_params(filter), i64::from(limit));
    ask(client, sql, &[&filter.params()[..], &[&limit]].concat()).await
}

/// However long it takes, as all acts.
async fn ask(client: &Client, sql: &str, params: &[Param<'_>]) -> Result<i64, Error> {
    client.batch_execute("SET LOCAL statement_timeout = 0").await?;
    Ok(ask_one(client, sql, params).await?.get("letters"))
}
