-- Where a step through the snapshots ends: behind so many of them.
-- Parameters: 1 where the step before ended, 2 how many. One row whose `upto` is null: there are no more.
-- Index: snapshots_pkey, in its order.
SELECT max(stream) AS upto, count(*) AS rows
FROM (SELECT stream FROM {schema}.snapshots WHERE stream > $1 ORDER BY stream LIMIT $2) step
