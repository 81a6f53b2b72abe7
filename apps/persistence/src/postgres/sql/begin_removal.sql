-- Begins a removal, under the log's row lock.
-- Parameters: 1 stream id, 2 its version, 3 the first version to keep, 4 whether the stream goes as a whole, 5 the act's id, 6 its
-- request as JSON, 7 now.
-- Always one row: the first version that there is something at. Index: events_stream_id_version_key, archive_stream_id_version_key,
-- links_pkey, streams_pkey.
SELECT next_version FROM {schema}.begin_removal($1, $2, $3, $4, $5, $6, $7)
