-- Purpose: one stream with all its columns.
-- Parameters: 1 the stream's name. Zero rows: there is none. Index: the unique one on (stream_id, version).
SELECT * FROM events WHERE stream_id = (SELECT stream_id FROM streams WHERE name = ?1) ORDER BY version
