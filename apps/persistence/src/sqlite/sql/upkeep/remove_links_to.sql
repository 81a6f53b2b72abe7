-- Purpose: removes all links to events of a stream, wherever they are. {events} is the table: of the log or of the archive.
-- Parameters: ?1 stream_id, ?2 only to versions below this.
-- Zero rows: always.
-- Index: the unique one on (stream_id, version), then links_by_position.
DELETE FROM links
WHERE position IN (SELECT position FROM {events} WHERE stream_id = ?1 AND version < ?2)
