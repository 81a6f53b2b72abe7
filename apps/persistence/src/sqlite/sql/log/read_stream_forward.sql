-- Purpose: a page of one stream's own events, in order. {events} is the table: of the log or of the archive.
-- Parameters: ?1 stream_id, ?2 lowest and ?3 highest version, ?4 how many at most.
-- Zero rows: no events between these versions.
-- Index: the unique one on (stream_id, version), in its order.
SELECT e.position, s.name, e.version, e.event_id, k.type, k.schema, e.recorded_at,
       e.correlation_id, e.causation_id, e.subject, e.tags, e.metadata, e.data, e.bytes
FROM {events} AS e
CROSS JOIN streams AS s ON s.stream_id = e.stream_id
CROSS JOIN kinds AS k ON k.kind_id = e.kind_id
WHERE e.stream_id = ?1 AND e.version BETWEEN ?2 AND ?3
ORDER BY e.version ASC
LIMIT ?4
