//! Dead letters.

use tokio_postgres::Row;
use umbel_core::{
    EventId, Position,
    store::{
        CountLetters, Failure, Letter, LettersSettled, ListLetters, ParkLetters, ReadParkedKeys,
        SettleLetters, StoreError, TakeLetters,
    },
    subscription::{Key, Settling},
    version::Place,
};
use uuid::Uuid;

use super::{acts::filter_params, leases::subscription_name, to_i64, to_u32};
use crate::postgres::{
    reader::{Param, Reader},
    types::{JsonOut, PgTimestamp},
};

/// What went wrong, a column for each of its parts.
struct Failures<'a> {
    errors: Vec<Option<&'a str>>,
    attempts: Vec<Option<i64>>,
    first: Vec<Option<PgTimestamp>>,
    last: Vec<Option<PgTimestamp>>,
}

impl<'a> Failures<'a> {
    fn of(failures: &[Option<&'a Failure>]) -> Self {
        let each = || failures.iter().copied();
        Self {
            errors: each().map(|failure| Some(failure?.error.as_str())).collect(),
            attempts: each().map(|failure| Some(i64::from(failure?.attempts))).collect(),
            first: each().map(|failure| Some(PgTimestamp(failure?.first_at))).collect(),
            last: each().map(|failure| Some(PgTimestamp(failure?.last_at))).collect(),
        }
    }

    fn params(&self) -> [Param<'_>; 4] {
        [&self.errors, &self.attempts, &self.first, &self.last]
    }
}

impl Reader {
    pub(super) async fn park_letters(&self, request: ParkLetters) -> Result<Vec<u32>, StoreError> {
        let each = || request.letters.iter();
        let name = request.subscription.as_str();
        let partitions: Vec<_> = each().map(|one| i64::from(one.lease.partition)).collect();
        let epochs: Vec<_> = each().map(|one| to_i64(one.lease.epoch)).collect();
        let places: Vec<_> = each().map(|one| one.place.to_i64()).collect();
        let keys: Vec<_> = each().map(|one| one.key.to_i64()).collect();
        let key_texts: Vec<_> = each().map(|one| one.key_text.as_str()).collect();
        let ids: Vec<_> = each().map(|one| one.event_id.0).collect();
        let positions: Vec<_> = each().map(|one| one.position.to_i64()).collect();
        let names: Vec<&str> = each().map(|one| one.event_name.as_ref()).collect();
        let failures: Vec<_> = each().map(|one| one.failure.as_ref()).collect();
        let failures = Failures::of(&failures);
        let letters: [Param<'_>; 9] =
            [&name, &partitions, &epochs, &places, &keys, &key_texts, &ids, &positions, &names];
        let params = [&letters[..], &failures.params()].concat();
        let refused = self.write(&self.statements().park_letters, &params).await?;
        Ok(refused.iter().map(|row| to_u32(row.get("partition"))).collect())
    }

    pub(super) async fn read_parked_keys(&self, request: ReadParkedKeys) -> Result<Vec<Key>, StoreError> {
        let (name, partition) = (request.subscription.as_str(), i64::from(request.partition));
        let rows = self.query(&self.statements().read_parked_keys, &[&name, &partition]).await?;
        Ok(rows.iter().map(|row| Key::from_i64(row.get("key"))).collect())
    }

    pub(super) async fn take_letters(&self, request: TakeLetters) -> Result<Vec<Letter>, StoreError> {
        let (name, limit) = (request.subscription.as_str(), i64::from(request.limit));
        let partitions: Vec<_> = request.partitions.iter().map(|partition| i64::from(*partition)).collect();
        let rows = self.query(&self.statements().take_letters, &[&name, &partitions, &limit]).await?;
        rows.iter().map(letter).collect()
    }

    pub(super) async fn settle_letters(&self, request: SettleLetters) -> Result<LettersSettled, StoreError> {
        let each = || request.settled.iter();
        let name = request.subscription.as_str();
        let partitions: Vec<_> = each().map(|one| i64::from(one.partition)).collect();
        let epochs: Vec<_> = each().map(|one| to_i64(one.epoch)).collect();
        let places: Vec<_> = each().map(|one| one.place.to_i64()).collect();
        let keys: Vec<_> = each().map(|one| one.key.to_i64()).collect();
        let done: Vec<_> = each().map(|one| one.settling == Settling::Done).collect();
        let failures: Vec<_> = each().map(|one| failure(&one.settling)).collect();
        let failures = Failures::of(&failures);
        let letters: [Param<'_>; 6] = [&name, &partitions, &epochs, &places, &keys, &done];
        let params = [&letters[..], &failures.params()].concat();
        let rows = self.write(&self.statements().settle_letters, &params).await?;
        let mut settled = LettersSettled::default();
        for row in &rows {
            let partition = to_u32(row.get("partition"));
            match row.get::<_, Option<i64>>("key") {
                Some(key) => settled.free.push((partition, Key::from_i64(key))),
                None => settled.refused.push(partition),
            }
        }
        // The database sorts keys as signed numbers.
        settled.free.sort_unstable();
        Ok(settled)
    }

    pub(super) async fn list_letters(&self, request: ListLetters) -> Result<Vec<Letter>, StoreError> {
        let ListLetters { filter, after, limit } = &request;
        let behind = after.as_ref().map(|(name, place)| (name.as_str(), place.to_i64()));
        let (behind, behind_place) = behind.unzip();
        let limit = i64::from(*limit);
        let filter = filter_params(filter);
        let page: [Param<'_>; 3] = [&behind, &behind_place, &limit];
        let params = [&filter.params()[..], &page].concat();
        let rows = self.query(&self.statements().list_letters, &params).await?;
        rows.iter().map(letter).collect()
    }

    pub(super) async fn count_letters(&self, request: CountLetters) -> Result<u64, StoreError> {
        let filter = filter_params(&request.filter);
        let rows = self.query(&self.statements().count_letters, &filter.params()).await?;
        Ok(rows.first().map_or(0, |row| row.get::<_, i64>("letters").unsigned_abs()))
    }

    pub(super) async fn sweep_letters(&self, limit: u32) -> Result<u64, StoreError> {
        let rows = self.write(&self.statements().sweep_letters, &[&i64::from(limit)]).await?;
        Ok(rows.first().map_or(0, |row| row.get::<_, i64>("removed").unsigned_abs()))
    }
}

fn failure(settling: &Settling) -> Option<&Failure> {
    match settling {
        Settling::Failed(failure) => Some(failure),
        Settling::Done => None,
    }
}

fn letter(row: &Row) -> Result<Letter, StoreError> {
    let time = |column| row.get::<_, Option<PgTimestamp>>(column).map(|PgTimestamp(at)| at);
    let failure = || {
        Some(Failure {
            error: row.get::<_, Option<String>>("error")?,
            attempts: to_u32(row.get::<_, Option<i64>>("attempts")?),
            first_at: time("first_failed_at")?,
            last_at: time("last_failed_at")?,
        })
    };
    let PgTimestamp(parked_at) = row.get("parked_at");
    Ok(Letter {
        subscription: subscription_name(row.get("subscription"))?,
        partition: to_u32(row.get("partition")),
        place: Place::from_i64(row.get("place")),
        key: Key::from_i64(row.get("key")),
        key_text: row.get("key_text"),
        event_id: EventId(row.get::<_, Uuid>("event_id")),
        position: Position::from_i64(row.get("position")),
        event_name: row.get::<_, &str>("event_name").into(),
        failure: failure(),
        parked_at,
        retry: row.get("retry"),
        replay: row.get("replay"),
        edited: row.get::<_, Option<JsonOut>>("edited").map(|JsonOut(data)| data),
    })
}
