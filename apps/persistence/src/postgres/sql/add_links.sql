-- Links events to a stream, under the log's row lock.
-- Parameters: 1 stream id, or null for a new one, 2 its name, 3 its version, 4 the events' positions, 5 now.
-- Always one row. Index: streams_pkey.
SELECT {schema}.add_links($1, $2, $3, $4, $5)
