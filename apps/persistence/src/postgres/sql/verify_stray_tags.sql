-- Rule: a tag leads only to events that have it.
-- Parameters: 1 how many findings at most, 2 and 3 the tags of events to look at, behind the one up to the other, each tag and
-- position as a list of JSON. No row: it holds. Index: event_tags_pkey; events_pkey, archive_pkey.
SELECT format('the tag %s leads to position %s, where there is no event of that kind with it', f.tag, f.position) AS what
FROM {schema}.event_tags f
LEFT JOIN {schema}.all_events e ON e.position = f.position
WHERE (f.tag, f.position) > ($2::text::json->>0, ($2::text::json->>1)::bigint)
    AND (f.tag, f.position) <= ($3::text::json->>0, ($3::text::json->>1)::bigint)
    AND (e.position IS NULL OR e.kind_id <> f.kind_id OR e.tags IS NULL OR f.tag <> ALL (e.tags))
LIMIT $1
