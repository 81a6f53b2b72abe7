-- Rule: an event is found by each of its tags.
-- Parameters: 1 how many findings at most, 2 and 3 the positions to look at, behind the one up to the other. No row: it
-- holds. Index: events_pkey, archive_pkey; event_tags_pkey.
SELECT format('position %s is not found by its tag %s', e.position, tagged.tag) AS what
FROM {schema}.all_events e CROSS JOIN LATERAL unnest(e.tags) AS tagged (tag)
WHERE e.position > $2::text::bigint AND e.position <= $3::text::bigint AND e.tags IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM {schema}.event_tags f WHERE f.tag = tagged.tag AND f.position = e.position AND f.kind_id = e.kind_id
    )
LIMIT $1
