-- Purpose: removes links that a stream holds.
-- Parameters: ?1 stream_id, ?2 from which version, ?3 to below which.
-- Zero rows: always.
-- Index: primary key of links.
DELETE FROM links WHERE stream_id = ?1 AND version >= ?2 AND version < ?3
