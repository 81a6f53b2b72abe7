-- Rule: an event id is in the log once, archive included.
-- Parameters: 1 how many findings at most. No row: it holds. Index: none serves it, it looks at everything.
SELECT format('event %s is at positions %s', event_id, string_agg(position::text, ', ' ORDER BY position)) AS what
FROM {schema}.all_events GROUP BY event_id HAVING count(*) > 1
LIMIT $1
