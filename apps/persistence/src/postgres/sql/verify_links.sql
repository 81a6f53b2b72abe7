-- Rule: a link of a known stream points to an event of another one, once for each stream.
-- Parameters: 1 how many findings at most. No row: it holds. Index: none serves it, it looks at everything.
SELECT format('stream %s links at version %s to position %s: %s', coalesce(s.name, 'with id ' || l.stream_id), l.version,
    l.position, CASE
        WHEN s.stream_id IS NULL THEN 'there is no such stream'
        WHEN e.position IS NULL THEN 'there is no event'
        ELSE 'the event is its own'
    END) AS what
FROM {schema}.links l
LEFT JOIN {schema}.streams s USING (stream_id)
LEFT JOIN {schema}.all_events e USING (position)
WHERE s.stream_id IS NULL OR e.position IS NULL OR e.stream_id = l.stream_id
UNION ALL
SELECT format('stream %s links to position %s %s times', coalesce(s.name, 'with id ' || twice.stream_id), twice.position,
    twice.count)
FROM (
    SELECT stream_id, position, count(*) AS count FROM {schema}.links GROUP BY stream_id, position HAVING count(*) > 1
) twice
LEFT JOIN {schema}.streams s USING (stream_id)
LIMIT $1
