-- Purpose: finds positions that are none of those that the log has given.
-- Parameters: ?1 how many findings at most.
-- Zero rows: the rule holds.
-- Index: primary keys of events and archived_events, at their ends.
SELECT 'position ' || position || ' is not between 1 and the head, ' || (SELECT head FROM log)
FROM whole_log WHERE position < 1 OR position > (SELECT head FROM log)
LIMIT ?1
