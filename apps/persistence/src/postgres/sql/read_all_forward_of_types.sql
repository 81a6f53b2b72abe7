-- A page of the events of some types, forward, with the log's head, all of one snapshot. Looks at a bounded range
-- of positions, so that a rare type does not make it look at the whole log at once.
-- Parameters: 1 the first position wanted, 2 how many at most, 3 types, 4 the last position to look at.
-- One row whose position is null: no such event there. Index: events_pkey, streams_pkey.
SELECT log.position AS head, e.*
FROM {schema}.log
LEFT JOIN LATERAL (
    SELECT e.position, e.version, e.event_id, e.type, e.schema, e.recorded_at, e.correlation_id, e.causation_id,
        e.data, e.metadata, s.name
    FROM {schema}.events e JOIN {schema}.streams s ON s.stream_id = e.stream_id
    WHERE e.position >= $1 AND e.position <= $4 AND e.type = ANY ($3)
    ORDER BY e.position LIMIT $2
) e ON true
ORDER BY e.position
