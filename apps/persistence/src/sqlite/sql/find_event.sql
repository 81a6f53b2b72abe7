-- Purpose: where an event stands in the log.
-- Parameters: ?1 event_id.
-- Zero rows: it is not in the log.
-- Index: the unique one on events.event_id, then the primary key of streams.
SELECT s.name, e.version, e.position
FROM events AS e CROSS JOIN streams AS s ON s.stream_id = e.stream_id
WHERE e.event_id = ?1
