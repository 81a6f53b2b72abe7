-- Rule: an event is found by each of its tags, and a tag leads only to events that have it.
-- Parameters: 1 how many findings at most. No row: it holds. Index: none serves it, it looks at everything that has tags.
SELECT format('position %s is not found by its tag %s', e.position, tagged.tag) AS what
FROM {schema}.all_events e CROSS JOIN LATERAL unnest(e.tags) AS tagged (tag)
LEFT JOIN {schema}.event_tags f ON f.tag = tagged.tag AND f.position = e.position AND f.kind_id = e.kind_id
WHERE e.tags IS NOT NULL AND f.position IS NULL
UNION ALL
SELECT format('the tag %s leads to position %s, where there is no event of that kind with it', f.tag, f.position)
FROM {schema}.event_tags f
LEFT JOIN {schema}.all_events e ON e.position = f.position
WHERE e.position IS NULL OR e.kind_id <> f.kind_id OR e.tags IS NULL OR f.tag <> ALL (e.tags)
LIMIT $1
