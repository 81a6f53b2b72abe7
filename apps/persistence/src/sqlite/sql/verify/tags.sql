-- Purpose: finds tags of events by which they are not found, and tags that lead to no such event.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; everything is looked at. The rest is looked up by primary keys.
SELECT 'position ' || e.position || ' is not found by its tag ' || t.value
FROM whole_log AS e, json_each(e.tags) AS t
WHERE e.tags IS NOT NULL
    AND NOT EXISTS (
        SELECT 1 FROM event_tags AS f WHERE f.tag = t.value AND f.position = e.position AND f.kind_id = e.kind_id
    )
UNION ALL
SELECT 'the tag ' || f.tag || ' leads to position ' || f.position || ', where there is no event of that kind with it'
FROM event_tags AS f
LEFT JOIN events AS e ON e.position = f.position
LEFT JOIN archived_events AS a ON a.position = f.position
WHERE coalesce(e.kind_id, a.kind_id, -1) <> f.kind_id
    OR NOT EXISTS (SELECT 1 FROM json_each(coalesce(e.tags, a.tags)) AS t WHERE t.value = f.tag)
LIMIT ?1
