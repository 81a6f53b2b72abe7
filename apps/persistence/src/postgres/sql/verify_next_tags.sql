-- Where a step through what events are found by ends: behind so many tags of events.
-- Parameters: 1 where the step before ended, tag and position as a list of JSON, 2 how many. No row: there are no more.
-- Index: event_tags_pkey, in its order.
SELECT json_build_array(tag, position)::text AS upto, count(*) OVER () AS rows
FROM (
    SELECT tag, position FROM {schema}.event_tags
    WHERE (tag, position) > ($1::text::json->>0, ($1::text::json->>1)::bigint)
    ORDER BY tag, position LIMIT $2
) step
ORDER BY tag DESC, position DESC LIMIT 1
