-- A page of one stream's own events that are not in the archive, with what there is to know of the stream, all of one
-- snapshot. The page is whole when the stream is plain and none of it can be in the archive.
-- {sorted} is the direction (empty or DESC).
-- Rows come in order because the inner query's do; the reader makes sure of it. Ordering them here once more would sort
-- every page.
-- Parameters: 1 name, 2 the lowest version wanted, 3 the highest, 4 how many at most.
-- No row: nothing was ever appended. One row whose position is null: no event there.
-- Index: streams_name_key, events_stream_id_version_key.
WITH stream AS MATERIALIZED (
    SELECT * FROM {schema}.versioned_streams WHERE name = $1
)
SELECT s.deleted_at IS NOT NULL AS deleted, s.plain, s.first_version, s.version AS stream_version, log.archived_to,
    {columns}
FROM stream s
JOIN {schema}.log ON log.one
LEFT JOIN LATERAL (
    SELECT * FROM {schema}.events
    WHERE stream_id = s.stream_id AND version BETWEEN greatest($2, s.first_version) AND $3
    ORDER BY version {sorted} LIMIT $4
) e ON true
