-- Purpose: one stream.
-- Parameters: ?1 name.
-- Zero rows: nothing was ever appended to it.
-- Index: the unique one on streams.name.
SELECT stream_id, version, first_version, plain, created_at, deleted_at FROM streams WHERE name = ?1
