-- A page of one stream's own events that are not in the archive, with what there is to know of the stream, all of one
-- snapshot. The page is whole when the stream is plain and none of it can be in the archive.
-- {sorted} is the direction (empty or DESC).
-- The first row tells what there is to know, the others are the events: joined to it, each would be copied once more. They
-- come in order because their query's do; the reader makes sure of it. Ordering them here once more would sort every page.
-- Parameters: 1 name, 2 the lowest version wanted, 3 the highest, 4 how many at most.
-- No row: nothing was ever appended. One row: no event there.
-- Index: streams_name_key, events_stream_id_version_key.
WITH stream AS MATERIALIZED (
    SELECT * FROM {schema}.versioned_streams WHERE name = $1
)
SELECT s.deleted_at IS NOT NULL AS deleted, s.plain, s.first_version, s.version AS stream_version, log.archived_to,
    {no_event}
FROM stream s JOIN {schema}.log ON log.one
UNION ALL (
    SELECT NULL, NULL, NULL, NULL, NULL, {columns} FROM {schema}.events e
    WHERE e.stream_id = (SELECT stream_id FROM stream)
        AND e.version BETWEEN greatest($2, (SELECT first_version FROM stream)) AND $3
    ORDER BY e.version {sorted} LIMIT $4
)
