-- A range of the log, forward, with its head, all of one snapshot. As positions have no gaps but for hard deletes,
-- the range is the page.
-- {events} is events, or all_events when the range reaches into the archive.
-- The first row tells what there is to know, the others are the events: joined to it, each would be copied once more. They
-- come in order because their query's do; the reader makes sure of it. Ordering them here once more would sort every page.
-- Parameters: 1 the first position, 2 the last, 3 how many positions that are.
-- One row: no event there. Index: events_pkey, archive_pkey.
SELECT log.position AS head, log.archived_to, {no_event} FROM {schema}.log WHERE log.one
UNION ALL (
    SELECT NULL, NULL, {columns} FROM {schema}.{events} e
    WHERE e.position BETWEEN $1 AND $2 ORDER BY e.position LIMIT $3
)
