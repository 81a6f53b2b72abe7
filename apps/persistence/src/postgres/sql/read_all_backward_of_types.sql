-- A page of the events of some types, backward, with the log's head, all of one snapshot. Looks at a bounded range of
-- positions, so that a rare type does not make it look at the whole log at once.
-- Parameters: 1 the last position wanted, 2 how many at most, 3 types, 4 how many positions to look at.
-- One row whose position is null: no such event there. Index: events_pkey.
SELECT log.position AS head, e.position, e.version, e.event_id, e.type, e.schema, e.recorded_at, e.correlation_id,
    e.causation_id, e.data, e.metadata, e.stream_id
FROM {schema}.log
LEFT JOIN LATERAL (
    SELECT * FROM {schema}.events
    WHERE position <= $1 AND position > least($1, log.position) - $4 AND type = ANY ($3)
    ORDER BY position DESC LIMIT $2
) e ON true
WHERE log.one
ORDER BY e.position DESC
