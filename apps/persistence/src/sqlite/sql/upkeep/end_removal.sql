-- Purpose: ends a removal.
-- Parameters: ?1 stream_id.
-- Zero rows: always.
-- Index: primary key of removals.
DELETE FROM removals WHERE stream_id = ?1
