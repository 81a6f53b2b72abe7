-- Rule: what lists events by kind leads to events of that kind, in a span that the log has passed. It is enough to follow the
-- first place: where there is such an event, verify_span_kinds compares all of them.
-- Parameters: 1 how many findings at most, 2 and 3 the rows to look at, behind the one up to the other, each kind and first
-- position as a list of JSON. No row: it holds. Index: span_kinds_pkey; events_pkey, archive_pkey.
SELECT format('kind %s is listed in the span from position %s, where there is no event of it at place %s', s.kind_id,
    s.first_position, s.places[1]) AS what
FROM {schema}.span_kinds s CROSS JOIN {schema}.log
LEFT JOIN {schema}.all_events e ON e.position = s.first_position + s.places[1]
WHERE (s.kind_id, s.first_position) > (($2::text::json->>0)::int, ($2::text::json->>1)::bigint)
    AND (s.kind_id, s.first_position) <= (($3::text::json->>0)::int, ($3::text::json->>1)::bigint)
    AND (e.kind_id IS DISTINCT FROM s.kind_id OR (s.first_position - 1) % 4096 <> 0 OR s.places[1] NOT BETWEEN 0 AND 4095
        OR s.first_position + 4095 > log.position)
LIMIT $1
