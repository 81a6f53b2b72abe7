-- Purpose: where a stream begins.
-- Parameters: ?1 stream_id, ?2 the first version that is shown.
-- Zero rows: always.
-- Index: primary key of streams.
UPDATE streams SET first_version = max(first_version, ?2) WHERE stream_id = ?1
