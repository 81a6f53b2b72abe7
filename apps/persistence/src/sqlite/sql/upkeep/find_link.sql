-- Purpose: whether a stream holds a link to an event.
-- Parameters: ?1 position, ?2 stream_id.
-- Zero rows: never.
-- Index: links_by_position.
SELECT EXISTS (SELECT 1 FROM links WHERE position = ?1 AND stream_id = ?2)
