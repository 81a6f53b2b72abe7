-- Purpose: a page of the log, in reverse order.
-- Parameters: ?1 lowest and ?2 highest position, ?3 how many at most.
-- Zero rows: no events between these positions.
-- Index: primary key of events, in its order, then that of streams.
SELECT e.position, s.name, e.version, e.event_id, e.type, e.schema, e.recorded_at,
       e.correlation_id, e.causation_id, e.data, e.metadata
FROM events AS e CROSS JOIN streams AS s ON s.stream_id = e.stream_id
WHERE e.position BETWEEN ?1 AND ?2
ORDER BY e.position DESC
LIMIT ?3
