-- A range of the log, forward, with its head, all of one snapshot. As positions have no gaps but for hard deletes,
-- the range is the page.
-- Parameters: 1 the first position, 2 the last.
-- One row whose position is null: no event there. Index: events_pkey.
SELECT log.position AS head, e.position, e.version, e.event_id, e.type, e.schema, e.recorded_at, e.correlation_id,
    e.causation_id, e.data, e.metadata, e.stream_id
FROM {schema}.log
LEFT JOIN {schema}.events e ON e.position BETWEEN $1 AND $2
WHERE log.one
ORDER BY e.position
