-- Purpose: removes events of a stream. {events} is the table: of the log or of the archive.
-- Parameters: ?1 stream_id, ?2 from which version, ?3 to below which.
-- Zero rows: always.
-- Index: the unique one on (stream_id, version).
DELETE FROM {events} WHERE stream_id = ?1 AND version >= ?2 AND version < ?3
