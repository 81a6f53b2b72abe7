-- Purpose: finds tags of events by which they are not found.
-- Parameters: ?1 how many findings at most, ?2 and ?3 the positions to look at, behind the one up to the other.
-- Zero rows: the rule holds.
-- Index: primary keys of events, archived_events and event_tags.
SELECT 'position ' || e.position || ' is not found by its tag ' || t.value
FROM whole_log AS e, json_each(e.tags) AS t
WHERE e.position > ?2 AND e.position <= ?3 AND e.tags IS NOT NULL
    AND NOT EXISTS (
        SELECT 1 FROM event_tags AS f WHERE f.tag = t.value AND f.position = e.position AND f.kind_id = e.kind_id
    )
LIMIT ?1
