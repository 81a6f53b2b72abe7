-- A page of the log, backward, with its head, all of one snapshot.
-- {events} is events, or all_events when the page reaches into the archive.
-- The first row tells what there is to know, the others are the events: joined to it, each would be copied once more. They
-- come in order because their query's do; the reader makes sure of it. Ordering them here once more would sort every page.
-- Parameters: 1 the last position wanted, 2 how many at most.
-- One row: no event there. Index: events_pkey, archive_pkey.
SELECT log.position AS head, log.archived_to, {no_event} FROM {schema}.log WHERE log.one
UNION ALL (
    SELECT NULL, NULL, {columns} FROM {schema}.{events} e WHERE e.position <= $1 ORDER BY e.position DESC LIMIT $2
)
