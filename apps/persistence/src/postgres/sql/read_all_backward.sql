-- A page of the log, backward, with its head, all of one snapshot.
-- Parameters: 1 the last position wanted, 2 how many at most.
-- One row whose position is null: no event there. Index: events_pkey.
SELECT log.position AS head, e.position, e.version, e.event_id, e.type, e.schema, e.recorded_at, e.correlation_id,
    e.causation_id, e.data, e.metadata, e.stream_id
FROM {schema}.log
LEFT JOIN (SELECT * FROM {schema}.events WHERE position <= $1 ORDER BY position DESC LIMIT $2) e ON true
WHERE log.one
ORDER BY e.position DESC
