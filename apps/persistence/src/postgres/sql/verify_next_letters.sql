-- Where a step through the dead letters ends: behind so many of them.
-- Parameters: 1 where the step before ended, subscription and place as a list of JSON, 2 how many. No row: there are no
-- more. Index: letters_pkey, in its order.
SELECT json_build_array(subscription, place)::text AS upto, count(*) OVER () AS rows
FROM (
    SELECT subscription, place FROM {schema}.letters
    WHERE (subscription, place) > ($1::text::json->>0, ($1::text::json->>1)::bigint)
    ORDER BY subscription, place LIMIT $2
) step
ORDER BY subscription DESC, place DESC LIMIT 1
