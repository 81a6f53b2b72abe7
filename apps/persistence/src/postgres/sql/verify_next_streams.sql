-- Where a step through the streams ends: behind so many of them.
-- Parameters: 1 where the step before ended, 2 how many. One row whose `upto` is null: there are no more. Index: streams_pkey,
-- in its order.
SELECT max(stream_id)::text AS upto, count(*) AS rows
FROM (SELECT stream_id FROM {schema}.streams WHERE stream_id > $1::text::bigint ORDER BY stream_id LIMIT $2) step
