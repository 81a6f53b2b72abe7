//! The list of all cases, as tests.

/// One `#[test]` per conformance case, for the store that the given `async fn() -> impl StoreUnderTest` opens.
/// The function is called once per case, on the case's own runtime, and must return a fresh, empty store.
///
/// ```ignore
/// mod memory {
///     umbel_testkit::store_conformance!(super::open_memory);
/// }
/// ```
#[macro_export]
macro_rules! store_conformance {
    ($factory:path) => {
        $crate::store_conformance!(@cases $factory, append, [
            a_new_stream_begins_at_version_one,
            no_stream_needs_an_empty_stream,
            stream_exists_needs_a_stream,
            a_wrong_expected_version_stores_nothing,
            a_reused_event_id_is_a_duplicate,
            large_appends_are_stored_whole_and_in_order,
            a_large_append_is_refused_whole,
            nobody_appends_to_the_systems_own,
            what_is_read_equals_what_was_written,
            events_carry_the_time_they_are_given,
            an_append_without_events_has_a_defined_result,
            several_streams_are_one_atom,
            one_wrong_stream_refuses_the_whole_append,
            documents_are_written_with_the_events,
            the_same_append_again_gets_the_first_result,
        ]);
        $crate::store_conformance!(@cases $factory, claims, [
            a_claim_has_one_owner,
            a_released_claim_is_free,
            claims_of_one_append_stand_or_fall_together,
            a_claim_passes_from_owner_to_owner,
            releasing_is_for_owners_only,
            claims_are_listed_by_scope_and_value,
        ]);
        $crate::store_conformance!(@cases $factory, commands, [
            a_command_is_carried_out_once,
            a_command_without_events_is_remembered,
            a_refused_command_is_not_recorded,
        ]);
        $crate::store_conformance!(@cases $factory, concurrency, [
            one_of_the_racing_writers_wins,
            an_append_is_stored_behind_what_it_was_decided_on,
            any_version_writers_all_win,
            a_wrong_append_fails_alone_in_its_group,
            every_append_of_a_group_gets_its_own_answer,
            a_contested_claim_goes_to_one,
            a_command_sent_many_times_at_once_runs_once,
            followers_see_every_position_in_order,
            selecting_readers_miss_nothing_that_stays,
        ]);
        $crate::store_conformance!(@cases $factory, documents, [
            documents_are_found_by_key,
            filters_select,
            absent_and_null_fields_are_null,
            matches_are_sorted_and_paged,
            every_kind_of_scalar_has_its_place,
            a_new_body_replaces_all_entries,
            queries_agree_with_a_scan,
        ]);
        $crate::store_conformance!(@cases $factory, document_pages, [
            every_page_is_its_part_of_a_scan,
            documents_that_lose_or_win_entries_move,
            pages_of_many_matches_are_those_of_a_scan,
        ]);
        $crate::store_conformance!(@cases $factory, payloads, [
            bytes_are_kept_as_they_are,
            an_event_keeps_its_subject,
            payloads_have_a_limit,
            what_cannot_be_kept_everywhere_is_refused,
            an_event_is_found_by_its_id,
        ]);
        $crate::store_conformance!(@cases $factory, projections, [
            a_projection_begins_at_the_start,
            documents_and_checkpoint_move_together,
            a_moved_checkpoint_refuses_the_write,
            one_of_the_racing_projections_wins,
            clearing_and_writing_are_one,
        ]);
        $crate::store_conformance!(@cases $factory, read, [
            a_stream_is_read_forward_by_windows,
            a_stream_is_read_backward,
            an_unknown_stream_is_not_found,
            pages_of_any_size_give_the_same_sequence,
            the_log_holds_all_streams_in_commit_order,
            the_log_is_filtered_by_event_name,
            a_filtered_log_is_read_backward_page_by_page,
            an_empty_log_is_read,
            stream_info_tells_version_and_time,
            status_tells_the_head,
        ]);
        $crate::store_conformance!(@cases $factory, selectors, [
            every_condition_selects,
            selections_pass_over_gaps,
            selections_begin_anywhere,
            selections_hold_over_thousands_of_events,
            selections_by_kind_know_what_is_gone,
            selectors_agree_with_a_scan,
        ]);
        $crate::store_conformance!(@cases $factory, tags, [
            an_event_keeps_its_tags,
            a_query_by_tags_finds,
            removed_events_are_not_found_by_tags,
            a_condition_refuses_what_was_not_known,
            a_conditioned_append_comes_again,
            one_of_the_racing_conditions_wins,
            rare_tags_are_found_among_many,
            wrong_tags_are_refused,
        ]);
        $crate::store_conformance!(@cases $factory, archive, [
            an_archive_is_read_like_the_log,
            appends_know_what_is_archived,
            the_archive_only_grows,
            archived_events_are_linked,
        ]);
        $crate::store_conformance!(@cases $factory, audit, [
            every_act_is_recorded_in_order,
            an_act_sent_twice_acts_once,
            a_records_id_is_its_own,
            a_refused_act_leaves_no_record,
            forgetting_is_recorded_each_time,
            appends_go_on_after_every_act,
        ]);
        $crate::store_conformance!(@cases $factory, generations, [
            each_version_has_a_generation,
            opened_at_once_one_serves,
            readers_are_switched_at_once,
            a_rebuild_needs_no_new_version,
            what_is_dropped_is_gone,
            an_older_checkpoint_becomes_a_generation,
            a_collection_changes_hands,
            an_index_that_is_being_built_is_told_of,
            what_is_retired_goes_in_parts,
            an_event_is_claimed_once,
        ]);
        $crate::store_conformance!(@cases $factory, health, [
            a_healthy_store_has_no_findings,
        ]);
        $crate::store_conformance!(@cases $factory, inline, [
            events_and_documents_are_one_append,
            who_does_not_know_of_it_leaves_it_behind,
            a_built_generation_is_joined_when_it_serves,
            a_built_generation_serves_while_others_append,
            a_dropped_one_is_joined_no_more,
            many_change_one_document,
        ]);
        $crate::store_conformance!(@cases $factory, links, [
            links_show_events_in_a_second_place,
            a_stream_mixes_links_and_events,
            a_stream_holds_each_event_once,
            a_refused_link_changes_nothing,
            links_count_for_the_optimistic_lock,
            whatever_is_in_the_log_can_be_linked,
            links_and_appends_race,
        ]);
        $crate::store_conformance!(@cases $factory, notices, [
            a_notice_is_kept_once,
            notices_are_listed_by_time,
            pages_of_notices_are_stable,
            a_sweep_removes_what_has_expired,
        ]);
        $crate::store_conformance!(@cases $factory, outbox, [
            work_is_left_with_the_append,
            bodies_have_a_limit,
            queues_are_read_in_order,
            queues_are_listed_with_what_waits,
            done_work_is_taken_out,
            work_is_not_left_twice,
            racing_appends_leave_their_own_work,
            work_is_done_and_planned_in_one,
            waiting_work_is_replaced_when_asked,
            taken_work_is_not_replaced,
            grouped_appends_change_the_outbox_in_order,
            due_work_is_read_in_its_order,
        ]);
        $crate::store_conformance!(@cases $factory, pages, [
            pages_of_the_log_are_bounded_in_bytes,
            pages_of_a_stream_are_bounded_in_bytes,
            the_largest_event_is_a_page,
        ]);
        $crate::store_conformance!(@cases $factory, removal, [
            a_soft_deleted_stream_is_closed,
            a_hard_deleted_stream_is_gone,
            a_hard_deleted_name_starts_anew,
            a_hard_deletion_follows_a_soft_one,
            deleting_links_leaves_the_events,
            a_refused_deletion_changes_nothing,
            archived_events_are_removed_too,
        ]);
        $crate::store_conformance!(@cases $factory, snapshots, [
            a_snapshot_is_kept_until_it_is_deleted,
            an_older_snapshot_never_replaces_a_newer,
            a_snapshot_of_what_is_not_there_is_not_kept,
            the_newest_of_racing_snapshots_stays,
            snapshots_are_listed_by_name,
        ]);
        $crate::store_conformance!(@cases $factory, streams, [
            every_kind_of_stream_has_its_info,
            the_list_has_what_is_there,
            the_list_is_sorted_and_paged,
            the_list_goes_on_behind_a_stream,
            the_list_is_searched,
            the_list_is_of_a_category,
        ]);
        $crate::store_conformance!(@cases $factory, truncation, [
            a_softly_truncated_stream_begins_later,
            a_hard_truncation_removes_the_beginning,
            links_and_archived_events_are_truncated,
            a_refused_truncation_changes_nothing,
        ]);
        $crate::store_conformance!(@cases $factory, personal, [
            personal_data_reads_as_it_was_written,
            personal_data_of_nobody_is_refused,
            forgotten_data_reads_as_forgotten,
            nothing_more_is_taken_of_the_forgotten,
            a_snapshot_is_forgotten_with_its_subject,
            a_snapshot_from_before_is_not_kept,
        ]);
        $crate::store_conformance!(@cases $factory, leases, [
            one_of_the_racing_claims_wins,
            a_lease_runs_out_and_another_takes_over,
            a_lease_that_nobody_took_is_renewed,
            leases_that_ran_out_are_counted,
            what_was_begun_is_noted,
            leases_are_given_back,
            who_leaves_leaves_nothing_behind,
            members_are_counted_and_forgotten,
            checkpoints_only_move_forward,
        ]);
        $crate::store_conformance!(@cases $factory, letters, [
            letters_are_kept_once,
            a_letter_is_due_when_it_is_first_and_wanted,
            a_retry_takes_along_what_is_before,
            a_retry_is_taken_back,
            settling_again_changes_nothing,
            lost_leases_touch_no_letters,
            filters_select_letters,
            discarded_letters_are_gone,
            an_edited_letter_holds_other_data,
            a_removed_event_leaves_its_letter,
            long_texts_are_cut,
        ]);
        $crate::store_conformance!(@cases $factory, chunks, [
            many_letters_are_asked_for_in_chunks,
            what_is_before_a_letter_is_asked_for_in_chunks,
            many_letters_are_discarded_in_chunks,
        ]);
        $crate::store_conformance!(@cases $factory, subscriptions, [
            a_subscription_is_made_once,
            a_start_is_resolved_when_it_is_made,
            many_open_at_once_and_one_makes_it,
            subscriptions_are_listed_by_name,
            a_paused_subscription_keeps_its_leases,
            a_reset_begins_elsewhere,
            a_reset_beyond_the_end_is_refused,
            a_reset_leaves_how_far_it_had_come,
            resets_that_were_told_are_noted,
            a_stream_deleted_for_good_begins_anew_for_its_followers,
            a_deleted_subscription_begins_anew,
            a_renamed_subscription_goes_on,
            an_unknown_subscription_is_refused,
        ]);
        $crate::store_conformance!(@case $factory, random_appends_agree_with_the_planner);
        $crate::store_conformance!(@case $factory, random_acts_agree_with_the_oracle);
    };
    (@cases $factory:path, $suite:ident, [$($case:ident),+ $(,)?]) => {
        $($crate::store_conformance!(@case $factory, $suite::$case);)+
    };
    (@case $factory:path, $suite:ident::$case:ident) => {
        #[test]
        fn $case() {
            $crate::conformance::run(async { $crate::conformance::$suite::$case($factory().await).await });
        }
    };
    (@case $factory:path, $case:ident) => {
        #[test]
        fn $case() {
            $crate::conformance::run(async { $crate::conformance::$case($factory().await).await });
        }
    };
}

#[cfg(test)]
mod tests {
    /// A case that nobody runs proves nothing.
    #[test]
    fn every_case_is_in_the_list() {
        let list = include_str!("cases.rs");
        let suites = [
            include_str!("append.rs"),
            include_str!("chunks.rs"),
            include_str!("claims.rs"),
            include_str!("commands.rs"),
            include_str!("concurrency.rs"),
            include_str!("documents.rs"),
            include_str!("payloads.rs"),
            include_str!("personal.rs"),
            include_str!("projections.rs"),
            include_str!("read.rs"),
            include_str!("selectors.rs"),
            include_str!("archive.rs"),
            include_str!("audit.rs"),
            include_str!("health.rs"),
            include_str!("leases.rs"),
            include_str!("letters.rs"),
            include_str!("links.rs"),
            include_str!("notices.rs"),
            include_str!("outbox.rs"),
            include_str!("pages.rs"),
            include_str!("removal.rs"),
            include_str!("snapshots.rs"),
            include_str!("streams.rs"),
            include_str!("subscriptions.rs"),
            include_str!("tags.rs"),
            include_str!("truncation.rs"),
            include_str!("model.rs"),
            include_str!("acts.rs"),
        ];
        let mut cases = 0;
        for line in suites.iter().flat_map(|suite| suite.lines()) {
            let Some(case) = line.strip_prefix("pub async fn ") else { continue };
            let name = case.split(['<', '(']).next().unwrap();
            assert!(list.contains(&format!(" {name},")) || list.contains(&format!(" {name})")), "{name}");
            cases += 1;
        }
        assert!(cases > 100, "only {cases} cases found; were they moved?");
    }
}
