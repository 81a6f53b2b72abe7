-- The snapshot of a stream.
-- Parameters: 1 the stream's name. No row: there is none. Index: snapshots_pkey.
SELECT stream, version, state, schema, taken_at, data FROM {schema}.snapshots WHERE stream = $1
