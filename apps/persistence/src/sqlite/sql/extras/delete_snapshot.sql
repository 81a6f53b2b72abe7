-- Purpose: removes the snapshot of a stream.
-- Parameters: ?1 stream.
-- Zero rows: always; no row changes when there was none.
-- Index: the unique one on snapshots.stream.
DELETE FROM snapshots WHERE stream = ?1
