-- Purpose: keeps a snapshot, unless there is one of a newer version.
-- Parameters: ?1 stream, ?2 version, ?3 state, ?4 schema, ?5 taken_at, ?6 data.
-- Zero rows: always; no row changes when there is a newer one.
-- Index: the unique one on snapshots.stream.
INSERT INTO snapshots (stream, version, state, schema, taken_at, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (stream) DO UPDATE
SET version = excluded.version, state = excluded.state, schema = excluded.schema,
    taken_at = excluded.taken_at, data = excluded.data
WHERE version <= excluded.version
