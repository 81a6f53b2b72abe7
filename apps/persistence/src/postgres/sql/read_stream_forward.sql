-- A page of one stream, forward, with the stream's version, all of one snapshot.
-- Parameters: 1 name, 2 the first version wanted, 3 how many at most.
-- No row: nothing was ever appended. One row whose position is null: no event there.
-- Index: streams_name_key, events_stream_id_version_key.
SELECT s.deleted_at IS NOT NULL AS deleted, last.version AS stream_version, e.*
FROM {schema}.streams s
CROSS JOIN LATERAL (
    SELECT coalesce(max(version), 0) AS version FROM {schema}.events WHERE stream_id = s.stream_id
) last
LEFT JOIN LATERAL (
    SELECT position, version, event_id, type, schema, recorded_at, correlation_id, causation_id, data, metadata
    FROM {schema}.events WHERE stream_id = s.stream_id AND version >= $2 ORDER BY version LIMIT $3
) e ON true
WHERE s.name = $1
ORDER BY e.version
