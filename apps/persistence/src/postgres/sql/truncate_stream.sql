-- Ends the beginning of a stream, under the log's row lock.
-- Parameters: 1 stream id, 2 its version, 3 the first version to keep, 4 whether the events shall go.
-- Always one row: how many events and links went. Index: events_stream_id_version_key, links_by_position.
SELECT events, links FROM {schema}.truncate_stream($1, $2, $3, $4)
