-- A page of the list of snapshots, by the names of their streams.
-- Parameters: 1 only names behind this one, or null, 2 how many at most. No row: none is left.
-- Index: snapshots_pkey, in order.
SELECT stream, version, state, schema, taken_at, data FROM {schema}.snapshots
WHERE stream > coalesce($1, '') ORDER BY stream LIMIT $2
