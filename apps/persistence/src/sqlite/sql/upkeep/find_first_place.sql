-- Purpose: the first version of a stream that there is something at, an event of its own, archived or not, or a link.
-- Parameters: ?1 stream_id.
-- Zero rows: never; null when there is nothing.
-- Index: the unique ones on (stream_id, version) of events and archived_events, and the primary key of links.
SELECT min(version) FROM (
    SELECT (SELECT min(version) FROM events WHERE stream_id = ?1) AS version
    UNION ALL SELECT (SELECT min(version) FROM archived_events WHERE stream_id = ?1)
    UNION ALL SELECT (SELECT min(version) FROM links WHERE stream_id = ?1)
)
