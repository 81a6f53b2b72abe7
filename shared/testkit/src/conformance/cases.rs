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
            releasing_is_for_owners_only,
        ]);
        $crate::store_conformance!(@cases $factory, commands, [
            a_command_is_carried_out_once,
            a_command_without_events_is_remembered,
            a_refused_command_is_not_recorded,
        ]);
        $crate::store_conformance!(@cases $factory, concurrency, [
            one_of_the_racing_writers_wins,
            any_version_writers_all_win,
            a_wrong_append_fails_alone_in_its_group,
            every_append_of_a_group_gets_its_own_answer,
            a_contested_claim_goes_to_one,
            a_command_sent_many_times_at_once_runs_once,
            followers_see_every_position_in_order,
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
        $crate::store_conformance!(@case $factory, random_appends_agree_with_the_planner);
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
            include_str!("claims.rs"),
            include_str!("commands.rs"),
            include_str!("concurrency.rs"),
            include_str!("documents.rs"),
            include_str!("projections.rs"),
            include_str!("read.rs"),
            include_str!("model.rs"),
        ];
        let mut cases = 0;
        for line in suites.iter().flat_map(|suite| suite.lines()) {
            let Some(case) = line.strip_prefix("pub async fn ") else { continue };
            let name = case.split(['<', '(']).next().unwrap();
            assert!(list.contains(&format!(" {name},")) || list.contains(&format!(" {name})")), "{name}");
            cases += 1;
        }
        assert!(cases > 40, "only {cases} cases found; were they moved?");
    }
}
