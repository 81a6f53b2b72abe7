-- Purpose: events of a stream with their kinds, in order. {events} is the table: of the log or of the archive.
-- Parameters: ?1 stream_id, ?2 only at versions below this.
-- Zero rows: none in that table.
-- Index: the unique one on (stream_id, version), in its order, then the primary key of the table.
SELECT e.position, e.kind_id FROM {events} AS e WHERE e.stream_id = ?1 AND e.version < ?2 ORDER BY e.version
