-- Writes the events of a group in one call (see migrations/0002_append.sql for what it verifies).
-- Parameters: 1 head or null, 2 revision, 3 now, 4 streams that must be there, 5 at these versions, 6 names of new
--   streams; 7 categories, 8 types and 9 schemas of kinds that the writer does not know; then the events in log order:
--   10 stream ids, 11 versions, 12 ids, 13 kinds, 14 correlation ids, 15 causation ids, 16 subjects (empty when there
--   are none), 17 JSON data, 18 binary data (likewise), 19 metadata,
--   20 times (empty, or null for those of now); 21 times of the new streams (likewise); 22 tags (likewise; lines).
-- Always one row: position and stream id before the group's first, numbers of the kinds at 7. Raises UM001 when a
--   belief does not hold.
-- Index: events_stream_id_version_key for the check.
SELECT base_position, base_stream, new_kinds
FROM {schema}.append_group($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
    $20, $21, $22)
