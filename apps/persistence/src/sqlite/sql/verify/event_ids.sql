-- Purpose: finds event ids that are both in the log and in its archive; each is in either only once by its unique index.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: the unique ones on event_id.
SELECT 'event ' || lower(hex(a.event_id)) || ' is at positions ' || a.position || ' and ' || e.position
FROM archived_events AS a CROSS JOIN events AS e ON e.event_id = a.event_id
LIMIT ?1
