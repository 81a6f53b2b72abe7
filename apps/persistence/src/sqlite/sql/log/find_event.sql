-- Purpose: where an event stands in the log. {events} is the table: of the log or of the archive.
-- Parameters: ?1 event_id.
-- Zero rows: it is not in that table.
-- Index: the unique one on event_id, then the primary key of streams.
SELECT s.name, e.version, e.position
FROM {events} AS e CROSS JOIN streams AS s ON s.stream_id = e.stream_id
WHERE e.event_id = ?1
