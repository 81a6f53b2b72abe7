-- Purpose: what stands where in a stream that holds links, in reverse order: versions and positions.
-- Parameters: ?1 stream_id, ?2 lowest and ?3 highest version, ?4 how many at most.
-- Zero rows: nothing between these versions.
-- Index: the unique ones on (stream_id, version) of events and archived_events, and the primary key of links, all in their
--   order.
SELECT version, position FROM events WHERE stream_id = ?1 AND version BETWEEN ?2 AND ?3
UNION ALL
SELECT version, position FROM archived_events WHERE stream_id = ?1 AND version BETWEEN ?2 AND ?3
UNION ALL
SELECT version, position FROM links WHERE stream_id = ?1 AND version BETWEEN ?2 AND ?3
ORDER BY version DESC
LIMIT ?4
