-- Purpose: a stream's version after it got links.
-- Parameters: ?1 stream_id, ?2 version.
-- Zero rows: always.
-- Index: primary key of streams.
UPDATE streams SET version = ?2, plain = 0 WHERE stream_id = ?1
