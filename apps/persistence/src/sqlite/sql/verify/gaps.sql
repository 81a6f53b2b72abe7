-- Purpose: finds where positions are missing.
-- Parameters: ?1 how many at most, ?2 and ?3 the positions behind which to look, behind the one up to the other.
-- Zero rows: none is missing behind one that is there, or behind the beginning.
-- Index: primary keys of events and archived_events.
WITH starts AS (
    SELECT 0 AS position UNION ALL SELECT position FROM whole_log
)
SELECT p.position + 1, min(
    coalesce((SELECT min(position) FROM events WHERE position > p.position), (SELECT head + 1 FROM log)),
    coalesce((SELECT min(position) FROM archived_events WHERE position > p.position), (SELECT head + 1 FROM log))
) - 1
FROM starts AS p
WHERE p.position > ?2 AND p.position <= ?3 AND p.position < (SELECT head FROM log)
    AND NOT EXISTS (SELECT 1 FROM events WHERE position = p.position + 1)
    AND NOT EXISTS (SELECT 1 FROM archived_events WHERE position = p.position + 1)
ORDER BY p.position
LIMIT ?1
