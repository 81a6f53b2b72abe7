-- Purpose: keeps a snapshot, unless there is one of a newer version, or its stream is not there or ends before it.
-- Parameters: ?1 stream, ?2 version, ?3 state, ?4 schema, ?5 taken_at, ?6 data.
-- Zero rows: always; no row changes when it is not kept.
-- Index: the unique ones on streams.name and snapshots.stream.
INSERT INTO snapshots (stream, version, state, schema, taken_at, data)
SELECT ?1, ?2, ?3, ?4, ?5, ?6
WHERE EXISTS (SELECT 1 FROM streams AS s WHERE s.name = ?1 AND s.version >= ?2)
ON CONFLICT (stream) DO UPDATE
SET version = excluded.version, state = excluded.state, schema = excluded.schema,
    taken_at = excluded.taken_at, data = excluded.data
WHERE version <= excluded.version
