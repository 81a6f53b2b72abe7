-- A range of the log, forward, with its head, all of one snapshot. As positions have no gaps but for hard deletes,
-- the range is the page.
-- {events} is events, or all_events when the range reaches into the archive.
-- Parameters: 1 the first position, 2 the last.
-- One row whose position is null: no event there. Index: events_pkey, archive_pkey.
SELECT log.position AS head, log.archived_to, {columns}
FROM {schema}.log
LEFT JOIN {schema}.{events} e ON e.position BETWEEN $1 AND $2
WHERE log.one
ORDER BY e.position
