-- Writes the events of a group in one call (see migrations/0002_append.sql for what it verifies).
-- Parameters: 1 head or null, 2 revision, 3 now, 4 streams that must be there, 5 at these versions, 6 names of new
--   streams; then the events in log order: 7 stream ids, 8 versions, 9 ids, 10 types, 11 schemas,
--   12 correlation ids, 13 causation ids, 14 data, 15 metadata,
--   16 times (empty, or null for those of now); 17 times of the new streams (likewise).
-- Always one row: position and stream id before the group's first. Raises UM001 when a belief does not hold.
-- Index: events_stream_id_version_key for the check.
SELECT base_position, base_stream
FROM {schema}.append_group($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
