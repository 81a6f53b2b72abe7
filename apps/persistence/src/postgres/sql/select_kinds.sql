-- A page of the events of some kinds, merged from the kinds' ranges of the index, with the log's head and how many
-- kinds there are, all of one snapshot. Positions first, rows after.
-- Of more kinds than parameter 5 it returns no event.
-- {events} is events, or all_events when the page reaches into the archive; {sorted} the direction (empty or DESC).
-- The rows are compared so that no other index can serve the order.
-- Rows come in order because the inner query's do; the reader makes sure of it. Ordering them here once more would sort
-- every page.
-- Parameters: 1 the first position, 2 the last, 3 names of types, 4 categories (null: do not restrict),
--   5 how many kinds at most, 6 how many events at most.
-- One row whose position is null: none there. Index: events_by_kind and archive's like it, events_pkey, archive_pkey.
WITH wanted AS MATERIALIZED (
    SELECT k AS kind_id FROM {schema}.kinds_of($3, $4) AS k LIMIT $5::bigint + 1
), page AS MATERIALIZED (
    SELECT found.position
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT i.position FROM {schema}.{events} i
        WHERE (i.kind_id, i.position) >= (w.kind_id, $1) AND (i.kind_id, i.position) <= (w.kind_id, $2)
        ORDER BY i.kind_id {sorted}, i.position {sorted} LIMIT $6
    ) found
    WHERE (SELECT count(*) FROM wanted) <= $5
    ORDER BY found.position {sorted} LIMIT $6
)
SELECT log.position AS head, log.archived_to, {columns}, (SELECT count(*) FROM wanted) AS kinds
FROM {schema}.log
LEFT JOIN (page JOIN {schema}.{events} e ON e.position = page.position) ON true
WHERE log.one
