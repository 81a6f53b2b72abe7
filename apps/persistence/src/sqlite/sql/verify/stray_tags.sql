-- Purpose: finds tags that lead to no event with them.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: none; everything is looked at. The rest is looked up by primary keys.
SELECT 'the tag ' || f.tag || ' leads to position ' || f.position || ', where there is no event of that kind with it'
FROM event_tags AS f
LEFT JOIN events AS e ON e.position = f.position
LEFT JOIN archived_events AS a ON a.position = f.position
WHERE coalesce(e.kind_id, a.kind_id, -1) <> f.kind_id
    OR NOT EXISTS (SELECT 1 FROM json_each(iif(json_valid(coalesce(e.tags, a.tags)), coalesce(e.tags, a.tags), '[]')) AS t
        WHERE t.value = f.tag
    )
LIMIT ?1
