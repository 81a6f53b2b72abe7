-- Purpose: what leads to the events of a span, in order. {events} is the table: of the log or of the archive.
-- Parameters: ?1 lowest and ?2 highest position.
-- Zero rows: none of them is in that table.
-- Index: primary key of the table, in its order.
SELECT e.position, e.kind_id, e.recorded_at, e.correlation_id, e.causation_id
FROM {events} AS e
WHERE e.position BETWEEN ?1 AND ?2
ORDER BY e.position
