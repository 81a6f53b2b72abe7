-- Where a step through the positions that links lead to ends: behind so many links, with all that lead to the same.
-- Parameters: 1 where the step before ended, 2 how many. One row whose `upto` is null: there are no more.
-- Index: links_by_position, in its order.
SELECT max(position)::text AS upto, count(*) AS rows
FROM (SELECT position FROM {schema}.links WHERE position > $1::text::bigint ORDER BY position LIMIT $2) step
