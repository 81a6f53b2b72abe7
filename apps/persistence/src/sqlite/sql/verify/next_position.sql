-- Purpose: the next event of the log, wherever it is.
-- Parameters: ?1 the position that it is behind.
-- Zero rows: never; null when there is none.
-- Index: primary keys of events and archived_events.
SELECT min(position)
FROM (
    SELECT min(position) AS position FROM events WHERE position > ?1
    UNION ALL
    SELECT min(position) FROM archived_events WHERE position > ?1
)
