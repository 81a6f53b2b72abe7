-- Rule: every event belongs to a stream and a kind that are known, and the kind is one of the stream's category.
-- Parameters: 1 how many findings at most, 2 and 3 the positions to look at, behind the one up to the other. No row: it
-- holds. Index: events_pkey, archive_pkey; streams_pkey, kinds_pkey.
SELECT format('event %s at position %s: ', e.event_id, e.position) || CASE
    WHEN s.stream_id IS NULL THEN format('there is no stream with id %s', e.stream_id)
    WHEN k.kind_id IS NULL THEN format('there is no kind with id %s', e.kind_id)
    ELSE format('its kind is of category %s, its stream is %s', k.category, s.name)
END AS what
FROM {schema}.all_events e
LEFT JOIN {schema}.streams s USING (stream_id)
LEFT JOIN {schema}.kinds k USING (kind_id)
WHERE e.position > $2::text::bigint AND e.position <= $3::text::bigint
    AND (s.stream_id IS NULL OR k.kind_id IS NULL OR k.category <> split_part(s.name, '-', 1))
LIMIT $1
