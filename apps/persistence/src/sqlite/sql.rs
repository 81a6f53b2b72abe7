//! The statements, each in a file of its own under `sql/`.

macro_rules! statements {
    ($($name:ident = $file:literal),+ $(,)?) => {
        $(pub(super) const $name: &str = include_str!(concat!("sql/", $file, ".sql"));)+

        /// All of them with their file names, for the tests.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str)] = &[$(($file, $name)),+];
    };
}

statements! {
    TABLE_COUNT = "table_count",
    CREATE_MIGRATIONS = "create_migrations",
    APPLIED_MIGRATIONS = "applied_migrations",
    RECORD_MIGRATION = "record_migration",
    HEAD = "head",
    MOVE_HEAD = "move_head",
    FIND_STREAM = "find_stream",
    INSERT_STREAM = "insert_stream",
    MOVE_STREAM = "move_stream",
    INSERT_EVENT = "insert_event",
    FIND_EVENT = "find_event",
    FIND_CLAIM = "find_claim",
    TAKE_CLAIM = "take_claim",
    RELEASE_CLAIM = "release_claim",
    FIND_COMMAND = "find_command",
    INSERT_COMMAND = "insert_command",
    READ_STREAM_FORWARD = "read_stream_forward",
    READ_STREAM_BACKWARD = "read_stream_backward",
    READ_ALL_FORWARD = "read_all_forward",
    READ_ALL_BACKWARD = "read_all_backward",
    READ_ALL_NAMED_FORWARD = "read_all_named_forward",
    READ_ALL_NAMED_BACKWARD = "read_all_named_backward",
    FIND_DOCUMENT = "find_document",
    PUT_DOCUMENT = "put_document",
    DELETE_DOCUMENT = "delete_document",
    DELETE_DOCUMENT_INDEX = "delete_document_index",
    CLEAR_DOCUMENTS = "clear_documents",
    CLEAR_DOCUMENT_INDEX = "clear_document_index",
    INSERT_DOCUMENT_INDEX = "insert_document_index",
    QUERY_DOCUMENTS = "query_documents",
    COUNT_DOCUMENTS = "count_documents",
    DOCUMENTS_BY_FILTER = "documents_by_filter",
    DOCUMENTS_AND_FILTER = "documents_and_filter",
    TEST_EQUAL = "test_equal",
    TEST_ONE_OF = "test_one_of",
    TEST_BETWEEN = "test_between",
    ORDER_BY_KEY = "order_by_key",
    ORDER_FORWARD = "order_forward",
    ORDER_BACKWARD = "order_backward",
    FIND_CHECKPOINT = "find_checkpoint",
    MOVE_CHECKPOINT = "move_checkpoint",
}

/// A template or fragment without its header.
pub(super) fn text(sql: &str) -> String {
    let lines = sql.lines().filter(|line| !line.starts_with("--"));
    lines.collect::<Vec<_>>().join("\n")
}
