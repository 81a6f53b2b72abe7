-- Removes the snapshot of a stream.
-- Parameters: 1 the stream's name. One row: it was there; none: it was not. Index: snapshots_pkey.
DELETE FROM {schema}.snapshots WHERE stream = $1 RETURNING stream
