//! Bugs that are planted are found, each for the right reason, and told so that one can find them.

use umbel_simulator::{Bug, Failure, Run};

/// The first of these seeds that finds a bug. Each is found much earlier; the bound is for what changes elsewhere.
fn find(bug: Bug) -> Failure {
    let runs = (0..400).map(|seed| Run { bug: Some(bug), ..Run::of(seed) });
    let mut failures = runs.filter_map(|run| run.live().err());
    failures.next().ok_or(bug).expect("one of these seeds finds it")
}

fn is_found(bug: Bug, reasons: &[&str]) {
    let Failure { broken, .. } = find(bug);
    assert!(reasons.iter().any(|reason| broken.starts_with(reason)), "{}: {broken}", bug.name());
}

#[test]
fn a_writer_that_forgets_ids_is_found() {
    is_found(Bug::WriterForgetsIds, &["log: "]);
}

#[test]
fn a_writer_that_forgets_its_first_try_is_found() {
    is_found(Bug::WriterForgetsTheTry, &["log: intent"]);
}

#[test]
fn a_writer_that_answers_before_the_commit_is_found() {
    is_found(Bug::WriterAnswersEarly, &["log: intent"]);
}

#[test]
fn a_writer_that_takes_silence_for_a_no_is_found() {
    is_found(Bug::WriterTakesSilenceForNo, &["log: intent"]);
}

#[test]
fn a_store_that_shows_later_events_first_is_found() {
    is_found(Bug::StoreShowsOutOfOrder, &["log: a reader"]);
}

#[test]
fn conditions_that_miss_what_was_stored_just_now_are_found() {
    is_found(Bug::ConditionsMissTheNewest, &["condition: intent"]);
}

#[test]
fn conditions_that_miss_what_their_group_stores_are_found() {
    is_found(Bug::ConditionsMissTheGroup, &["condition: intent"]);
}

#[test]
fn a_store_that_does_not_check_epochs_is_found() {
    is_found(Bug::StoreIgnoresEpochs, &["checkpoint: ", "order: "]);
}

#[test]
fn a_deletion_that_forgets_epochs_is_found() {
    is_found(Bug::DeletionForgetsEpochs, &["lease: ", "checkpoint: ", "order: "]);
}

#[test]
fn a_letter_that_is_freed_too_early_is_found() {
    is_found(Bug::StoreFreesKeysEarly, &["order: "]);
}

#[test]
fn a_checkpoint_saved_too_early_is_found() {
    is_found(Bug::CheckpointTooEarly, &["checkpoint: "]);
}

#[test]
fn a_retry_that_skips_the_queue_is_found() {
    is_found(Bug::RetrySkipsTheQueue, &["order: ", "checkpoint: ", "visible: "]);
}

#[test]
fn an_owner_that_forgets_letters_is_found() {
    is_found(Bug::LettersForgotten, &["order: "]);
}

#[test]
fn a_supervisor_that_never_gives_up_is_found() {
    is_found(Bug::SupervisorNeverGivesUp, &["supervision: it restarts more often"]);
}

#[test]
fn a_supervisor_that_counts_wrong_is_found() {
    is_found(Bug::SupervisorCountsWrong, &["supervision: it restarts more often"]);
}

#[test]
fn a_wait_that_looks_at_one_partition_is_found() {
    is_found(Bug::WaitLooksAtOnePartition, &["visible: "]);
}

#[test]
fn a_wait_that_forgets_other_nodes_is_found() {
    is_found(Bug::WaitForgetsOtherNodes, &["visible: "]);
}

#[test]
fn commands_that_are_settled_before_they_are_dispatched_are_found() {
    is_found(Bug::ProcessSettlesEarly, &["process: command"]);
}

#[test]
fn a_dead_letter_with_which_too_little_waits_is_found() {
    is_found(Bug::ProcessParksTooLittle, &["process: command"]);
}

#[test]
fn who_takes_a_letter_that_is_not_yet_there_for_discarded_is_found() {
    is_found(Bug::ProcessLooksEarly, &["process: command"]);
}

#[test]
fn a_schedule_whose_command_gets_another_id_is_found() {
    is_found(Bug::ScheduleForgetsIds, &["schedule: "]);
}

/// What is told of a failure leads to it: fewer steps, the end of the trace, and the same again from what is printed.
#[test]
fn a_failure_is_told_briefly_and_happens_again() {
    let failure = find(Bug::CheckpointTooEarly);
    let least = failure.clone().shrink();
    assert!(least.run.steps < failure.run.steps, "{failure:?} {least:?}");
    assert_eq!(least.run.live(), Err(least.clone()));
    let trace = least.trace();
    assert!(trace.len() > 10 && trace.len() <= 61, "{} lines", trace.len());
    assert!(trace.last().is_some_and(|line| line.contains("Save(")), "{trace:#?}");
    let told = format!("SEED={} STEPS={}", least.run.seed, least.run.steps.unwrap());
    assert_eq!(least.run.to_string(), format!("{told} BUG=checkpoint-too-early"));
    assert_eq!("checkpoint-too-early".parse(), Ok(Bug::CheckpointTooEarly));
    assert!("none".parse::<Bug>().unwrap_err().contains("writer-forgets-ids"));
}
