-- The names of streams.
-- Parameters: 1 stream ids. Every id that an event has is there. Index: streams_pkey.
SELECT stream_id, name FROM {schema}.streams WHERE stream_id = ANY ($1)
