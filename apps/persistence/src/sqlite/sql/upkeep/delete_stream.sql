-- Purpose: removes a stream's row; its events and links are gone already.
-- Parameters: ?1 stream_id.
-- Zero rows: always.
-- Index: primary key of streams; those that begin with stream_id for what refers to it.
DELETE FROM streams WHERE stream_id = ?1
