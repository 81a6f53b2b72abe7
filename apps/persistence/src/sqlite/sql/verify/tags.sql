-- Purpose: finds tags of events by which they are not found, and what is no list of tags.
-- Parameters: ?1 how many findings at most, ?2 and ?3 the positions to look at, behind the one up to the other.
-- Zero rows: the rule holds.
-- Index: primary keys of events, archived_events and event_tags.
SELECT 'position ' || position || ' has tags that are no JSON list'
FROM whole_log
WHERE position > ?2 AND position <= ?3 AND iif(coalesce(json_valid(tags), 1), json_type(tags) <> 'array', true)
UNION ALL
SELECT 'position ' || e.position || ' is not found by its tag ' || coalesce(t.value, 'null')
FROM whole_log AS e, json_each(iif(json_valid(e.tags), e.tags, '[]')) AS t
WHERE e.position > ?2 AND e.position <= ?3 AND iif(json_valid(e.tags), json_type(e.tags) = 'array', false)
    AND NOT EXISTS (
        SELECT 1 FROM event_tags AS f WHERE f.tag = t.value AND f.position = e.position AND f.kind_id = e.kind_id
    )
LIMIT ?1
