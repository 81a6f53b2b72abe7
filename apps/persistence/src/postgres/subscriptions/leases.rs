//! Subscriptions, their leases and checkpoints.

use tokio_postgres::Row;
use umbel_core::{
    Json, StreamName,
    store::{
        KeepLeases, Lease, LeaseState, Leases, ListSubscriptions, NoteBegun, NoteResetsTold, OpenError,
        OpenSubscription, PartitionState, Process, SaveCheckpoints, StoreError, SubscriptionState,
        TellProcess,
    },
    subscription::{Abandoned, Begun, NodeId, Start, SubscriptionName},
    version::Place,
};
use uuid::Uuid;

use super::{start_columns, to_i64, to_u32};
use crate::postgres::{
    reader::{Param, Reader},
    types::PgTimestamp,
};

impl Reader {
    pub(super) async fn open_subscription(
        &self,
        request: OpenSubscription,
    ) -> Result<SubscriptionState, OpenError> {
        let OpenSubscription { name, partitions, start, stream, source } = &request;
        let (start, current) = start_columns(*start);
        let stream = stream.as_ref().map(StreamName::as_str);
        let partitions = i64::from(*partitions);
        let sql = &self.statements().open_subscription;
        let rows = self.write(sql, &[&name.as_str(), &partitions, &start, &current, &stream, source]).await?;
        let missing = || StoreError::Corrupt { reason: format!("subscription {name} has no partitions") };
        request.compare(states(&rows)?.pop().ok_or_else(missing)?)
    }

    pub(super) async fn list_subscriptions(
        &self,
        request: ListSubscriptions,
    ) -> Result<Vec<SubscriptionState>, StoreError> {
        let name = request.name.as_ref().map(SubscriptionName::as_str);
        let after = request.after.as_ref().map(SubscriptionName::as_str);
        let limit = i64::from(request.limit);
        states(&self.query(&self.statements().list_subscriptions, &[&name, &after, &limit]).await?)
    }

    pub(super) async fn keep_leases(&self, request: KeepLeases) -> Result<Leases, StoreError> {
        let KeepLeases { subscription, incarnation, node, lease_ms, hold, claim, release, leave } = &request;
        let (release, release_epochs) = lease_columns(release);
        let (hold, hold_epochs) = lease_columns(hold);
        let claim: Vec<_> = claim.iter().map(|partition| i64::from(*partition)).collect();
        let (name, incarnation, lease_ms) = (subscription.as_str(), to_i64(*incarnation), to_i64(*lease_ms));
        let sql = &self.statements().keep_leases;
        let params: [Param<'_>; 10] = [
            &name,
            &incarnation,
            &node.0,
            &lease_ms,
            leave,
            &release,
            &release_epochs,
            &hold,
            &hold_epochs,
            &claim,
        ];
        let rows = self.write(sql, &params).await?;
        Ok(Leases {
            gone: rows.is_empty(),
            paused: rows.first().is_some_and(|row| row.get("paused")),
            resets: rows.first().map_or(0, |row| row.get::<_, i64>("resets").unsigned_abs()),
            members: rows.first().map_or(0, |row| to_u32(row.get("members"))),
            partitions: rows.iter().map(lease_state).collect(),
        })
    }

    pub(super) async fn save_checkpoints(&self, request: SaveCheckpoints) -> Result<Vec<u32>, StoreError> {
        let each = || request.checkpoints.iter();
        let partitions: Vec<_> = each().map(|one| i64::from(one.partition)).collect();
        let epochs: Vec<_> = each().map(|one| to_i64(one.epoch)).collect();
        let places: Vec<_> = each().map(|one| one.place.to_i64()).collect();
        let sql = &self.statements().save_subscription_checkpoints;
        let refused =
            self.write(sql, &[&request.subscription.as_str(), &partitions, &epochs, &places]).await?;
        Ok(refused.iter().map(|row| to_u32(row.get("partition"))).collect())
    }

    pub(super) async fn note_begun(&self, request: NoteBegun) -> Result<bool, StoreError> {
        let NoteBegun { subscription, lease, begun } = &request;
        let (partition, epoch) = (i64::from(lease.partition), to_i64(lease.epoch));
        let sql = &self.statements().note_begun;
        let params: [Param<'_>; 4] = [&subscription.as_str(), &partition, &epoch, &begun.to_store()];
        Ok(!self.write(sql, &params).await?.is_empty())
    }

    pub(super) async fn note_resets_told(&self, request: NoteResetsTold) -> Result<Option<u64>, StoreError> {
        let NoteResetsTold { subscription, incarnation, told } = &request;
        let sql = &self.statements().note_resets_told;
        let params: [Param<'_>; 3] = [&subscription.as_str(), &to_i64(*incarnation), &to_i64(*told)];
        let rows = self.write(sql, &params).await?;
        Ok(rows.first().map(|row| row.get::<_, i64>("resets_told").unsigned_abs()))
    }

    pub(super) async fn tell_process(&self, request: TellProcess) -> Result<Vec<Process>, StoreError> {
        let TellProcess { process, lease_ms } = request;
        let encoded = Json::encode(&process);
        let encoded = encoded.map_err(|error| StoreError::Failed { reason: error.to_string() })?;
        let told = (!process.is_silent()).then(|| encoded.as_str());
        let sql = &self.statements().tell_process;
        let rows = self.write(sql, &[&process.node.0, &to_i64(lease_ms), &told]).await?;
        // What cannot be read a newer program has told, which the others know better.
        let readable =
            rows.iter().filter_map(|row| Json::from_store(row.get::<_, String>("word")).decode().ok());
        Ok(readable.collect())
    }
}

fn lease_columns(leases: &[Lease]) -> (Vec<i64>, Vec<i64>) {
    leases.iter().map(|lease| (i64::from(lease.partition), to_i64(lease.epoch))).unzip()
}

fn lease_state(row: &Row) -> LeaseState {
    LeaseState {
        partition: to_u32(row.get("partition")),
        epoch: row.get::<_, i64>("epoch").unsigned_abs(),
        owner: row.get::<_, Option<Uuid>>("owner").map(NodeId),
        checkpoint: Place::from_i64(row.get("checkpoint")),
        handled: Place::from_i64(row.get("handled")),
        letters: row.get::<_, i64>("letters").unsigned_abs(),
        due: row.get("due"),
        abandoned: Abandoned {
            leases: row.get::<_, i64>("abandoned").unsigned_abs(),
            begun: Begun::from_store(row.get("begun")),
        },
    }
}

/// What rows tell of subscriptions, one for each partition.
fn states(rows: &[Row]) -> Result<Vec<SubscriptionState>, StoreError> {
    let mut states: Vec<SubscriptionState> = Vec::new();
    for row in rows {
        let name: &str = row.get("name");
        if states.last().is_none_or(|state| state.name.as_str() != name) {
            states.push(state(name, row)?);
        }
        if let Some(state) = states.last_mut() {
            state.partitions.push(partition_state(row));
        }
    }
    Ok(states)
}

fn state(name: &str, row: &Row) -> Result<SubscriptionState, StoreError> {
    let (PgTimestamp(created_at), start) = (row.get("created_at"), row.get::<_, Option<i64>>("start_after"));
    Ok(SubscriptionState {
        name: subscription_name(name)?,
        kept_as: row.get("kept_as"),
        source: row.get("source"),
        stream: row.get::<_, Option<&str>>("stream").map(StreamName::from_store),
        start: start.map_or(Start::Origin, |place| Start::After(Place::from_i64(place))),
        paused: row.get("paused"),
        created_at,
        incarnation: row.get::<_, i64>("incarnation").unsigned_abs(),
        members: to_u32(row.get("members")),
        partitions: Vec::new(),
    })
}

fn partition_state(row: &Row) -> PartitionState {
    PartitionState {
        partition: to_u32(row.get("partition")),
        checkpoint: Place::from_i64(row.get("checkpoint")),
        handled: Place::from_i64(row.get("handled")),
        epoch: row.get::<_, i64>("epoch").unsigned_abs(),
        owner: row.get::<_, Option<Uuid>>("owner").map(NodeId),
        letters: row.get::<_, i64>("letters").unsigned_abs(),
        oldest_letter_at: row.get::<_, Option<PgTimestamp>>("oldest_letter_at").map(|PgTimestamp(at)| at),
    }
}

pub(super) fn subscription_name(name: &str) -> Result<SubscriptionName, StoreError> {
    SubscriptionName::new(name).map_err(|error| StoreError::Corrupt { reason: error.to_string() })
}
