-- Purpose: a page of the log's events with certain names, in order.
-- Parameters: ?1 lowest and ?2 highest position, ?3 how many at most, ?4 the names as a JSON list.
-- Zero rows: no such events between these positions.
-- Index: primary key of events, in its order, then that of streams. The names have no index, which would make
--   every append dearer; the caller bounds the positions instead.
SELECT e.position, s.name, e.version, e.event_id, e.type, e.schema, e.recorded_at,
       e.correlation_id, e.causation_id, e.data, e.metadata
FROM events AS e CROSS JOIN streams AS s ON s.stream_id = e.stream_id
WHERE e.position BETWEEN ?1 AND ?2 AND e.type IN (SELECT value FROM json_each(?4))
ORDER BY e.position ASC
LIMIT ?3
