-- The names of streams.
-- Parameters: 1 stream ids. An id without a row: the stream was deleted for good, and its events with it.
-- Index: streams_pkey.
SELECT stream_id, name FROM {schema}.streams WHERE stream_id = ANY ($1)
