-- A page of the events of some types, forward, with the log's head, all of one snapshot. Looks at a bounded range
-- of positions, so that a rare type does not make it look at the whole log at once.
-- Parameters: 1 the first position, 2 the last position to look at, 3 types, 4 how many at most.
-- One row whose position is null: no such event there. Index: events_pkey.
SELECT log.position AS head, e.position, e.version, e.event_id, e.type, e.schema, e.recorded_at, e.correlation_id,
    e.causation_id, e.data, e.metadata, e.stream_id
FROM {schema}.log
LEFT JOIN (
    SELECT * FROM {schema}.events WHERE position BETWEEN $1 AND $2 AND type = ANY ($3)
    ORDER BY position LIMIT $4
) e ON true
WHERE log.one
ORDER BY e.position
