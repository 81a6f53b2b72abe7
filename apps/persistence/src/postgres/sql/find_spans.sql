-- The next spans of the log in which an event may have been recorded within a time, with the log's head, all of one
-- snapshot. Behind the last complete span there may be more events, which have no span yet.
-- {sorted} is the direction (empty or DESC).
-- Parameters: 1 the lowest first position, 2 the highest, 3 recorded from, 4 recorded before (null: do not restrict),
--   5 how many at most.
-- One row whose first_position is null: no such span. Index: spans_pkey, a row for each 4096 events.
SELECT log.position AS head, s.first_position
FROM {schema}.log
LEFT JOIN (
    SELECT first_position FROM {schema}.spans
    WHERE first_position BETWEEN $1 AND $2
        AND max_recorded_at >= coalesce($3::timestamptz, '-infinity')
        AND min_recorded_at < coalesce($4::timestamptz, 'infinity')
    ORDER BY first_position {sorted} LIMIT $5
) s ON true
WHERE log.one
ORDER BY s.first_position {sorted}
