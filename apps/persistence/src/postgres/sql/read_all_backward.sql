-- A page of the log, backward, with its head, all of one snapshot.
-- {events} is events, or all_events when the page reaches into the archive.
-- Rows come in order because the inner query's do; the reader makes sure of it. Ordering them here once more would sort
-- every page.
-- Parameters: 1 the last position wanted, 2 how many at most.
-- One row whose position is null: no event there. Index: events_pkey, archive_pkey.
SELECT log.position AS head, log.archived_to, {columns}
FROM {schema}.log
LEFT JOIN (SELECT * FROM {schema}.{events} WHERE position <= $1 ORDER BY position DESC LIMIT $2) e ON true
WHERE log.one
