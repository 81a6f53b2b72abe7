-- Where a step through the rows of spans ends: behind so many of them.
-- Parameters: 1 where the step before ended, 2 how many. One row whose `upto` is null: there are no more.
-- Index: spans_pkey, in its order.
SELECT max(first_position)::text AS upto, count(*) AS rows
FROM (SELECT first_position FROM {schema}.spans WHERE first_position > $1::text::bigint ORDER BY first_position LIMIT $2) step
