-- Ends a removal whose steps are through, under the log's row lock.
-- Parameters: 1 stream id, 2 whether the stream goes as a whole.
-- Always one row, which says nothing. Index: removals_pkey, streams_pkey, snapshots_pkey.
SELECT {schema}.end_removal($1, $2)::text AS nothing
