-- Rule: a link of a known stream points to an event of another one, once for each stream.
-- Parameters: 1 how many findings at most, 2 and 3 the positions that links lead to, behind the one up to the other. No row: it
-- holds. Index: links_by_position; streams_pkey, events_pkey, archive_pkey.
SELECT format('stream %s links at version %s to position %s: %s', coalesce(s.name, 'with id ' || l.stream_id), l.version,
    l.position, CASE
        WHEN s.stream_id IS NULL THEN 'there is no such stream'
        WHEN e.position IS NULL THEN 'there is no event'
        ELSE 'the event is its own'
    END) AS what
FROM {schema}.links l
LEFT JOIN {schema}.streams s USING (stream_id)
LEFT JOIN {schema}.all_events e ON e.position = l.position
WHERE l.position > $2::text::bigint AND l.position <= $3::text::bigint
    AND (s.stream_id IS NULL OR e.position IS NULL OR e.stream_id = l.stream_id)
UNION ALL
SELECT format('stream %s links to position %s %s times', coalesce(s.name, 'with id ' || twice.stream_id), twice.position,
    twice.count)
FROM (
    SELECT stream_id, position, count(*) AS count FROM {schema}.links
    WHERE position > $2::text::bigint AND position <= $3::text::bigint
    GROUP BY stream_id, position HAVING count(*) > 1
) twice
LEFT JOIN {schema}.streams s USING (stream_id)
LIMIT $1
