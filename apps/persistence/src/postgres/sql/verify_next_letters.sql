-- Where a step through the dead letters ends: behind so many of them.
-- Parameters: 1 where the step before ended, box and place as a list of JSON, 2 how many. No row: there are no
-- more. Index: letters_pkey, in its order.
SELECT json_build_array(box, place)::text AS upto, count(*) OVER () AS rows
FROM (
    SELECT box, place FROM {schema}.letters
    WHERE (box, place) > (($1::text::json->>0)::bigint, ($1::text::json->>1)::bigint)
    ORDER BY box, place LIMIT $2
) step
ORDER BY box DESC, place DESC LIMIT 1
