//! A plan as the arrays that the statements take.

use std::collections::HashMap;

use umbel_core::{
    Payload, Subject,
    document::DocumentWrite,
    store::{AppendCondition, ClaimName, CommandRecord, OutboxEntry, plan::Plan},
};
use uuid::Uuid;

use super::kinds::PlannedKinds;
use crate::postgres::SPAN;
use crate::postgres::types::{JsonIn, PgTimestamp};

/// The arrays of `append_group`.
#[derive(Debug, Default)]
pub(super) struct EventRows<'a> {
    pub(super) streams: Vec<i64>,
    pub(super) versions: Vec<i64>,
    pub(super) new_streams: Vec<&'a str>,
    pub(super) stream_ids: Vec<i64>,
    pub(super) stream_versions: Vec<i64>,
    pub(super) ids: Vec<Uuid>,
    pub(super) kind_categories: Vec<&'a str>,
    pub(super) kind_types: Vec<&'a str>,
    pub(super) kind_schemas: Vec<i32>,
    pub(super) correlation_ids: Vec<Option<Uuid>>,
    pub(super) causation_ids: Vec<Option<Uuid>>,
    /// Empty when no event has one.
    pub(super) subjects: Vec<Option<&'a str>>,
    pub(super) data: Vec<Option<JsonIn<'a>>>,
    /// Empty when all data is JSON.
    pub(super) bytes: Vec<Option<&'a [u8]>>,
    pub(super) metadata: Vec<Option<JsonIn<'a>>>,
    /// Empty when all events are of now, as they are but for imports.
    pub(super) recorded_at: Vec<Option<PgTimestamp>>,
    /// Empty likewise.
    pub(super) new_at: Vec<Option<PgTimestamp>>,
    /// Empty when no event has some.
    pub(super) tags: Vec<Option<String>>,
}

/// The arrays of `write_claims`.
#[derive(Debug, Default)]
pub(super) struct ClaimRows<'a> {
    pub(super) scopes: Vec<&'a str>,
    pub(super) values: Vec<&'a str>,
    pub(super) before: Vec<Option<&'a str>>,
    pub(super) after: Vec<Option<&'a str>>,
}

/// The arrays of `write_commands`.
#[derive(Debug, Default)]
pub(super) struct CommandRows<'a> {
    pub(super) ids: Vec<Uuid>,
    pub(super) replies: Vec<JsonIn<'a>>,
    pub(super) offsets: Vec<Option<i64>>,
}

/// The arrays of `verify_conditions` and `find_tagged`: items of queries.
#[derive(Debug, Default)]
pub(super) struct ConditionRows {
    /// Of which condition each is.
    pub(super) numbers: Vec<i32>,
    pub(super) after: Vec<i64>,
    pub(super) tags: Vec<Option<String>>,
    pub(super) names: Vec<Option<String>>,
}

/// The arrays of `write_outbox`.
#[derive(Debug, Default)]
pub(super) struct OutboxRows<'a> {
    pub(super) ids: Vec<Uuid>,
    pub(super) queues: Vec<&'a str>,
    pub(super) bodies: Vec<JsonIn<'a>>,
    pub(super) due_at: Vec<Option<PgTimestamp>>,
}

/// The arrays of `write_documents`.
#[derive(Debug, Default)]
pub(in crate::postgres) struct DocumentRows<'a> {
    pub(in crate::postgres) collections: Vec<&'a str>,
    pub(in crate::postgres) keys: Vec<&'a str>,
    pub(in crate::postgres) bodies: Vec<Option<JsonIn<'a>>>,
    pub(in crate::postgres) entry_collections: Vec<&'a str>,
    pub(in crate::postgres) entry_keys: Vec<&'a str>,
    pub(in crate::postgres) entry_indexes: Vec<&'a str>,
    pub(in crate::postgres) entry_values: Vec<&'a [u8]>,
}

/// The application's own metadata as text, one for each event of the plan, made before the arrays that borrow it.
pub(super) fn custom_metadata(plan: &Plan<'_>) -> Vec<Option<umbel_core::Json>> {
    // Metadata is made of JSON values, which always have a text.
    plan.events.iter().map(|planned| planned.event.metadata.custom_json().ok().flatten()).collect()
}

impl<'a> EventRows<'a> {
    pub(super) fn new(
        plan: &'a Plan<'a>,
        metadata: &'a [Option<umbel_core::Json>],
        kinds: &PlannedKinds<'a>,
    ) -> Self {
        let mut rows = Self::default();
        let mut keys = Vec::with_capacity(plan.streams.len());
        for change in &plan.streams {
            if let Some(key) = change.key {
                keys.push(key);
                // A stream that has a row and no event yet has no version that could be looked up.
                if change.from.get() > 0 {
                    rows.streams.push(key);
                    rows.versions.push(change.from.to_i64());
                }
            } else {
                rows.new_streams.push(change.stream.as_str());
                keys.push(i64::try_from(rows.new_streams.len()).map_or(i64::MIN, |ordinal| -ordinal));
            }
        }
        rows.stream_ids =
            plan.events.iter().map(|event| keys.get(event.stream).copied().unwrap_or(i64::MIN)).collect();
        rows.stream_versions = plan.events.iter().map(|event| event.version.to_i64()).collect();
        let events = || plan.events.iter().map(|planned| planned.event);
        rows.ids = events().map(|event| event.id.0).collect();
        for (category, event_type) in &kinds.unknown {
            rows.kind_categories.push(category);
            rows.kind_types.push(&event_type.name);
            rows.kind_schemas.push(i32::try_from(event_type.schema).unwrap_or(i32::MAX));
        }
        rows.correlation_ids = events().map(|event| event.metadata.correlation_id).collect();
        rows.causation_ids = events().map(|event| event.metadata.causation_id).collect();
        rows.data =
            events().map(|event| event.data.as_json().ok().map(|json| JsonIn(json.as_str()))).collect();
        if events().any(|event| matches!(event.data, Payload::Binary(_))) {
            rows.bytes = events().map(|event| event.data.as_binary().ok()).collect();
        }
        if events().any(|event| event.subject.is_some()) {
            rows.subjects = events().map(|event| event.subject.as_ref().map(Subject::as_str)).collect();
        }
        if events().any(|event| !event.tags.is_empty()) {
            rows.tags = events().map(|event| event.tags.lines()).collect();
        }
        if plan.events.iter().any(|event| event.recorded_at.is_some()) {
            rows.give_times(plan);
        }
        rows.metadata = metadata.iter().map(|json| json.as_ref().map(|json| JsonIn(json.as_str()))).collect();
        rows
    }

    /// Whether `append_known` may take them: nothing in them is new but the events, which have no tags, and their times are now. From this
    /// head on (if it still is the head) they must not close a span.
    pub(super) fn is_usual(&self, head: Option<i64>) -> bool {
        let count = i64::try_from(self.ids.len()).unwrap_or(i64::MAX);
        let span = |position: i64| position.unsigned_abs() / SPAN;
        let closes = head.is_some_and(|head| span(head) != span(head.saturating_add(count)));
        let nothing_new = self.new_streams.is_empty() && self.kind_types.is_empty();
        !closes && nothing_new && self.recorded_at.is_empty() && self.tags.is_empty()
    }

    /// A stream is as old as its first event.
    fn give_times(&mut self, plan: &Plan<'_>) {
        self.recorded_at = plan.events.iter().map(|event| event.recorded_at.map(PgTimestamp)).collect();
        let mut first_at = vec![None; plan.streams.len()];
        for event in plan.events.iter().rev() {
            if let Some(at) = first_at.get_mut(event.stream) {
                *at = event.recorded_at.map(PgTimestamp);
            }
        }
        let streams = plan.streams.iter().zip(first_at);
        self.new_at = streams.filter(|(change, _)| change.key.is_none()).map(|(_, at)| at).collect();
    }
}

impl<'a> ClaimRows<'a> {
    pub(super) fn new(plan: &'a Plan<'a>) -> Self {
        let mut rows = Self::default();
        for change in &plan.claims {
            let ClaimName { scope, value } = &change.claim;
            rows.scopes.push(scope);
            rows.values.push(value);
            rows.before.push(change.before.as_deref());
            rows.after.push(change.after.as_deref());
        }
        rows
    }
}

impl<'a> CommandRows<'a> {
    pub(super) fn new(commands: &[(&'a CommandRecord, Option<u64>)]) -> Self {
        let mut rows = Self::default();
        for (command, offset) in commands {
            rows.ids.push(command.id.0);
            rows.replies.push(JsonIn(command.reply.as_str()));
            rows.offsets.push(offset.map(|offset| i64::try_from(offset).unwrap_or(i64::MAX)));
        }
        rows
    }
}

impl ConditionRows {
    pub(super) fn new(conditions: &[&AppendCondition]) -> Self {
        let mut rows = Self::default();
        for (number, condition) in (0..).zip(conditions) {
            for item in condition.query.items() {
                rows.numbers.push(number);
                rows.after.push(condition.after.to_i64());
                rows.tags.push(item.tags.lines());
                rows.names.push(item.name_lines());
            }
        }
        rows
    }
}

impl<'a> OutboxRows<'a> {
    pub(super) fn new(entries: &[&'a OutboxEntry]) -> Self {
        let mut rows = Self::default();
        for entry in entries {
            rows.ids.push(entry.id);
            rows.queues.push(&entry.queue);
            rows.bodies.push(JsonIn(entry.body.as_str()));
            rows.due_at.push(entry.due_at.map(PgTimestamp));
        }
        rows
    }
}

impl<'a> DocumentRows<'a> {
    /// Each document once, as its last write has it, sorted.
    pub(in crate::postgres) fn new(writes: impl IntoIterator<Item = &'a DocumentWrite>) -> Self {
        let last: HashMap<_, _> = writes
            .into_iter()
            .map(|write| ((write.collection.as_str(), write.key.as_str()), write))
            .collect();
        let mut last: Vec<_> = last.into_iter().collect();
        last.sort_unstable_by_key(|(key, _)| *key);
        let mut rows = Self::default();
        for ((collection, key), write) in last {
            rows.collections.push(collection);
            rows.keys.push(key);
            rows.bodies.push(write.body.as_ref().map(|body| JsonIn(body.as_str())));
            for entry in &write.entries {
                rows.entry_collections.push(collection);
                rows.entry_keys.push(key);
                rows.entry_indexes.push(&entry.index);
                rows.entry_values.push(entry.key.as_bytes());
            }
        }
        rows
    }
}
