-- A range of the log, forward, with its head, all of one snapshot. As positions have no gaps but for hard deletes,
-- the range is the page.
-- {events} is events, or all_events when the range reaches into the archive.
-- Rows come in order because the inner query's do; the reader makes sure of it. Ordering them here once more would sort
-- every page.
-- Parameters: 1 the first position, 2 the last, 3 how many positions that are.
-- One row whose position is null: no event there. Index: events_pkey, archive_pkey.
SELECT log.position AS head, log.archived_to, {columns}
FROM {schema}.log
LEFT JOIN LATERAL (
    SELECT * FROM {schema}.{events} WHERE position BETWEEN $1 AND $2 ORDER BY position LIMIT $3
) e ON true
WHERE log.one
