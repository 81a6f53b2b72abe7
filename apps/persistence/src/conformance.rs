//! The conformance suite over every adapter.
//!
//! An adapter takes one group of appends at a time; the harness below forms groups of what many tasks send, as the
//! store actor does.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use umbel_bus::{Bus, BusSettings};
use umbel_core::{
    ExpectedVersion, Timestamp,
    store::{Append, AppendError, Appended, PerformError, Removal},
};
use umbel_testkit::conformance::{Asked, Events, StoreUnderTest, delete, read_log, truncate};

use crate::{
    Adapter, StoreSettings,
    answer::{Answer, Desk},
    vault::Vault,
};

mod commands;
mod gathering;
pub(crate) mod kept;
mod kinds;
pub(crate) mod lost;
mod overload;
pub(crate) mod parts;
mod processes;
mod removals;
pub(crate) mod removed;
pub(crate) mod resets;
pub(crate) mod sealed;
pub(crate) mod served;
mod streamed;
mod subject_keys;
mod tail;
pub(crate) mod upgrade;

/// So small that nearly every removal of the suite takes several steps.
const REMOVAL_STEP_MAX: u32 = 2;

/// So few that pages of many kinds end before all is known of each.
const LISTS_MAX: u32 = 1;

/// The cases of the suite, which asks as apps do, and those of the port beneath, for the adapter that a function opens
/// together with what must live as long (a directory, a server).
macro_rules! cases {
    ($adapter:path) => {
        async fn open() -> super::Harness {
            let (adapter, guard) = $adapter().await;
            super::Harness::new(adapter, guard)
        }

        umbel_testkit::store_conformance!(open);

        cases!(@port $adapter, gathering: [an_append_follows_another_of_its_group]);
        cases!(@port $adapter, subject_keys: [
            a_subject_has_one_key,
            a_forgotten_subject_has_no_key,
            many_subjects_have_their_own_keys,
            racing_creators_get_one_key,
        ]);

        cases!(@port $adapter, processes: [
            a_process_learns_what_others_tell,
            a_process_learns_where_others_are_reached,
            a_process_that_died_is_believed_for_its_time,
        ]);

        cases!(@port $adapter, kinds: [many_kinds_are_selected_as_few]);

        cases!(@port $adapter, parts: [a_page_in_parts_is_the_page]);

        cases!(@port $adapter, lost: [lost_letters_are_nobodys_and_go_in_steps]);

        #[test]
        fn whatever_the_pages_the_sequence_is_the_same() {
            super::streamed::whatever_the_pages_the_sequence_is_the_same($adapter());
        }

        #[test]
        fn what_is_read_from_memory_is_what_the_store_has() {
            super::tail::what_is_read_from_memory_is_what_the_store_has($adapter());
        }

        #[test]
        fn what_is_removed_is_not_read_from_memory() {
            super::tail::what_is_removed_is_not_read_from_memory($adapter());
        }

        #[test]
        fn nobody_waits_long_for_who_does_not_come_back() {
            super::gathering::nobody_waits_long_for_who_does_not_come_back($adapter());
        }

        #[test]
        fn a_dead_letter_keeps_commands() {
            umbel_testkit::conformance::run(async {
                let (adapter, _guard) = $adapter().await;
                super::commands::a_dead_letter_keeps_commands(adapter).await;
            });
        }

        #[test]
        fn a_command_is_forgotten_in_its_time() {
            umbel_testkit::conformance::run(async {
                let (adapter, _guard) = $adapter().await;
                super::commands::a_command_is_forgotten_in_its_time(adapter).await;
            });
        }

        #[test]
        fn no_command_is_forgotten_that_may_come_again() {
            umbel_testkit::conformance::run(async {
                let (adapter, _guard) = $adapter().await;
                super::commands::no_command_is_forgotten_that_may_come_again(adapter).await;
            });
        }

        #[test]
        fn hard_removal_needs_the_setting() {
            umbel_testkit::conformance::run(async {
                let (adapter, guard) = $adapter().await;
                super::hard_removal_needs_the_setting(super::Harness::new(adapter, guard)).await;
            });
        }
    };
    (@port $adapter:path, $module:ident: [$($case:ident),+ $(,)?]) => {
        $(#[test]
        fn $case() {
            umbel_testkit::conformance::run(async {
                let (adapter, _guard) = $adapter().await;
                super::$module::$case(adapter).await;
            });
        })+
    };
}

mod memory {
    use umbel_testkit::conformance::PAGE_MAX_BYTES;

    use crate::memory::Memory;

    async fn adapter() -> (Memory, ()) {
        (Memory::new().with_page_max_bytes(PAGE_MAX_BYTES), ())
    }

    cases!(adapter);
}

mod sqlite {
    use umbel_testkit::conformance::PAGE_MAX_BYTES;

    use crate::sqlite::Sqlite;

    async fn adapter() -> (Sqlite, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&directory.path().join("umbel.db")).unwrap();
        (store.with_page_max_bytes(PAGE_MAX_BYTES).with_removal_step_max(super::REMOVAL_STEP_MAX), directory)
    }

    cases!(adapter);

    cases!(@port adapter, removals: [
        a_removal_goes_step_by_step,
        a_truncation_goes_step_by_step,
        many_links_go_step_by_step,
        one_removal_waits_for_another,
    ]);
}

mod postgres {
    use umbel_testkit::{
        conformance::PAGE_MAX_BYTES,
        postgres::{TestPostgres, TestSchema},
    };

    use crate::postgres::{Postgres, PostgresOptions};

    async fn adapter() -> (Postgres, TestSchema) {
        let schema = TestPostgres::get().unwrap().fresh_schema();
        let options = PostgresOptions {
            max_connections: 2,
            page_max_bytes: PAGE_MAX_BYTES,
            lists_max: super::LISTS_MAX,
            removal_step_max: super::REMOVAL_STEP_MAX,
            ..PostgresOptions::default()
        };
        (Postgres::connect(schema.url(), schema.name(), options).await.unwrap(), schema)
    }

    cases!(adapter);

    cases!(@port adapter, removals: [
        a_removal_goes_step_by_step,
        a_truncation_goes_step_by_step,
        many_links_go_step_by_step,
        one_removal_waits_for_another,
    ]);
}

/// PostgreSQL behind a pooler in transaction mode, whose few connections all these cases share.
mod pooled {
    use umbel_testkit::{
        conformance::PAGE_MAX_BYTES,
        postgres::{Pooler, TestSchema},
    };

    use crate::postgres::{Postgres, PostgresOptions};

    async fn adapter() -> (Postgres, TestSchema) {
        let schema = Pooler::get().unwrap().fresh_schema();
        let options = PostgresOptions {
            pooler: true,
            max_connections: 2,
            page_max_bytes: PAGE_MAX_BYTES,
            lists_max: super::LISTS_MAX,
            removal_step_max: super::REMOVAL_STEP_MAX,
            ..PostgresOptions::default()
        };
        (Postgres::connect(schema.url(), schema.name(), options).await.unwrap(), schema)
    }

    cases!(adapter);

    cases!(@port adapter, removals: [
        a_removal_goes_step_by_step,
        a_truncation_goes_step_by_step,
        many_links_go_step_by_step,
        one_removal_waits_for_another,
    ]);
}

type Queued = (Append, oneshot::Sender<Result<Appended, AppendError>>);

/// An adapter as the suite wants it, with what must live as long (a directory, a server).
pub(crate) struct Harness {
    desk: Desk,
    appends: mpsc::Sender<Queued>,
    _guard: Box<dyn Send + Sync>,
}

impl Harness {
    pub(crate) fn new(adapter: impl Adapter, guard: impl Send + Sync + 'static) -> Self {
        let vault = Arc::new(Vault::new(Arc::new(adapter)));
        let (appends, queued) = mpsc::channel(256);
        tokio::spawn(form_groups(Arc::clone(&vault), queued));
        let settings = StoreSettings { allow_hard_removal: true, ..StoreSettings::default() };
        Self {
            desk: Desk::new(vault, Bus::new(BusSettings::default()), settings),
            appends,
            _guard: Box::new(guard),
        }
    }
}

/// Takes what waits as one group, stores it, answers, and so on. Time moves on by a millisecond per group.
async fn form_groups(vault: Arc<Vault>, mut queued: mpsc::Receiver<Queued>) {
    let mut now = 1_769_860_800_123_456;
    let mut waiting = Vec::new();
    while queued.recv_many(&mut waiting, 256).await > 0 {
        let (group, replies): (Vec<_>, Vec<_>) = waiting.drain(..).unzip();
        now += 1000;
        let outcomes = vault.append(group, Timestamp::from_micros(now)).await;
        assert_eq!(outcomes.len(), replies.len(), "one outcome for each append");
        for (reply, outcome) in replies.into_iter().zip(outcomes) {
            drop(reply.send(outcome));
        }
    }
}

impl Asked<Append> for Harness {
    async fn ask(&self, append: Append) -> Result<Appended, AppendError> {
        append.validate(&self.desk.settings.limits())?;
        let (reply, outcome) = oneshot::channel();
        assert!(self.appends.send((append, reply)).await.is_ok(), "the group former ended");
        outcome.await.unwrap()
    }
}

impl<R: Answer> Asked<R> for Harness {
    async fn ask(&self, request: R) -> Result<R::Answer, R::Error> {
        request.answer(&self.desk).await
    }
}

/// LD-05: where it is not allowed, nothing is removed for good, and nothing recorded; soft removal needs no permission.
async fn hard_removal_needs_the_setting(mut store: Harness) {
    store.desk.settings.allow_hard_removal = false;
    let events = Events::default();
    store.append(events.append("s", ExpectedVersion::NoStream, 2)).await.unwrap();
    for act in [truncate("s", 2, Removal::Hard), delete("s", Removal::Hard)] {
        assert_eq!(store.ask(events.perform(act)).await, Err(PerformError::NotAllowed));
    }
    assert_eq!(read_log(&store).await.len(), 2);
    for act in [truncate("s", 2, Removal::Soft), delete("s", Removal::Soft)] {
        store.ask(events.perform(act)).await.unwrap();
    }
    assert_eq!(read_log(&store).await.len(), 4);
}
