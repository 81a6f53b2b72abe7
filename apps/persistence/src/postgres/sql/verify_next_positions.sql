-- Where a step through the log ends: behind so many events.
-- Parameters: 1 where the step before ended, 2 how many events, 3 the last position to go to. One row whose `upto` is null:
-- there are no more. Index: events_pkey and archive_pkey, in their order.
SELECT max(position)::text AS upto, count(*) AS rows
FROM (
    SELECT position FROM {schema}.all_events WHERE position > $1::text::bigint AND position <= $3 ORDER BY position LIMIT $2
) step
