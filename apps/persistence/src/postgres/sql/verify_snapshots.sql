-- Rule: a snapshot is of a stream that is there, and not beyond its last version.
-- Parameters: 1 how many findings at most, 2 and 3 the streams to look at, by name, behind the one up to the other. No row: it
-- holds. Index: snapshots_pkey; streams_name_key.
SELECT CASE
    WHEN s.stream_id IS NULL THEN format('snapshot of %s: there is no such stream', n.stream)
    WHEN n.version < 0 OR n.schema NOT BETWEEN 0 AND 4294967295
        THEN format('snapshot of %s is of version %s and schema %s', n.stream, n.version, n.schema)
    ELSE format('snapshot of %s at version %s, the stream ends at %s', n.stream, n.version, s.version)
END AS what
FROM {schema}.snapshots n LEFT JOIN {schema}.versioned_streams s ON s.name = n.stream
WHERE n.stream > $2 AND n.stream <= $3 AND (s.stream_id IS NULL OR n.version > s.version
    OR n.version < 0 OR n.schema NOT BETWEEN 0 AND 4294967295)
LIMIT $1
