-- Purpose: where a stream begins.
-- Parameters: ?1 stream_id, ?2 the first version that is shown, ?3 the first that was not removed, ?4 how many were removed now.
-- Zero rows: always.
-- Index: primary key of streams.
UPDATE streams
SET first_version = max(first_version, ?2), kept_from = max(kept_from, ?3), removed = removed + ?4
WHERE stream_id = ?1
