//! The statements, each in its own file, rendered for one schema.

/// What statements that read events have for `{columns}`, of the event `e`: in the order that
/// the reader takes them in.
const EVENT_COLUMNS: &str = "e.position, e.version, e.event_id, e.kind_id, e.recorded_at, e.correlation_id, \
                             e.causation_id, e.subject, e.tags, e.data, e.bytes, e.metadata, e.stream_id";

/// What they have in the place of `{no_event}`: as many columns without a value, in the row before the events.
const NO_EVENT: &str = "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL";

/// A schema's name, checked and quoted: what every statement is qualified with.
#[derive(Clone, Debug)]
pub(super) struct Schema(String);

impl Schema {
    /// Accepts what needs no thought in any tool: a lower-case letter or `_`, then those and digits; but not the schemas
    /// that are PostgreSQL's own, which a superuser could write into.
    ///
    /// # Errors
    /// Says what a name may look like.
    pub(super) fn new(name: &str) -> Result<Self, String> {
        let letter = |c: char| c.is_ascii_lowercase() || c == '_';
        let valid = name.starts_with(letter)
            && name.chars().all(|c| letter(c) || c.is_ascii_digit())
            && name.len() <= 63
            && !name.starts_with("pg_")
            && name != "information_schema";
        if valid {
            Ok(Self(name.to_owned()))
        } else {
            Err(format!(
                "{name:?} cannot be the schema's name: use up to 63 lower-case letters, digits and underscores, \
                 not beginning with a digit or pg_, and not information_schema"
            ))
        }
    }

    /// The bare name.
    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// A statement, or a migration, with its `{schema}` filled in.
    pub(super) fn render(&self, text: &str) -> String {
        text.replace("{schema}", &format!("\"{}\"", self.0))
    }
}

macro_rules! statements {
    ($($name:ident),+ $(,)?) => {
        /// All statements of the adapter, by the names of their files.
        #[derive(Debug)]
        pub(super) struct Statements {
            schema: String,
            $(pub(super) $name: String,)+
        }

        impl Statements {
            pub(super) fn new(schema: &Schema) -> Self {
                let filled = |file| without_header(file).replace("{columns}", EVENT_COLUMNS).replace("{no_event}", NO_EVENT);
                let render = |file| schema.render(&filled(file));
                Self { schema: schema.0.clone(), $($name: render(include_str!(concat!("sql/", stringify!($name), ".sql"))),)+ }
            }

            /// The schema that they are rendered for, bare.
            pub(super) fn schema(&self) -> &str {
                &self.schema
            }

            /// Every one: its name, its file and its text.
            #[cfg(test)]
            pub(super) fn all(&self) -> Vec<(&'static str, &'static str, &str)> {
                vec![$((
                    stringify!($name),
                    include_str!(concat!("sql/", stringify!($name), ".sql")),
                    self.$name.as_str(),
                ),)+]
            }
        }
    };
}

statements! {
    append_group, append_known, append_one, write_claims, write_commands, write_documents, write_outbox, save_projection, clear_documents,
    lock_log, find_streams, find_claims, list_claims, list_claims_of_scope, find_commands, find_events, find_tagged, look_ahead, check_conditions,
    verify_conditions, check_documents, move_joined, list_joined, find_inlined,
    find_event, find_positions, name_streams, name_kinds, stream_info, list_streams,
    list_streams_by_deletion, list_streams_by_version, read_stream, read_stream_whole,
    read_all_forward, read_all_backward, select_range, select_kinds, select_conversation, select_tags, find_spans,
    load_documents, open_projection, list_projections, switch_projection, remove_retired, claim_live, rebuild_projection, drop_projection,
    enter_tables, enter_served_tables, query_tables,
    get_documents, query_documents, find_documents, all_documents, matching_documents, matching_also,
    lead_by_values, lead_by_test, filter_equal, filter_in, filter_range,
    page_by_key, page_forward, page_backward, matches_forward, matches_backward, met_matches, load_checkpoint, status,
    find_linkable, add_links, delete_stream, truncate_stream, archive_events, forget_subject,
    find_removals, list_removals, begin_removal, remove_step, end_removal,
    find_subject_keys, create_subject_keys, find_subjects,
    verify_objects, verify_head, verify_log_head, verify_count, verify_audit, verify_removals, verify_lost, verify_gaps, verify_holes,
    verify_next_positions, verify_next_spans, verify_next_span_rows, verify_next_span_kinds, verify_next_streams, verify_next_places, verify_next_ids,
    verify_next_links, verify_next_tags, verify_next_snapshots, verify_next_entries, verify_next_documents, verify_next_commands,
    verify_next_letters, verify_next_partitions,
    verify_log, verify_stray_positions, verify_versions, verify_stray_removals, verify_event_ids, verify_references, verify_kinds,
    verify_spans, verify_stray_spans, verify_span_kinds, verify_stray_span_kinds, verify_links, verify_tags, verify_stray_tags, verify_checkpoints, verify_snapshots,
    verify_documents, verify_shapes, verify_served, verify_commands, verify_archive, verify_payloads, verify_subject_keys, verify_sealed,
    verify_subscriptions, verify_subscription_checkpoints, verify_letters, verify_letter_counts,
    load_snapshot, save_snapshot, delete_snapshot, list_snapshots, read_outbox, read_due, list_queues, find_work, clear_outbox,
    announce, keep_notices, list_notices, list_notices_of_topic, list_notices_of_transaction, sweep_notices,
    oldest_work, sweep_commands,
    open_subscription, reset_followers, list_subscriptions, keep_leases, save_subscription_checkpoints, note_begun, note_resets_told, tell_process,
    park_letters, read_parked_keys, take_letters, settle_letters, list_letters, count_letters, find_meant_letters,
    sweep_letters,
    find_followed, pause_subscription, reset_subscription, rename_subscription, delete_subscription, retry_letters, cancel_retries,
    discard_letters, edit_letter,
}

/// The header is for readers of the file; the server gets the statement.
fn without_header(file: &str) -> &str {
    let mut rest = file;
    while let Some((line, after)) = rest.split_once('\n')
        && line.starts_with("--")
    {
        rest = after;
    }
    rest
}
