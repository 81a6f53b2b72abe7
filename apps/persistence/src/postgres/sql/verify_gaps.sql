-- Positions that are missing, or there twice.
-- Parameters: 1 how many at most, 2 and 3 the positions to look at, behind the one, where an event is or the log begins,
-- up to the other. No row: each is there once. Index: events_pkey, archive_pkey.
SELECT step.position = step.before AS twice, step.before + 1 AS first, step.position - 1 AS last
FROM (
    SELECT position, lag(position, 1, $2::text::bigint) OVER (ORDER BY position) AS before
    FROM (
        SELECT position FROM {schema}.all_events WHERE position > $2::text::bigint AND position <= $3::text::bigint
        UNION ALL
        SELECT $3::text::bigint + 1
    ) there
) step
WHERE step.position = step.before OR step.position > step.before + 1
ORDER BY twice DESC, step.position
LIMIT $1
