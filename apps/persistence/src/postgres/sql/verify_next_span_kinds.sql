-- Where a step through what lists events by kind ends: behind so many rows.
-- Parameters: 1 where the step before ended, kind and first position as a list of JSON, 2 how many. No row: there are no more.
-- Index: span_kinds_pkey, in its order.
SELECT json_build_array(kind_id, first_position)::text AS upto, count(*) OVER () AS rows
FROM (
    SELECT kind_id, first_position FROM {schema}.span_kinds
    WHERE (kind_id, first_position) > (($1::text::json->>0)::int, ($1::text::json->>1)::bigint)
    ORDER BY kind_id, first_position LIMIT $2
) step
ORDER BY kind_id DESC, first_position DESC LIMIT 1
