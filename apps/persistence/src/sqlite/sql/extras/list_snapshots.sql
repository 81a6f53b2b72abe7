-- Purpose: a page of the list of snapshots.
-- Parameters: ?1 stream behind which it begins, ?2 how many at most.
-- Zero rows: no more.
-- Index: the unique one on snapshots.stream, in its order.
SELECT stream, version, state, schema, taken_at, data FROM snapshots WHERE stream > ?1 ORDER BY stream LIMIT ?2
