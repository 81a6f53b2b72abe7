-- Ends a stream, under the log's row lock.
-- Parameters: 1 stream id, 2 whether its events shall go, 3 now.
-- Always one row: how many events and links went. Index: events_stream_id_version_key, links_by_position.
SELECT events, links FROM {schema}.delete_stream($1, $2, $3)
