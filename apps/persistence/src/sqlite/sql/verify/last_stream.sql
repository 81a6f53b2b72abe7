-- Purpose: the last id of a stream, 0 when there is none.
-- Parameters: none.
-- Zero rows: never.
-- Index: primary key of streams.
SELECT coalesce(max(stream_id), 0) FROM streams
