-- Purpose: deletes a stream softly; one that is deleted already stays as it is.
-- Parameters: ?1 stream_id, ?2 when.
-- Zero rows: always.
-- Index: primary key of streams.
UPDATE streams SET deleted_at = coalesce(deleted_at, ?2) WHERE stream_id = ?1
