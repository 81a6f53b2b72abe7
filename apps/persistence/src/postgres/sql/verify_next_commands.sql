-- Where a step through the recorded commands ends: behind so many of them.
-- Parameters: 1 where the step before ended, 2 how many. No row: there are no more. Index: commands_pkey, in its order.
SELECT command_id::text AS upto, count(*) OVER () AS rows
FROM (
    SELECT command_id FROM {schema}.commands WHERE command_id > $1::text::uuid ORDER BY command_id LIMIT $2
) step
ORDER BY command_id DESC LIMIT 1
