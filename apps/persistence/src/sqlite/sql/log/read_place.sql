-- Purpose: one event by its position. {events} is the table: of the log or of the archive.
-- Parameters: ?1 position.
-- Zero rows: it is not in that table.
-- Index: primary key of the table, then those of streams and kinds.
SELECT e.position, s.name, e.version, e.event_id, k.type, k.schema, e.recorded_at,
       e.correlation_id, e.causation_id, e.subject, e.tags, e.metadata, e.data, e.bytes
FROM {events} AS e
LEFT JOIN streams AS s ON s.stream_id = e.stream_id
LEFT JOIN kinds AS k ON k.kind_id = e.kind_id
WHERE e.position = ?1
