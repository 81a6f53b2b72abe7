-- Keeps a snapshot unless there is one of a newer version.
-- Parameters: 1 the stream's name, 2 version, 3 state, 4 schema, 5 when it was taken, 6 data.
-- One row: it was kept; none: a newer one is there. Index: snapshots_pkey.
INSERT INTO {schema}.snapshots AS kept (stream, version, state, schema, taken_at, data)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (stream) DO UPDATE SET version = excluded.version, state = excluded.state, schema = excluded.schema,
    taken_at = excluded.taken_at, data = excluded.data
WHERE kept.version <= excluded.version
RETURNING stream
