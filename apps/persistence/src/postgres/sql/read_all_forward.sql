-- A page of the log, forward, with its head, all of one snapshot.
-- Parameters: 1 the first position wanted, 2 how many at most.
-- One row whose position is null: no event there. Index: events_pkey, streams_pkey.
SELECT log.position AS head, e.*
FROM {schema}.log
LEFT JOIN LATERAL (
    SELECT e.position, e.version, e.event_id, e.type, e.schema, e.recorded_at, e.correlation_id, e.causation_id,
        e.data, e.metadata, s.name
    FROM {schema}.events e JOIN {schema}.streams s ON s.stream_id = e.stream_id
    WHERE e.position >= $1
    ORDER BY e.position LIMIT $2
) e ON true
ORDER BY e.position
