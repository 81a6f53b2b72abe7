//! The statements, each in a file of its own under `sql/`, in one directory for each side of the port.

macro_rules! statements {
    ($($name:ident = $file:literal),+ $(,)?) => {
        $(pub(super) const $name: &str = include_str!(concat!("sql/", $file, ".sql"));)+

        /// All of them with their file names, for the tests.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str)] = &[$(($file, $name)),+];
    };
}

statements! {
    TABLE_COUNT = "schema/table_count",
    CREATE_MIGRATIONS = "schema/create_migrations",
    APPLIED_MIGRATIONS = "schema/applied_migrations",
    RECORD_MIGRATION = "schema/record_migration",

    HEAD = "log/head",
    MOVE_HEAD = "log/move_head",
    LOG_INFO = "log/log_info",
    FIND_STREAM = "log/find_stream",
    INSERT_STREAM = "log/insert_stream",
    MOVE_STREAM = "log/move_stream",
    LIST_STREAMS_FORWARD = "log/list_streams_forward",
    LIST_STREAMS_BACKWARD = "log/list_streams_backward",
    LIST_STREAMS_SORTED = "log/list_streams_sorted",
    COUNT_STREAMS = "log/count_streams",
    FIND_KIND = "log/find_kind",
    INSERT_KIND = "log/insert_kind",
    KINDS_OF_NAMES = "log/kinds_of_names",
    KINDS_OF_CATEGORIES = "log/kinds_of_categories",
    KINDS_OF_BOTH = "log/kinds_of_both",
    INSERT_EVENT = "log/insert_event",
    INSERT_TAGS = "log/insert_tags",
    FIND_TAGGED = "log/find_tagged",
    TAGGED_FORWARD = "log/tagged_forward",
    TAGGED_BACKWARD = "log/tagged_backward",
    FIND_EVENT = "log/find_event",
    IS_ARCHIVED = "log/is_archived",
    INSERT_SPAN = "log/insert_span",
    FIND_SPANS_FORWARD = "log/find_spans_forward",
    FIND_SPANS_BACKWARD = "log/find_spans_backward",
    FIND_CLAIM = "log/find_claim",
    TAKE_CLAIM = "log/take_claim",
    RELEASE_CLAIM = "log/release_claim",
    FIND_COMMAND = "log/find_command",
    INSERT_COMMAND = "log/insert_command",
    READ_EVENT = "log/read_event",
    READ_PLACE = "log/read_place",
    READ_STREAM_FORWARD = "log/read_stream_forward",
    READ_STREAM_BACKWARD = "log/read_stream_backward",
    STREAM_PLACES_FORWARD = "log/stream_places_forward",
    STREAM_PLACES_BACKWARD = "log/stream_places_backward",
    READ_ALL_FORWARD = "log/read_all_forward",
    READ_ALL_BACKWARD = "log/read_all_backward",
    CANDIDATES_FORWARD = "log/candidates_forward",
    CANDIDATES_BACKWARD = "log/candidates_backward",
    CANDIDATES_ALL = "log/candidates_all",
    CANDIDATES_BY_KIND = "log/candidates_by_kind",
    CANDIDATES_BY_CORRELATION = "log/candidates_by_correlation",
    CANDIDATES_BY_CAUSATION = "log/candidates_by_causation",
    WANTED_ALL = "log/wanted_all",
    WANTED_IF = "log/wanted_if",

    FIND_DOCUMENT = "read_models/find_document",
    PUT_DOCUMENT = "read_models/put_document",
    DELETE_DOCUMENT = "read_models/delete_document",
    DELETE_DOCUMENT_INDEX = "read_models/delete_document_index",
    CLEAR_DOCUMENTS = "read_models/clear_documents",
    CLEAR_DOCUMENT_INDEX = "read_models/clear_document_index",
    INSERT_DOCUMENT_INDEX = "read_models/insert_document_index",
    QUERY_DOCUMENTS = "read_models/query_documents",
    COUNT_DOCUMENTS = "read_models/count_documents",
    DOCUMENTS_BY_FILTER = "read_models/documents_by_filter",
    DOCUMENTS_AND_FILTER = "read_models/documents_and_filter",
    TEST_EQUAL = "read_models/test_equal",
    TEST_ONE_OF = "read_models/test_one_of",
    TEST_BETWEEN = "read_models/test_between",
    ORDER_BY_KEY = "read_models/order_by_key",
    ORDER_FORWARD = "read_models/order_forward",
    ORDER_BACKWARD = "read_models/order_backward",
    FIND_CHECKPOINT = "read_models/find_checkpoint",
    MOVE_CHECKPOINT = "read_models/move_checkpoint",
    FIND_SERVED = "read_models/find_served",
    FIND_SUFFIX = "read_models/find_suffix",
    FIND_GENERATION = "read_models/find_generation",
    LIST_GENERATIONS = "read_models/list_generations",
    LIST_ALL_GENERATIONS = "read_models/list_all_generations",
    BEGIN_GENERATION = "read_models/begin_generation",
    RETIRE_BEFORE = "read_models/retire_before",
    RETIRE_BUILDING = "read_models/retire_building",
    MARK_GENERATION = "read_models/mark_generation",
    CLEAR_SERVED = "read_models/clear_served",
    PUT_SERVED = "read_models/put_served",
    LIST_DOCUMENT_KEYS = "read_models/list_document_keys",

    BEGIN_UPKEEP = "upkeep/begin",
    END_UPKEEP = "upkeep/end",
    FIND_LINK = "upkeep/find_link",
    INSERT_LINK = "upkeep/insert_link",
    UNPLAIN_STREAM = "upkeep/unplain_stream",
    SOFT_DELETE_STREAM = "upkeep/soft_delete_stream",
    DELETE_STREAM = "upkeep/delete_stream",
    TRUNCATE_STREAM = "upkeep/truncate_stream",
    COUNT_LOST_LINKS = "upkeep/count_lost_links",
    REMOVE_LINKS_TO = "upkeep/remove_links_to",
    REMOVE_LINKS = "upkeep/remove_links",
    REMOVE_TAGS = "upkeep/remove_tags",
    REMOVE_EVENTS = "upkeep/remove_events",
    COPY_TO_ARCHIVE = "upkeep/copy_to_archive",
    REMOVE_ARCHIVED = "upkeep/remove_archived",
    MOVE_ARCHIVE = "upkeep/move_archive",
    FIND_SUBJECT_KEY = "upkeep/find_subject_key",
    FIND_SUBJECTS = "upkeep/find_subjects",
    CREATE_SUBJECT_KEY = "upkeep/create_subject_key",
    FORGET_SUBJECT = "upkeep/forget_subject",

    VERIFY_LOG = "verify/log",
    VERIFY_POSITIONS = "verify/positions",
    VERIFY_REMOVALS = "verify/removals",
    VERIFY_SPANS = "verify/spans",
    VERIFY_STRAY_SPANS = "verify/stray_spans",
    VERIFY_KINDS = "verify/kinds",
    VERIFY_SUBJECT_KEYS = "verify/subject_keys",
    VERIFY_VERSIONS = "verify/versions",
    VERIFY_EVENT_IDS = "verify/event_ids",
    VERIFY_REFERENCES = "verify/references",
    VERIFY_LINKS = "verify/links",
    VERIFY_TAGS = "verify/tags",
    VERIFY_CHECKPOINTS = "verify/checkpoints",
    VERIFY_SNAPSHOTS = "verify/snapshots",
    VERIFY_DOCUMENTS = "verify/documents",
    VERIFY_COMMANDS = "verify/commands",
    VERIFY_ARCHIVE = "verify/archive",
    VERIFY_PAYLOADS = "verify/payloads",
    VERIFY_SUBSCRIPTIONS = "verify/subscriptions",
    VERIFY_SUBSCRIPTION_CHECKPOINTS = "verify/subscription_checkpoints",
    VERIFY_LETTERS = "verify/letters",

    LOAD_SNAPSHOT = "extras/load_snapshot",
    SAVE_SNAPSHOT = "extras/save_snapshot",
    DELETE_SNAPSHOT = "extras/delete_snapshot",
    LIST_SNAPSHOTS = "extras/list_snapshots",
    INSERT_OUTBOX = "extras/insert_outbox",
    READ_OUTBOX = "extras/read_outbox",
    READ_DUE = "extras/read_due",
    NEXT_DUE = "extras/next_due",
    DELETE_OUTBOX = "extras/delete_outbox",
    FIND_WORK = "extras/find_work",
    TAKE_OUT = "extras/take_out",
    INSERT_NOTICE = "extras/insert_notice",
    LIST_NOTICES = "extras/list_notices",
    LIST_NOTICES_OF_TOPIC = "extras/list_notices_of_topic",
    LIST_NOTICES_OF_TRANSACTION = "extras/list_notices_of_transaction",
    SWEEP_NOTICES = "extras/sweep_notices",

    INSERT_SUBSCRIPTION = "subscriptions/insert_subscription",
    INSERT_PARTITION = "subscriptions/insert_partition",
    FIND_SUBSCRIPTION = "subscriptions/find_subscription",
    FORGET_HANDLED = "subscriptions/forget_handled",
    LIST_SUBSCRIPTIONS = "subscriptions/list_subscriptions",
    REMOVE_MEMBERS = "subscriptions/remove_members",
    PUT_MEMBER = "subscriptions/put_member",
    KEEP_LEASE = "subscriptions/keep_lease",
    CLAIM_LEASE = "subscriptions/claim_lease",
    LIST_LEASES = "subscriptions/list_leases",
    LIST_FOLLOWERS = "subscriptions/list_followers",
    LEAVE_LEASES = "subscriptions/leave_leases",
    HAS_LEASE = "subscriptions/has_lease",
    SAVE_CHECKPOINT = "subscriptions/save_checkpoint",
    PAUSE_SUBSCRIPTION = "subscriptions/pause_subscription",
    MOVE_START = "subscriptions/move_start",
    RESET_PARTITIONS = "subscriptions/reset_partitions",
    KEEP_EPOCH = "subscriptions/keep_epoch",
    RENAME_SUBSCRIPTION = "subscriptions/rename_subscription",
    RENAME_PARTITIONS = "subscriptions/rename_partitions",
    RENAME_LETTERS = "subscriptions/rename_letters",
    DELETE_PARTITIONS = "subscriptions/delete_partitions",
    DELETE_SUBSCRIPTION = "subscriptions/delete_subscription",
    INSERT_LETTER = "subscriptions/insert_letter",
    COUNT_LETTERS = "subscriptions/count_letters",
    UNMARK_FIRST = "subscriptions/unmark_first",
    MARK_FIRST = "subscriptions/mark_first",
    HAS_LETTERS = "subscriptions/has_letters",
    PARKED_KEYS = "subscriptions/parked_keys",
    TAKE_LETTERS = "subscriptions/take_letters",
    FIND_LETTER = "subscriptions/find_letter",
    DELETE_LETTER = "subscriptions/delete_letter",
    DELETE_LETTERS = "subscriptions/delete_letters",
    FAIL_LETTER = "subscriptions/fail_letter",
    LIST_LETTERS = "subscriptions/list_letters",
    MEANT_LETTERS = "subscriptions/meant_letters",
    COUNT_MEANT_LETTERS = "subscriptions/count_meant_letters",
    RETRY_LETTERS = "subscriptions/retry_letters",
    EDIT_LETTER = "subscriptions/edit_letter",
}

/// Where events are. Every position up to the end of the archive is in [`Table::Archive`], all others are in
/// [`Table::Log`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// The beginning of the log, if some of it was archived.
    Archive,
    /// The rest.
    Log,
}

impl Table {
    /// Both, in log order.
    pub(super) const ALL: [Self; 2] = [Self::Archive, Self::Log];

    /// The statement over this table.
    pub(super) fn of(self, sql: &str) -> String {
        sql.replace(
            "{events}",
            match self {
                Self::Archive => "archived_events",
                Self::Log => "events",
            },
        )
    }
}

/// A template or fragment without its header.
pub(super) fn text(sql: &str) -> String {
    let lines = sql.lines().filter(|line| !line.starts_with("--"));
    lines.collect::<Vec<_>>().join("\n")
}
