-- Purpose: deletes a stream softly.
-- Parameters: ?1 stream_id, ?2 when.
-- Zero rows: always.
-- Index: primary key of streams.
UPDATE streams SET deleted_at = ?2 WHERE stream_id = ?1
