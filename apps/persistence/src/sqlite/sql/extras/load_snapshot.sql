-- Purpose: the snapshot of a stream.
-- Parameters: ?1 stream.
-- Zero rows: there is none.
-- Index: the unique one on snapshots.stream.
SELECT stream, version, state, schema, taken_at, data FROM snapshots WHERE stream = ?1
